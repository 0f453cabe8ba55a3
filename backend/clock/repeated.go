package clock

import (
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// firstWaits are how long after its first sending a SYN or FIN is sent again, ns, once and more often: each wait is twice the last
// (RFC 6298 §2.1, §5.5).
var firstWaits = [...]int64{1e9, 3e9, 7e9, 15e9}

const (
	// waitSlack is how much later than that a timer fires and what it sends is recorded, ns: a few ticks of a kernel's wheel.
	waitSlack = 40_000_000
	// waitError is the bound of an offset, ns, from which it tells nothing of waits.
	waitError = 100_000_000
)

// unsay takes pairs out of links that the clocks speak against: what opens or closes one side of a proxy came as much later than
// what opens or closes the other one as a sender waits before it repeats itself. A recorder missed the first sending, or that
// got lost before it, which was the other side's counterpart. And what a third point saw sent before.
func (m *Model) unsay(r *match.Result) {
	for k, l := range r.Links {
		e := m.Links[k]
		if e == nil || !e.relayed {
			continue
		}
		tells := e.Known && e.Error <= waitError
		a, b := r.Caps[l.A], r.Caps[l.B]
		var wrong []match.Pair
		l.Each(func(p match.Pair) {
			if p.How != match.HowLogical {
				return
			}
			f, h := a.At(p.A), b.At(p.B)
			if f.Flags()&(decode.SYN|decode.FIN) == 0 || f.Is(flow.MarkNoTime) || h.Is(flow.MarkNoTime) {
				return
			}
			if sentBefore(r, l, p) {
				wrong = append(wrong, p)
				return
			}
			if !tells {
				return
			}
			// A proxy may open and close either side first.
			late := int64(h.Time()-f.Time()) - e.offset(b.Frame(p.B), h.Time())
			late = max(late, -late)
			for _, w := range firstWaits {
				if late-e.Error <= w+waitSlack && late+e.Error >= w {
					wrong = append(wrong, p)
					return
				}
			}
		})
		l.Remove(wrong)
	}
}

// sentBefore reports whether a third point holds the packet that one end of a pair is, and an earlier sending of it, which that
// end's own recorder missed.
func sentBefore(r *match.Result, l *match.Link, p match.Pair) bool {
	for _, end := range [2]match.FrameRef{{Capture: l.A, Frame: p.A}, {Capture: l.B, Frame: p.B}} {
		if isRepetition(r.Caps[end.Capture], end.Frame) {
			continue // of several the right one was chosen
		}
		for _, x := range r.Links {
			if x == l || x.A != end.Capture && x.B != end.Capture {
				continue
			}
			for _, q := range x.Peers(end.Capture, end.Frame, nil) {
				o, i := x.B, q.B
				if end.Capture == x.B {
					o, i = x.A, q.A
				}
				if q.How != match.HowLogical && isRepetition(r.Caps[o], i) {
					return true
				}
			}
		}
	}
	return false
}

// isRepetition reports whether a SYN or FIN was sent before with the same number.
func isRepetition(c *flow.Capture, i uint32) bool {
	f := c.At(i)
	id := c.ID(i)
	if id == flow.NoConv {
		return false
	}
	from, _ := c.Span(id)
	for k := from; k < i; k++ {
		if g := c.At(k); g.Dir() == f.Dir() && g.Seq == f.Seq && g.Flags()&(decode.SYN|decode.FIN) == f.Flags()&(decode.SYN|decode.FIN) && g.Mark&(flow.MarkError|flow.MarkDuplicate) == 0 && g.Time() < f.Time() {
			return true
		}
	}
	return false
}
