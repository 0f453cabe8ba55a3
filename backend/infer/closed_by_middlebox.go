package infer

import (
	"fmt"
	"strings"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/match"
)

var closedByMiddlebox = rule{Doc{ID: "closed-by-middlebox", weight: 100,
	Title:    "A device on the path ended the connection",
	Meaning:  "Neither end closed: the device did, in each end's name. At either end it looks as if the other had.",
	Sign:     "On a stretch where TCP is ended in between, the first FIN or RST comes from the device at both points.",
	Not:      "Where one end's FIN or RST is seen to leave it before any comes back.",
	Explains: []string{"close-contradiction", "answer-too-fast", "message-not-delivered"}},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			var fs []*match.Flow
			v.each(s, func(f *match.Flow, j *match.Joint) {
				if v.State[f.ID-1].Outcome == "closed-by-middlebox" && j.Terminated {
					fs = append(fs, f)
				}
			})
			if len(fs) == 0 {
				continue
			}
			x := &Finding{Severity: Error, Confidence: 95, Flows: fs, Segment: s}
			x.Title = fmt.Sprintf("%s between %s ended %s: %s", s.device(TransparentProxy, Proxy), v.stretch(s), plural(len(fs), "conversation", "conversations"), v.several(fs))
			f := fs[0]
			for _, f := range fs[:min(len(fs), 3)] {
				for _, c := range []int{s.A, s.B} {
					x.Evidence = append(x.Evidence, v.closerEvidence(f, c)...)
				}
			}
			at, when := s.B, v.closerOf(f, s.B)
			if when < 0 { // that capture ended before
				at, when = s.A, v.closerOf(f, s.A)
			}
			if when < 0 {
				continue
			}
			var closes []string
			for _, c := range []int{s.A, s.B} {
				if i := v.closerOf(f, c); i >= 0 {
					closes = append(closes, v.closing(f, c)+" closes at "+v.frame(c, i))
				}
			}
			if x.Detail = strings.Join(closes, ", ") + "; both come from the device"; len(closes) == 1 {
				x.Detail = closes[0] + " and comes from the device"
			}
			what := v.tuple(f, s.B)
			if front := v.tuple(f, s.A); front != what {
				what += " (in front of it " + front + ")"
			}
			x.Next = fmt.Sprintf("ask the owner of the device for its drop log of %s around %s UTC by the clock of %s", what, v.clockTime(at, when), v.point(at))
			out = append(out, x)
		}
		return out
	}}

// closerOf is the first FIN or RST of a flow at a capture, -1 for none.
func (v *Verdict) closerOf(f *match.Flow, c int) int64 {
	_, _, i := v.State[f.ID-1].Ends[c].closer()
	return i
}

// closing names the flags of the first FIN or RST at a capture.
func (v *Verdict) closing(f *match.Flow, c int) string {
	i := v.closerOf(f, c)
	if i < 0 {
		return "nothing"
	}
	return FlagNames(v.At(c, uint32(i)).Flags() & (decode.FIN | decode.RST))
}

func (v *Verdict) closerEvidence(f *match.Flow, c int) []Evidence {
	i := v.closerOf(f, c)
	if i < 0 {
		return nil
	}
	if v.At(c, uint32(i)).Flags()&decode.RST != 0 {
		return []Evidence{{c, i, "tcp.flags.reset", "1"}}
	}
	return []Evidence{{c, i, "tcp.flags.fin", "1"}}
}

var closeContradiction = rule{Doc{ID: "close-contradiction", weight: 60,
	Title:   "Each end sees the other close first",
	Meaning: "Both captures are right: whoever closed stands between them.",
	Sign:    "At the point nearer to the client the first FIN or RST comes from the server's side, at the point nearer to the server from the client's side.",
	Not:     "Where the two are one packet each way of a simultaneous close: then each is delivered to the other point; where a proxy had passed everything on."},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			x := &Finding{Severity: Warn, Confidence: 95, Segment: s}
			v.each(s, func(f *match.Flow, j *match.Joint) {
				if j.Terminated && v.State[f.ID-1].Outcome == "ok" {
					return // a proxy closes both connections once everything is through
				}
				da, _, a := v.State[f.ID-1].Ends[s.A].closer()
				db, _, b := v.State[f.ID-1].Ends[s.B].closer()
				if a < 0 || b < 0 || da == db {
					return
				}
				// At A the closer must come from B's side, at B from A's.
				if fromB, ok := v.Toward(f, da, s.B, s.A); !ok || !fromB {
					return
				}
				if v.Marks[s.A].At(uint32(a)).Fate == FateDelivered && !j.Terminated || v.Marks[s.B].At(uint32(b)).Fate == FateDelivered && !j.Terminated {
					return
				}
				if len(x.Flows) == 0 {
					x.Detail = fmt.Sprintf("seen: at %s the %s of the other side (%s) comes first, at %s too (%s)", v.point(s.A), v.closing(f, s.A), v.frame(s.A, a), v.point(s.B), v.frame(s.B, b))
				}
				x.Flows = append(x.Flows, f)
				if len(x.Evidence) < evidenceMost {
					x.Evidence = append(x.Evidence, v.closerEvidence(f, s.A)...)
					x.Evidence = append(x.Evidence, v.closerEvidence(f, s.B)...)
				}
			})
			if len(x.Flows) == 0 {
				continue
			}
			x.Title = fmt.Sprintf("at %s it looks as if %s's side had closed, at %s as if %s's side had", v.point(s.A), v.point(s.B), v.point(s.B), v.point(s.A))
			x.Inferred = "neither end closed: a device between them did"
			x.Next = "believe neither capture alone when somebody is blamed for the close"
			out = append(out, x)
		}
		return out
	}}
