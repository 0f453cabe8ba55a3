package match

import (
	"cmp"
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
)

// FrameRef names a frame by its place.
type FrameRef struct {
	Capture int
	Frame   uint32
}

// Causation is two frames of different captures of which the effect exists because of the cause: it can't be earlier.
type Causation struct{ Cause, Effect FrameRef }

// Tie joins two conversations that share no packet and no byte: a proxy with TLS carries on the one as the other. The
// initiator's packets pass the front first.
type Tie struct {
	Front, Back Conv
	Confidence  int  // percent
	Bytes       bool // the same bytes may be on both: no TLS ends in between
}

// Alone reports whether only one capture saw the flow.
func (f *Flow) Alone() bool { return f.sides() == 1 }

// Everywhere reports whether all captures saw the flow.
func (f *Flow) Everywhere() bool { return f.sides() == len(f.Sides) }

// First is the first point that the initiator's packets pass, and Last the last one; where none of them was seen, that of
// the answers' way.
func (f *Flow) First() int { return f.end(0) }

// Last: see First.
func (f *Flow) Last() int { return f.end(1) }

func (f *Flow) end(last int) int {
	for d, p := range f.Path {
		if len(p) > 0 {
			if (last == 1) == (d == 0) {
				return p[len(p)-1]
			}
			return p[0]
		}
	}
	return -1
}

// Tie joins conversations and notes what bounds the clocks. fronts counts requests by the captures in front and behind.
func (r *Result) Tie(ties []Tie, causes []Causation, fronts map[[2]int]int) {
	r.Causes, r.Fronts = append(r.Causes, causes...), fronts
	gone := map[*Flow]bool{}
	for _, t := range ties {
		x, y := r.FlowOf[t.Front.Capture][t.Front.ID], r.FlowOf[t.Back.Capture][t.Back.ID]
		if x == nil || y == nil || x == y || gone[x] || gone[y] || shareCapture(x, y) {
			continue
		}
		r.carry(x, y, t)
		gone[y] = true
	}
	for _, c := range causes {
		r.relation(c.Cause.Capture, c.Effect.Capture).cause(r, c)
	}
	for _, rel := range r.Relations {
		rel.settle()
	}
	if len(gone) == 0 {
		return
	}
	r.Flows = slices.DeleteFunc(r.Flows, func(f *Flow) bool { return gone[f] })
	for i, f := range r.Flows {
		f.ID = uint32(i + 1)
	}
}

func shareCapture(x, y *Flow) bool {
	for c := range x.Sides {
		if x.Sides[c] != nil && y.Sides[c] != nil {
			return true
		}
	}
	return false
}

// carry makes y's sides part of x.
func (r *Result) carry(x, y *Flow, t Tie) {
	// A percentage as bits, and as much margin: a chance of 1 in 2^(m+1) that it is wrong.
	bits := max(0, -math.Log2(1-float64(min(t.Confidence, 99))/100)-1)
	for a, s := range x.Sides {
		for b, u := range y.Sides {
			if s == nil || u == nil {
				continue
			}
			j := &Joint{A: min(a, b), B: max(a, b), Score: 2 * bits, Margin: bits, Kinds: 1 << evExchange, Rival: Conv{Capture: -1}, Terminated: true, Opaque: !t.Bytes, Way: 1}
			if a > b {
				j.Way = -1
			}
			x.Joints = append(x.Joints, j)
		}
	}
	x.Joints = append(x.Joints, y.Joints...)
	for b, u := range y.Sides {
		if u == nil {
			continue
		}
		x.Sides[b] = u
		for _, id := range u.Convs {
			r.FlowOf[b][id] = x
		}
	}
	for d := 0; d < 2; d++ {
		x.Path[d] = x.path(d)
	}
	for a := range x.Sides {
		for b := range y.Sides {
			if x.Sides[a] == nil || y.Sides[b] == nil || a == b {
				continue
			}
			rel := r.relation(a, b)
			rel.Anchors++
			rel.Terminated++
			if j := x.Joint(a, b); j != nil && j.Way != 0 {
				rel.vote(x, int(j.Way))
			}
		}
	}
}

// relation is that of two captures, made on first use.
func (r *Result) relation(a, b int) *Relation {
	k := [2]int{min(a, b), max(a, b)}
	rel := r.Relations[k]
	if rel == nil {
		rel = &Relation{A: k[0], B: k[1], addr: ballot{}}
		r.Relations[k] = rel
	}
	return rel
}

// cause adds a causal pair to the timeline.
func (rel *Relation) cause(r *Result, c Causation) {
	t, u := r.Caps[c.Cause.Capture].At(c.Cause.Frame), r.Caps[c.Effect.Capture].At(c.Effect.Frame)
	if t.Is(flow.MarkNoTime) || u.Is(flow.MarkNoTime) {
		return
	}
	if c.Cause.Capture == rel.A {
		rel.Time.add(sample{r.Caps[rel.A].Frame(c.Cause.Frame), 1, t.Time(), u.Time() - t.Time()})
	} else {
		rel.Time.add(sample{r.Caps[rel.A].Frame(c.Effect.Frame), -1, u.Time(), t.Time() - u.Time()})
	}
}

// Offset bounds b's clock minus a's, ns, over all that both captures hold, from what they share for certain; ok is false
// where they share nothing.
func (r *Result) Offset(a, b int, t capture.LocalTime) (lo, hi int64, ok bool) {
	rel := r.Relations[[2]int{min(a, b), max(a, b)}]
	if rel == nil || rel.Time.len() == 0 {
		return 0, 0, false
	}
	if a < b {
		x, y, _ := rel.Time.window(rel.Time.nearest(t), 0)
		lo, hi = int64(x-t), int64(y-t)
		if x, y, causal := rel.Time.causal(); causal {
			lo, hi = max(lo, x), min(hi, y)
		}
		return lo, hi, lo <= hi
	}
	// t is b's time in the relation's terms: take all samples.
	first := true
	for _, l := range rel.Time.samples {
		for _, s := range l {
			d := -int64(s.d)
			if first {
				lo, hi, first = d, d, false
			}
			lo, hi = min(lo, d), max(hi, d)
		}
	}
	lo, hi = lo-slackNS, hi+slackNS
	if x, y, causal := rel.Time.causal(); causal {
		lo, hi = max(lo, -y), min(hi, -x)
	}
	return lo, hi, lo <= hi
}

// sortCauses puts causal pairs into the order of the link's first capture.
func sortCauses(l []Causation) {
	slices.SortStableFunc(l, func(x, y Causation) int {
		return cmp.Or(cmp.Compare(x.Cause.Capture, y.Cause.Capture), cmp.Compare(x.Cause.Frame, y.Cause.Frame), cmp.Compare(x.Effect.Frame, y.Effect.Frame))
	})
}
