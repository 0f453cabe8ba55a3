package compose

import (
	"cmp"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/model"
)

func (in *Input) flows(d *model.Document) {
	about := map[uint32][]string{}
	for _, x := range d.Findings {
		for _, id := range x.Flows {
			about[id] = append(about[id], x.ID)
		}
	}
	shown := in.order()
	d.Flows = make([]model.Flow, len(shown))
	each(d.Flows, func(k int) model.Flow {
		in.Caps[0].Store.Visit(infer.Touch * len(in.Caps))
		m := in.flow(in.Flows[shown[k]], in.State[shown[k]])
		m.Findings = about[m.ID]
		return m
	})
	in.trips(d)
	in.ladders(d)
}

func (in *Input) flow(f *match.Flow, st *infer.State) model.Flow {
	m := model.Flow{ID: f.ID, Proto: infer.ProtoName(f.Proto), Initiator: in.Initiator(f), At: map[string]*model.At{},
		Path: in.names(in.carried(f, 0)), PathReverse: in.names(in.carried(f, 1)), Outcome: st.Outcome, ClosedBy: st.ClosedBy,
		Confidence: in.FlowConfidence(f), Detail: st.Detail, App: st.App}
	for _, j := range holding(f) {
		for _, e := range j.Evidence() {
			m.Evidence = append(m.Evidence, in.Points[j.A].Name+" and "+in.Points[j.B].Name+": "+e)
		}
		if r := in.runnerUp(j); r != "" {
			m.Evidence = append(m.Evidence, in.Points[j.A].Name+" and "+in.Points[j.B].Name+": "+r)
		}
	}
	first := true
	for c := range in.Caps {
		if s := f.Sides[c]; s == nil || !s.Carries(0) && !s.Carries(1) && in.elsewhere(f, c) {
			m.At[in.Points[c].Name] = nil
			continue
		}
		at, lo, hi := in.at(f, st, c)
		m.At[in.Points[c].Name] = at
		if first || lo < m.FirstNS {
			m.FirstNS = lo
		}
		if first || hi > m.LastNS {
			m.LastNS = hi
		}
		first = false
	}
	if r := in.RTT(f); r.Total >= 0 {
		m.RTT = &model.RTT{TotalS: float64(r.Total) / 1e9, ClientS: duration(r.Client), ServerS: duration(r.Server)}
	}
	return m
}

// holding lists the joints that hold a conversation together: those between neighbours, and where evidence joins them only through
// others, the best of these. Of sixteen points, a hundred more say the same.
func holding(f *match.Flow) []*match.Joint {
	if len(f.Joints) == 1 {
		return f.Joints
	}
	of := make([]int, len(f.Sides)) // by capture: the least one that it is joined to
	for c := range of {
		of[c] = c
	}
	var out []*match.Joint
	take := func(j *match.Joint) {
		out = append(out, j)
		to, from := min(of[j.A], of[j.B]), max(of[j.A], of[j.B])
		for c := range of {
			if of[c] == from {
				of[c] = to
			}
		}
	}
	for d, p := range f.Path {
		for i := range len(p) - 1 {
			if j := f.Joint(p[i], p[i+1]); j != nil && j.Kinds != 0 && (d == 0 || !slices.Contains(out, j)) {
				take(j)
			}
		}
	}
	for {
		var best *match.Joint
		for _, j := range f.Joints {
			if j.Kinds != 0 && of[j.A] != of[j.B] && (best == nil || j.Score > best.Score) {
				best = j
			}
		}
		if best == nil {
			break
		}
		take(best)
	}
	slices.SortFunc(out, func(x, y *match.Joint) int { return cmp.Or(x.A-y.A, x.B-y.B) })
	return out
}

// runnerUp says which other conversation came closest to being taken for one of a joint's two, and by how much it lost.
func (in *Input) runnerUp(j *match.Joint) string {
	if j.Rival.Capture < 0 || j.Kinds == 0 {
		return ""
	}
	v := in.Caps[j.Rival.Capture].Conv(j.Rival.ID)
	id, ports := "", v.Proto == flow.ProtoTCP || v.Proto == flow.ProtoUDP
	if ports {
		id = fmt.Sprintf(" (%s.stream %d)", infer.ProtoName(v.Proto), v.Stream)
	}
	end := func(a string, p uint16) string {
		if !ports {
			return a
		}
		return net.JoinHostPort(a, strconv.Itoa(int(p)))
	}
	less := "as likely"
	if d := int(j.Margin * math.Log10(2)); d > 20 {
		less = "less likely by a factor beyond 10^20"
	} else if d > 0 {
		less = fmt.Sprintf("less likely by a factor of 10^%d", d)
	}
	return fmt.Sprintf("the runner-up, %s → %s%s at %s, is %s", end(infer.Addr(v.Version, v.Src), v.Sport), end(infer.Addr(v.Version, v.Dst), v.Dport), id, in.Points[j.Rival.Capture].Name, less)
}

