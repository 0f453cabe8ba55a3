package infer

import (
	"fmt"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

var synNotDelivered = rule{Doc{ID: "syn-not-delivered", weight: 95,
	Title:   "Connection attempts vanish on the path",
	Meaning: "The server never hears of them: a filter, a route to nowhere, or a full table drops them without a word.",
	Sign:    "All SYNs (or first datagrams) of a conversation are seen at one point and never at the next, whose capture was running.",
	Not:     "Where the next point does not lie on the path, was not recording, or its capture filter hides such packets; where an ICMP error or RST answers."},
	func(v *Verdict) []*Finding { return v.vanishing("blackholed", 0, "arrives at") }}

var synackNotDelivered = rule{Doc{ID: "synack-not-delivered", weight: 94,
	Title:   "The server answers and its answer vanishes on the path",
	Meaning: "The way to the server works, the way back does not: a filter that never saw the request (asymmetric routing), a missing route, or a device that has lost its state.",
	Sign:    "SYN/ACKs (or answers) are seen at the point nearer to the server and never at the next.",
	Not:     "Where the client's point was not recording, or the answer was lost once and came through later."},
	func(v *Verdict) []*Finding { return v.vanishing("blackholed-reply", 1, "comes back to") }}

// vanishing makes one finding a stretch of the conversations with an outcome, whose packets of direction d vanish there.
func (v *Verdict) vanishing(outcome string, d int, verb string) (out []*Finding) {
	for _, s := range v.Segments {
		x := &Finding{Severity: Error, Confidence: 90, Segment: s}
		far := ""
		for n, f := range v.Flows {
			if v.State[n].Outcome != outcome {
				continue
			}
			ev := v.lostOn(s, f, d)
			if len(ev) == 0 || v.mayBeTold(f, ev[0].Capture, d) {
				continue
			}
			if len(x.Flows) == 0 {
				c := ev[0].Capture
				what := "a datagram"
				if f.Proto == flow.ProtoTCP {
					what = FlagNames(v.At(c, uint32(ev[0].Frame)).Flags() &^ (decode.ECE | decode.CWR))
				}
				far = v.point(s.other(c))
				more := ""
				if len(ev) > 1 {
					more = fmt.Sprintf(" and %d more like it", len(ev)-1)
				}
				x.Detail = fmt.Sprintf("seen: %s of %s at %s%s; %s was recording and has none", what, v.tuple(f, c), v.frame(c, ev[0].Frame), more, far)
				x.Next = fmt.Sprintf("ask the owners of what stands between %s for drops of %s around %s UTC by the clock of %s", v.stretch(s), v.tuple(f, c), v.clockTime(c, ev[0].Frame), v.point(c))
			}
			x.Flows = append(x.Flows, f)
			if len(x.Evidence) < evidenceMost {
				x.Evidence = append(x.Evidence, ev[:min(len(ev), 2)]...)
			}
		}
		if len(x.Flows) == 0 {
			continue
		}
		x.Title = fmt.Sprintf("nothing of %s %s %s", v.several(x.Flows), verb, far)
		out = append(out, x)
	}
	return out
}

// errorsTo are the times of ICMP errors by the host that they go to, ascending.
type errorsTo map[decode.Addr][]capture.LocalTime

// toldWithin is how soon, ns, behind a packet an ICMP error may be about it: one that waited for an address to be resolved comes
// last (RFC 1122 §2.3.2.2).
const toldWithin = 3_000_000_000

// unquoted collects the ICMP errors of a capture of which the snaplen cut what tells their conversation.
func (v *Verdict) unquoted(c int) errorsTo {
	src := v.Caps[c]
	if !src.QuotesCut {
		return nil
	}
	out := errorsTo{}
	for id := range src.Convs {
		id := flow.ConvID(id)
		proto := src.Conv(id).Proto
		if flow.Versionless(proto) != flow.ProtoICMP {
			continue
		}
		for i := range flow.UpTo(src.Span(id)) {
			if x := src.At(i); x.Is(flow.MarkError) || x.LacksQuote(proto) {
				to := src.Tuple(id, x.Dir()).Dst
				out[to] = append(out[to], x.Time())
			}
		}
	}
	for _, l := range out {
		slices.Sort(l)
	}
	return out
}

// mayBeTold reports whether an ICMP error that c holds may be about a flow's direction d.
func (v *Verdict) mayBeTold(f *match.Flow, c, d int) bool {
	told := v.told[c]()
	if len(told) == 0 {
		return false
	}
	side := f.Sides[c]
	for k, id := range side.Convs {
		l := told[side.Cap.Tuple(id, d^side.Forward[k]).Src]
		for i := range flow.UpTo(side.Cap.Span(id)) {
			x := side.Cap.At(i)
			if side.Dir(i) != d {
				continue
			}
			if n, _ := slices.BinarySearch(l, x.Time()); n < len(l) && l[n] <= x.Time()+toldWithin {
				return true
			}
		}
	}
	return false
}

// lostOn lists a flow's frames of a direction that were lost (or ended by a device) on a stretch.
func (v *Verdict) lostOn(s *Segment, f *match.Flow, d int) (ev []Evidence) {
	for _, c := range []int{s.A, s.B} {
		side := f.Sides[c]
		if side == nil {
			continue
		}
		if n := &v.State[f.ID-1].fates[c][d]; n[FateLost] == 0 && n[FateConsumed] == 0 {
			continue
		}
		for _, id := range side.Convs {
			for i := range flow.UpTo(side.Cap.Span(id)) {
				x := side.Cap.At(i)
				m := v.Marks[c].At(i)
				if side.Dir(i) == d && !x.Is(flow.MarkError) && (m.Fate == FateLost || m.Fate == FateConsumed) && int(m.Where) == s.Index+1 && len(ev) < 64 {
					ev = append(ev, Evidence{c, int64(i), "corr.fate", m.Fate.String()})
				}
			}
		}
	}
	return ev
}

var largePacketsLost = rule{Doc{ID: "large-packets-lost", weight: 93,
	Title:    "Large packets vanish, small ones pass",
	Meaning:  "The path's MTU is smaller than the sender believes, and the ICMP error that should tell it does not arrive (RFC 2923 §2.1): connections open, then hang at the first full segment.",
	Sign:     "In one direction of a conversation every segment above a size is lost at each try, and smaller ones arrive.",
	Not:      "Where losses hit all sizes alike.",
	Explains: []string{"message-not-delivered", "loss"}},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			x := &Finding{Severity: Error, Confidence: 92, Segment: s}
			for n, f := range v.Flows {
				if v.State[n].Outcome != "blackholed-large" {
					continue
				}
				for d := 0; d < 2; d++ {
					ev := v.lostOn(s, f, d)
					if len(ev) < 3 {
						continue
					}
					c := ev[0].Capture
					least := v.Caps[c].FrameLen(uint32(ev[0].Frame))
					for _, e := range ev {
						least = min(least, v.Caps[c].FrameLen(uint32(e.Frame)))
					}
					if len(x.Flows) == 0 {
						told := "no ICMP error tells the sender"
						if v.toldTooBig(f, c) {
							told = "an ICMP error tells the sender, which goes on nevertheless"
						}
						x.Title = fmt.Sprintf("packets of %d bytes and more vanish between %s, smaller ones pass", least, v.stretch(s))
						x.Detail = fmt.Sprintf("seen: %d tries of %s lost, from %s on; %s", len(ev), v.tuple(f, c), v.frame(c, ev[0].Frame), told)
						x.Inferred = "the path's MTU is smaller than the sender believes"
						x.Next = "let ICMP type 3 code 4 (IPv6: type 2) pass, or clamp the MSS at the device; verify: ping with DF and that size"
					}
					x.Flows = append(x.Flows, f)
					if len(x.Evidence) < evidenceMost {
						x.Evidence = append(x.Evidence, ev[:min(len(ev), 3)]...)
					}
				}
			}
			if len(x.Flows) > 0 {
				out = append(out, x)
			}
		}
		return out
	}}

