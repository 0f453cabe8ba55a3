package exchange

import (
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// gap is what a client said, a recorder missed, and the server acknowledged.
type gap struct {
	from, to     int64  // stream offsets
	frame        uint32 // the first to acknowledge any of it
	since, until capture.LocalTime
}

// inside lists what is missing between the segments of a stream, in order, and gives where they end.
func inside(segs []segment) (out []gap, end int64) {
	for _, s := range segs {
		if s.off > end {
			out = append(out, gap{from: end, to: s.off})
		}
		end = max(end, s.end)
	}
	return out, end
}

// gaps lists what was missed of a client's stream, in order. segs are its data segments.
func gaps(c *flow.Capture, id flow.ConvID, client int, segs []segment, base uint32) []gap {
	out, at := inside(segs)
	said := int64(0)
	for i := range flow.UpTo(c.Span(id)) {
		x := c.At(i)
		if x.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate) == 0 && x.Flags()&(decode.ACK|decode.RST) == decode.ACK && x.Dir() != client {
			said = max(said, int64(int32(x.Ack-base)))
		}
	}
	if said > at+1 { // one more is the FIN's
		out = append(out, gap{from: at, to: said})
	}
	if len(out) == 0 {
		return nil
	}
	k := 0
	var last capture.LocalTime
	for i := range flow.UpTo(c.Span(id)) {
		x := c.At(i)
		if k == len(out) {
			break
		}
		if x.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate) != 0 {
			continue
		}
		if x.Dir() == client {
			last = x.Time()
			continue
		}
		for k < len(out) && x.Flags()&(decode.ACK|decode.RST) == decode.ACK && int64(int32(x.Ack-base)) > out[k].from {
			out[k].frame, out[k].since, out[k].until = i, last, x.Time()
			k++
		}
	}
	return out[:k]
}

// hears gives the last request of a conversation the answer that its client acknowledged and the recorder missed, or missed the
// beginning of, so that nothing could be read. segs are the server's data segments.
func hears(c *flow.Capture, id flow.ConvID, client int, segs []segment, base uint32, x *Exchange) {
	if x == nil || x.Answered || x.Among {
		return
	}
	asked := x.Request.End
	p := Part{Head: -1, Holes: true}
	note := func(n int64, from, to capture.LocalTime) {
		if p.Most == 0 || from < p.Start {
			p.Start = from
		}
		p.Most += n
		p.End = max(p.End, to)
	}
	for _, g := range gaps(c, id, 1-client, segs, base) {
		if n := g.to - g.from; g.until >= asked && n > alertMost {
			note(n, max(g.since, asked), g.until)
		}
	}
	if p.Most == 0 {
		return
	}
	for _, s := range segs {
		if t := c.At(s.frame).Time(); t >= asked {
			note(s.end-s.off, t, t)
		}
	}
	x.Answer, x.Answered = p, true
}

// missedOf reports whether the beginning of a TCP conversation was missed, or bytes between captured ones.
func missedOf(r *match.Result, cv match.Conv) bool {
	c, id := r.Caps[cv.Capture], cv.ID
	if c.Conv(id).Proto != flow.ProtoTCP {
		return false
	}
	if _, ok := amount(c, id); !ok {
		return true
	}
	for d := range 2 {
		segs, _, _ := segments(c, id, d)
		if l, _ := inside(segs); len(l) > 0 {
			return true
		}
	}
	return false
}

// beside leaves of gaps what lies in no message that is known to be incomplete. Both lists ascend.
func beside(gs []gap, us []unit) []gap {
	k := 0
	return slices.DeleteFunc(gs, func(g gap) bool {
		for k < len(us) && us[k].to <= g.from {
			k++
		}
		return k < len(us) && us[k].from < g.to
	})
}

// request is a request of which nothing is known but its size and between which times it came.
func (g *gap) request() Part {
	return Part{Start: g.since, End: g.until, Least: 0, Most: g.to - g.from, Head: -1, Holes: true}
}

// Seen reports whether any of a part was captured.
func (p *Part) Seen() bool { return len(p.Pieces) > 0 }

// latest is when a part began, or the last time that it can have.
func (p *Part) latest() capture.LocalTime {
	if p.Seen() {
		return p.Start
	}
	return p.End
}