// carried is the path of a direction's own packets: a point that saw only ICMP errors about them is not on it.
func (in *Input) carried(f *match.Flow, d int) []int {
	var out []int
	for _, c := range f.Path[d] {
		if s := f.Sides[c]; s.Carries(d) || f.Presumed[d]>>c&1 != 0 {
			out = append(out, c)
		}
	}
	return out
}

// elsewhere reports whether the flow's own packets were seen at any other capture.
func (in *Input) elsewhere(f *match.Flow, c int) bool {
	for k, s := range f.Sides {
		if k != c && s != nil && (s.Carries(0) || s.Carries(1)) {
			return true
		}
	}
	return false
}

// duration is a time in seconds, nil for an unknown one (below zero).
func duration(ns int64) *float64 {
	if ns < 0 {
		return nil
	}
	return seconds(ns)
}

// at describes a conversation at one capture, with its first and last instant on the reference clock, or the capture's
// own where that is not known.
func (in *Input) at(f *match.Flow, st *infer.State, c int) (at *model.At, lo, hi int64) {
	s := f.Sides[c]
	t := f.Tuple(c)
	at = &model.At{Tuple: [4]any{infer.Addr(t.Version, t.Src), t.Sport, infer.Addr(t.Version, t.Dst), t.Dport}}
	if n := s.Cap.Conv(s.Convs[0]).Stream; n >= 0 {
		x := int64(n)
		at.Stream = &x
	}
	first, last := s.Ends()
	at.First, at.Last = uint32(s.Cap.Frame(first)), uint32(s.Cap.Frame(last))
	for k, id := range s.Convs {
		at.Frames += int64(s.Cap.Count(id))
		inf := &s.Cap.Convs[id]
		fwd := s.Forward[k]
		at.BytesF += int64(inf.Bytes[fwd])
		at.BytesR += int64(inf.Bytes[1-fwd])
	}
	at.SYN, at.SYNACK = in.handshake(f, c, 0), in.handshake(f, c, 1)
	r := in.RTTAt(f, c)
	at.RTTServerS, at.RTTClientS = duration(r.Server), duration(r.Client)
	return at, in.when(c, first), in.when(c, last)
}

// when is a frame's time on the reference clock, or the capture's own where the clocks could not be related.
func (in *Input) when(c int, i uint32) int64 {
	if t, ok := in.Time(c, i); ok {
		return int64(t)
	}
	return int64(in.At(c, i).Time())
}

func (in *Input) handshake(f *match.Flow, c, d int) *model.Handshake {
	h := in.Handshake(f, c, d)
	if h == nil {
		return nil
	}
	x := in.At(c, h.Fact)
	m := &model.Handshake{Frame: uint32(in.Caps[c].Frame(h.Fact)), ISN: x.Seq, SACKPerm: h.SACKPerm, Timestamps: h.HasTS, ECN: x.Flags()&(decode.ECE|decode.CWR) != 0, TTL: int(x.TTL),
		Window: int(x.Window), DF: x.Is(flow.MarkDF), DSCP: int(x.TOS >> 2), Options: optionNames(h), OptionsCut: h.Cut}
	if h.MSS >= 0 {
		v := int(h.MSS)
		m.MSS = &v
	}
	if h.WScale >= 0 {
		v := int(h.WScale)
		m.WScale = &v
	}
	if x.Is(flow.MarkHasID) {
		v := int(x.IPID)
		m.IPID = &v
	}
	if l := in.Caps[c].Link(h.Fact); l.HasMAC {
		m.MAC, m.Vendor = infer.MAC(l.Src), infer.Vendor(l.Src)
	}
	return m
}

// optionNames lists TCP option kinds as Wireshark names them (IANA, TCP Option Kind Numbers).
func optionNames(h *flow.Handshake) string {
	var out []string
	for _, k := range h.Kinds[:min(int(h.NKinds), len(h.Kinds))] {
		out = append(out, infer.OptionName(k))
	}
	return strings.Join(out, " ")
}