// toldTooBig reports whether an ICMP error about the flow says that a packet was too big (RFC 1191, RFC 8201).
func (v *Verdict) toldTooBig(f *match.Flow, c int) bool {
	side := f.Sides[c]
	for _, id := range side.Convs {
		for i := range flow.UpTo(side.Cap.Span(id)) {
			if x := side.Cap.At(i); x.Is(flow.MarkError) && x.Flags() == 3 && x.Window == 4 {
				return true
			}
		}
	}
	return false
}

var rstInjected = rule{Doc{ID: "rst-injected", weight: 98,
	Title:    "A device broke the connection with forged resets",
	Meaning:  "Neither end sent the RST: a device between them (intrusion prevention, content filter) did, in their names.",
	Sign:     "A RST is seen at one point and never left the end that it seems to come from.",
	Not:      "Where the RST is seen at both points, or the device ends TCP itself.",
	Explains: []string{"close-contradiction", "message-not-delivered", "loss"}},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			x := &Finding{Severity: Error, Confidence: 95, Segment: s}
			v.each(s, func(f *match.Flow, j *match.Joint) {
				st := v.State[f.ID-1]
				if st.Outcome != "reset-by-middlebox" {
					return
				}
				for _, c := range []int{s.A, s.B} {
					for d := 0; d < 2; d++ {
						i := st.Ends[c].RST[d]
						if i < 0 || v.Marks[c].At(uint32(i)).Fate != FateInjected || int(v.Marks[c].At(uint32(i)).Where) != s.Index+1 {
							continue
						}
						y := v.At(c, uint32(i))
						if len(x.Evidence) < evidenceMost {
							x.Evidence = append(x.Evidence, Evidence{c, i, "tcp.flags.reset", "1"})
						}
						if n := len(x.Flows); n == 0 || x.Flows[n-1] != f {
							x.Flows = append(x.Flows, f)
						}
						if x.Detail == "" {
							x.Detail = fmt.Sprintf("seen: RST %s (TTL %d, IP ID 0x%04x) has no counterpart at %s%s", v.frame(c, i), y.TTL, y.IPID, v.point(s.other(c)), v.usualTTL(f, c, d, y))
							x.Next = fmt.Sprintf("ask the owner of what stands between %s for its record of %s around %s UTC by the clock of %s", v.stretch(s), v.tuple(f, c), v.clockTime(c, i), v.point(c))
						}
					}
				}
			})
			if len(x.Flows) == 0 {
				continue
			}
			x.Title = fmt.Sprintf("%s between %s broke %s with forged resets: %s", s.device(ResetInjector), v.stretch(s), plural(len(x.Flows), "conversation", "conversations"), v.several(x.Flows))
			out = append(out, x)
		}
		return out
	}}

// usualTTL words how a frame's TTL stands out of its direction's others.
func (v *Verdict) usualTTL(f *match.Flow, c, d int, y *flow.Fact) string {
	side := f.Sides[c]
	for _, id := range side.Convs {
		for i := range flow.UpTo(side.Cap.Span(id)) {
			x := side.Cap.At(i)
			if side.Dir(i) == d && x.Mark&(flow.MarkError|flow.MarkDuplicate) == 0 && x.TTL != y.TTL {
				return fmt.Sprintf("; the same sender's other packets have TTL %d (%s)", x.TTL, v.frame(c, int64(i)))
			}
		}
	}
	return ""
}
