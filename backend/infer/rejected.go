package infer

import (
	"fmt"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

var rejected = rule{Doc{ID: "rejected", weight: 96,
	Title:   "A device on the way says no",
	Meaning: "The other end never heard of it: a filter that rejects, or a router that knows no way, answered in its place. Unlike a silent drop the client learns it at once.",
	Sign:    "What never arrives at the next point is answered by an ICMP error from another address than the destination's, or by a RST that passed fewer routers than the destination's other packets.",
	Not:     "Where the destination itself refuses: a closed port.", Explains: []string{"loss"}},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			x := &Finding{Severity: Error, Confidence: 95, Segment: s}
			for _, f := range v.Flows {
				c, i, ok := v.rejection(s, f)
				if !ok {
					continue
				}
				x.Flows = append(x.Flows, f)
				field, value := refusalWords(v.At(c, uint32(i)))
				if len(x.Evidence) < evidenceMost {
					x.Evidence = append(x.Evidence, Evidence{c, i, field, value})
				}
				if x.Detail == "" {
					x.Detail = fmt.Sprintf("seen: %s is answered by %s (%s) and has no frame at %s", v.tuple(f, c), value, v.frame(c, i), v.point(s.other(c)))
					x.Inferred = fmt.Sprintf("the answer's sender stands between %s", v.stretch(s))
					x.Next = fmt.Sprintf("ask the owner of what stands between %s for the rule that rejects %s", v.stretch(s), v.tuple(f, c))
				}
			}
			if len(x.Flows) == 0 {
				continue
			}
			x.Title = fmt.Sprintf("a device between %s rejects %s", v.stretch(s), v.several(x.Flows))
			out = append(out, x)
		}
		return out
	}}

// rejection finds the frame by which a device on a stretch refuses a conversation that only one of its ends saw.
func (v *Verdict) rejection(s *Segment, f *match.Flow) (c int, i int64, ok bool) {
	for _, c := range []int{s.A, s.B} {
		side := f.Sides[c]
		if side == nil || f.Sides[s.other(c)] != nil {
			continue
		}
		if i := v.refusal(f, c); i >= 0 && v.At(c, uint32(i)).Opt != flow.ErrorByEnd && !side.Carries(1) && v.lies(s, c, i) {
			return c, i, true
		}
		st := v.State[f.ID-1]
		if i := st.Ends[c].RST[1]; st.Outcome == "refused" && st.ClosedBy == "middlebox" && i >= 0 && v.lies(s, c, i) {
			return c, i, true
		}
	}
	return 0, 0, false
}

// lies reports whether a frame was made on a stretch, as far as its fate tells.
func (v *Verdict) lies(s *Segment, c int, i int64) bool {
	w := v.Marks[c].At(uint32(i)).Where
	return w == 0 || int(w) == s.Index+1
}

// refusals are the codes of ICMP's destination unreachable that say no (RFC 792, RFC 1812 §5.2.7.1); 0 and 1 come from
// routers that know no way.
var refusals = map[uint16]string{0: "network unreachable", 1: "host unreachable", 2: "protocol unreachable", 3: "port unreachable",
	9: "network prohibited", 10: "host prohibited", 13: "prohibited"}

// refusalWords names what refuses, and the field that shows it.
func refusalWords(x *flow.Fact) (field, value string) {
	if !x.Is(flow.MarkError) {
		return "tcp.flags", FlagNames(x.Flags())
	}
	return "icmp.code", "ICMP " + refusals[x.Window]
}
