package compose

import (
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/model"
)

// tripsMost bounds the frames that are looked at for round trips and segments sent again, over all conversations of the
// document: each may have an equal share, and tripsLeast at least.
const (
	tripsMost  = 2_000_000
	tripsLeast = 500
)

// trips adds round trips and what was sent again to the document's conversations.
func (in *Input) trips(d *model.Document) {
	most := max(tripsLeast, tripsMost/max(1, len(d.Flows)*len(in.Caps)))
	atOnce(len(d.Flows), func() func(k int) {
		t := in.NewTrips()
		return func(k int) {
			if f := in.Flows[d.Flows[k].ID-1]; f.Proto == flow.ProtoTCP {
				in.Caps[0].Store.Visit(most * len(in.Caps))
				in.tripsOf(t, &d.Flows[k], f, most)
			}
		}
	})
}

func (in *Input) tripsOf(trips *infer.Trips, m *model.Flow, f *match.Flow, most int) {
	var least [2]map[int]int64 // by direction of the data and capture: the shortest round trip from there
	for d := range least {
		least[d] = map[int]int64{}
	}
	for c, s := range f.Sides {
		at := m.At[in.Points[c].Name]
		if s == nil || at == nil {
			continue
		}
		t := trips.DataRTTAt(f, c, most)
		at.DataRTTServer, at.DataRTTClient = roundTrips(t[0]), roundTrips(t[1])
		shake := in.RTTAt(f, c)
		for d, handshake := range [2]int64{shake.Server, shake.Client} {
			x := handshake
			if t[d].N > 0 && (x < 0 || t[d].Min < x) {
				x = t[d].Min
			}
			if x >= 0 {
				least[d][c] = x
			}
		}
	}
	m.RTTSplit = in.split(f, least)
	for d, dir := range []string{"f", "r"} {
		a := trips.AgainOf(f, d, most)
		if a.Segments == 0 {
			continue
		}
		x := model.Again{Dir: dir, Segments: a.Segments, AckLost: a.AckLost, Needless: a.Needless, Unknown: a.Unknown}
		for k, n := range a.Lost {
			if s := in.Segments[k]; n > 0 {
				x.Lost = append(x.Lost, model.AgainLost{A: in.Points[s.A].Name, B: in.Points[s.B].Name, Count: n})
			}
		}
		m.Again = append(m.Again, x)
	}
}

// split shares a round trip out among the stretches of a path that goes and comes back the same way and on which nothing ends
// TCP: there the round trips are others' on both sides.
func (in *Input) split(f *match.Flow, least [2]map[int]int64) []model.RTTPart {
	p := f.Path[0]
	if len(p) < 2 || len(f.Path[1]) != len(p) {
		return nil
	}
	for i := range p {
		if f.Path[1][len(p)-1-i] != p[i] {
			return nil
		}
	}
	for _, j := range f.Joints {
		if j.Terminated || j.SynProxied {
			return nil
		}
	}
	var out []model.RTTPart
	add := func(a, b string, ns int64, known bool) {
		if known {
			out = append(out, model.RTTPart{A: a, B: b, S: float64(max(ns, 0)) / 1e9})
		}
	}
	name := func(i int) string { return in.Points[p[i]].Name }
	x, ok := least[1][p[0]]
	add("", name(0), x, ok)
	for i := 1; i < len(p); i++ {
		a, ok := least[0][p[i-1]]
		b, ok2 := least[0][p[i]]
		add(name(i-1), name(i), a-b, ok && ok2)
	}
	x, ok = least[0][p[len(p)-1]]
	add(name(len(p)-1), "", x, ok)
	return out
}

func roundTrips(s infer.Spread) *model.RoundTrips {
	if s.N == 0 {
		return nil
	}
	return &model.RoundTrips{Count: s.N, MinS: float64(s.Min) / 1e9, MedianS: float64(s.Median) / 1e9, P99S: float64(s.P99) / 1e9}
}
