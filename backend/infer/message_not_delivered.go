package infer

import (
	"fmt"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

var messageNotDelivered = rule{Doc{ID: "message-not-delivered", weight: 80,
	Title:   "A message was sent and never arrived",
	Meaning: "Where a conversation broke: the last message that came through, and the first that did not.",
	Sign:    "In a conversation that failed, or that the message's sender reset, the frames of a message are seen at one point and have no counterpart at the next.",
	Not:     "Where TLS ends in between, so that no message survives as bytes; where the conversation did what it was for."},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			for n, f := range v.Flows {
				st := v.State[n]
				if j := f.Joint(s.A, s.B); !v.failed(f) && st.Outcome != "reset" || j == nil || j.Opaque || !v.adjoins(f, s) || f.Proto != flow.ProtoTCP && st.App == "" {
					continue
				}
				for d, sender := range [2]string{"client", "server"} {
					if !v.failed(f) && st.ClosedBy != sender {
						continue // its receiver did not want any more
					}
					if x := v.undelivered(s, f, d); x != nil {
						out = append(out, x)
					}
				}
				if len(out) >= 20 {
					return out // more of the same kind tell nothing new
				}
			}
		}
		return out
	}}

// undelivered finds the first data of a direction that entered a stretch and did not leave it.
func (v *Verdict) undelivered(s *Segment, f *match.Flow, d int) *Finding {
	from, to, ok := v.travel(f, d, s)
	if !ok || f.Sides[from] == nil || f.Sides[to] == nil {
		return nil
	}
	side := f.Sides[from]
	good, bad := int64(-1), int64(-1)
	for _, id := range side.Convs {
		for i := range flow.UpTo(side.Cap.Span(id)) {
			x := side.Cap.At(i)
			if side.Dir(i) != d || x.Len() == 0 || x.Mark&(flow.MarkError|flow.MarkDuplicate) != 0 {
				continue
			}
			switch m := v.Marks[from].At(i); {
			case s.Link.Has(from, i):
				good = int64(i)
				bad = -1 // later bytes came through: a mere loss
			case (m.Fate == FateConsumed || m.Fate == FateLost) && int(m.Where) == s.Index+1 && bad < 0:
				bad = int64(i)
			}
		}
	}
	if bad < 0 {
		return nil
	}
	what := v.messageFrom(from, f, d, bad)
	x := &Finding{Severity: Error, Confidence: 95, Flows: []*match.Flow{f}, Segment: s, Evidence: []Evidence{{from, bad, "corr.fate", v.Marks[from].At(uint32(bad)).Fate.String()}}}
	x.Title = fmt.Sprintf("%s of %s leaves %s and never arrives at %s", what, v.tuple(f, from), v.point(from), v.point(to))
	x.Detail = fmt.Sprintf("seen: %s at %s, no frame of %s carries its bytes", what, v.frame(from, bad), v.point(to))
	if good >= 0 {
		x.Evidence = append(x.Evidence, Evidence{from, good, "corr.fate", "delivered"})
		x.Detail += fmt.Sprintf("; the last that arrived is %s (%s)", v.messageFrom(from, f, d, good), v.frame(from, good))
	} else if k := v.lastArrived(s, f, 1-d); k != "" {
		x.Detail += "; the other direction's " + k + " did arrive"
	}
	x.Next = fmt.Sprintf("ask what stands between %s what it did with this message at %s UTC by the clock of %s", v.stretch(s), v.clockTime(from, bad), v.point(from))
	return x
}

// lastArrived names the last message of a direction that crossed a stretch.
func (v *Verdict) lastArrived(s *Segment, f *match.Flow, d int) string {
	from, _, ok := v.travel(f, d, s)
	if !ok || f.Sides[from] == nil {
		return ""
	}
	name := ""
	side := f.Sides[from]
	for _, id := range side.Convs {
		for i := range flow.UpTo(side.Cap.Span(id)) {
			x := side.Cap.At(i)
			if side.Dir(i) == d && x.Len() > 0 && s.Link.Has(from, i) {
				name = v.messageFrom(from, f, d, int64(i)) + " (" + v.frame(from, int64(i)) + ")"
			}
		}
	}
	return name
}

// messageFrom names the message that a frame carries: its own name, else that of the message that ends in a later frame
// of the same run, else its size.
func (v *Verdict) messageFrom(c int, f *match.Flow, d int, i int64) string {
	side := f.Sides[c]
	seen := false
	for _, id := range side.Convs {
		for k := range flow.UpTo(side.Cap.Span(id)) {
			x := side.Cap.At(k)
			if int64(k) == i {
				seen = true
			}
			if !seen || x.Len() == 0 {
				continue
			}
			if side.Dir(k) != d {
				break
			}
			if m := v.Messages[c][k]; m != "" {
				return m
			}
		}
	}
	x := v.At(c, uint32(i))
	if off, ok := v.streamOffset(side, uint32(i)); ok && off > 0 {
		return fmt.Sprintf("%d bytes (from byte %d of the stream on)", x.Len(), off)
	}
	return fmt.Sprintf("%d bytes", x.Len())
}

// streamOffset is how many bytes of its direction's stream lie before a segment's, by the number in the SYN; ok is false where
// that was not seen. Offsets of streams of more than 4 GB are not told (RFC 9293 §3.4).
func (v *Verdict) streamOffset(s *match.Side, i uint32) (off uint32, ok bool) {
	x := s.Cap.At(i)
	if !x.Is(flow.MarkTCP) {
		return 0, false
	}
	for k, id := range s.Convs {
		from, to := s.Cap.Span(id)
		if i < from || i >= to {
			continue
		}
		in := &s.Cap.Convs[id]
		at := in.SYN
		if x.Dir() != s.Forward[k] {
			at = in.SYNACK
		}
		if at < 0 {
			return 0, false
		}
		return x.Seq - s.Cap.At(s.Cap.Handshakes[at].Fact).Seq - 1, true
	}
	return 0, false
}
