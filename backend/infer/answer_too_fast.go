package infer

import (
	"fmt"
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

var answerTooFast = rule{Doc{ID: "answer-too-fast", weight: 58,
	Title:   "An answer comes sooner than the path allows",
	Meaning: "What answers can't be the other end: it is too far away. A device nearer by answers in its name.",
	Sign:    "A FIN or RST that acknowledges data follows it sooner than the smallest round trip between the two points, as the captures' own packets show it.",
	Not:     "Where the round trip is not known (traffic one way only), or the bound is not clearly broken."},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			rtt := v.minRTT(s)
			if rtt <= 0 {
				continue
			}
			x := &Finding{Severity: Warn, Confidence: 95, Segment: s}
			v.each(s, func(f *match.Flow, j *match.Joint) {
				for _, c := range []int{s.A, s.B} {
					asked, answer, dt, ok := v.hasty(f, s, c, rtt)
					if !ok {
						continue
					}
					if len(x.Flows) == 0 {
						what := v.Messages[c][uint32(asked)]
						if what == "" {
							what = fmt.Sprintf("%d bytes", v.At(c, uint32(asked)).Len())
						}
						x.Detail = fmt.Sprintf("seen: %s (%s) is answered by %s (%s) after %s; a round trip to %s takes %s at least", what, v.frame(c, asked),
							FlagNames(v.At(c, uint32(answer)).Flags()), v.frame(c, answer), millis(dt), v.point(s.other(c)), millis(rtt))
						x.Title = fmt.Sprintf("the %s at %s comes %s after what it answers, %s is %s away", FlagNames(v.At(c, uint32(answer)).Flags()&(decode.FIN|decode.RST)), v.point(c), millis(dt), v.point(s.other(c)), millis(rtt))
					}
					if len(x.Evidence) < evidenceMost {
						x.Evidence = append(x.Evidence, Evidence{c, asked, "frame.time_delta", millis(dt)}, Evidence{c, answer, "tcp.flags", FlagNames(v.At(c, uint32(answer)).Flags())})
					}
					if n := len(x.Flows); n == 0 || x.Flows[n-1] != f {
						x.Flows = append(x.Flows, f)
					}
				}
			})
			if len(x.Flows) == 0 {
				continue
			}
			x.Severity = v.severity(x.Flows, Warn, Note)
			x.Inferred = "a device nearer than the other end made it"
			x.Next = "compare the TTL of the answer with that of the handshake"
			out = append(out, x)
		}
		return out
	}}

// minRTT is the smallest round trip between a stretch's ends that packets show, ns; 0 unknown.
func (v *Verdict) minRTT(s *Segment) int64 {
	for k, l := range v.Links {
		if l == s.Link && v.Clocks.Links[k] != nil && v.Clocks.Links[k].Known {
			return v.Clocks.Links[k].MinRTT
		}
	}
	return 0
}

// hasty finds a FIN or RST at c, coming from the stretch, that acknowledges data sent into the stretch less than half a
// round trip before.
func (v *Verdict) hasty(f *match.Flow, s *Segment, c int, rtt int64) (asked, answer, dt int64, ok bool) {
	in := arriving(f, c, s.other(c))
	if in < 0 {
		return 0, 0, 0, false
	}
	side := f.Sides[c]
	closing := [2]int64{v.State[f.ID-1].Ends[c].FIN[in], v.State[f.ID-1].Ends[c].RST[in]}
	slices.Sort(closing[:])
	for _, answer := range closing {
		if answer < 0 {
			continue
		}
		asked := lastData(side, uint32(answer), 1-in)
		if asked < 0 {
			continue
		}
		x, y := side.Cap.At(uint32(answer)), side.Cap.At(uint32(asked))
		d := int64(x.Time() - y.Time())
		// Acknowledging it, or (RST) reacting to it; half a round trip leaves room for the clocks' jitter.
		ok := !x.Is(flow.MarkNoTime) && d >= 0 && d < rtt/2 && int32(x.Ack-(y.Seq+y.Len())) >= 0 && x.Flags()&decode.ACK != 0
		return asked, answer, d, ok
	}
	return 0, 0, 0, false
}

// lastData is the place of the last data of a direction that a conversation holds before a place of its own; -1 for none.
func lastData(side *match.Side, before uint32, d int) int64 {
	from, _ := side.Cap.Span(side.Cap.ID(before))
	for i := before; i > from; i-- {
		x := side.Cap.At(i - 1)
		if x.Len() > 0 && x.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate|flow.MarkNoTime) == 0 && side.Dir(i-1) == d {
			return int64(i - 1)
		}
	}
	return -1
}
