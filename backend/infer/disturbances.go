package infer

import (
	"fmt"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

var lossFound = rule{Doc{ID: "loss", weight: 30,
	Title:   "Packets are lost on a stretch",
	Meaning: "TCP repairs it at the price of time; what matters is how many, and whether in one direction only.",
	Sign:    "Packets of conversations that pass both points are seen at one and not at the next, whose capture was running.", Not: "What a filter, a tunnel's MTU or the recorder explains."},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			for d := 0; d < 2; d++ {
				if s.Lost[d] == 0 {
					continue
				}
				from, to := s.A, s.B
				if d == 1 {
					from, to = to, from
				}
				x := &Finding{Severity: Note, Confidence: 90, Segment: s}
				x.Title = fmt.Sprintf("%d of %d packets from %s are lost before %s (%.1f %%)", s.Lost[d], s.Sent[d], v.point(from), v.point(to), 100*float64(s.Lost[d])/float64(s.Sent[d]))
				for _, f := range v.Flows {
					if f.Sides[from] == nil || f.Joint(s.A, s.B) == nil {
						continue
					}
					n := len(x.Evidence)
					for dir := 0; dir < 2; dir++ {
						for _, e := range v.lostOn(s, f, dir) {
							if e.Capture == from && v.Marks[from].At(uint32(e.Frame)).Fate == FateLost && len(x.Evidence) < evidenceMost {
								x.Evidence = append(x.Evidence, e)
							}
						}
					}
					if len(x.Evidence) > n {
						x.Flows = append(x.Flows, f)
					}
					if len(x.Evidence) >= evidenceMost {
						break
					}
				}
				if len(x.Evidence) == 0 {
					continue
				}
				x.Detail = fmt.Sprintf("seen: %s and others have no counterpart at %s", v.frame(x.Evidence[0].Capture, x.Evidence[0].Frame), v.point(to))
				x.Next = "look at the interface counters of what stands between"
				out = append(out, x)
			}
		}
		return out
	}}

var reorderingFound = rule{Doc{ID: "reordering", weight: 14,
	Title:   "Packets overtake each other on a stretch",
	Meaning: "Parallel links or queues; TCP may take it for loss when it is far enough.",
	Sign:    "Packets of one conversation and direction arrive in another order than they left in.", Not: "Disorder of less than 10 µs, which a capturing host's queues make themselves."},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			for _, x := range v.overtaking(s) {
				if x != nil {
					out = append(out, x)
				}
			}
		}
		return out
	}}

// ownDisorder is the disorder that a capturing host may make itself, ns.
const ownDisorder = 10_000

// overtaking looks at the stretch's packets toward B and toward A.
func (v *Verdict) overtaking(s *Segment) (out [2]*Finding) {
	type state struct {
		sent, arrived int64
		at            uint32
		seen          bool
	}
	last := map[*match.Flow][2]state{} // both ways
	var fl *match.Flow                 // the flow at hand, its state, and which way its directions go: 0, 1 or, not known, -1
	var at [2]state
	var ways [2]int
	var n, all [2]int
	ends := [2][2]int{{s.A, s.B}, {s.B, s.A}}
	for d := range out {
		out[d] = &Finding{Severity: Note, Confidence: 95, Segment: s}
	}
	flows := v.Lookup(s.A)
	s.Link.Each(func(p match.Pair) {
		if p.How != match.HowIdentity && p.How != match.HowUnique {
			return
		}
		i := [2]uint32{p.A, p.B}
		if s.Link.A != s.A {
			i = [2]uint32{p.B, p.A}
		}
		y := [2]*flow.Fact{v.At(s.A, i[0]), v.At(s.B, i[1])}
		f := flows.Flow(i[0])
		if f == nil {
			return
		}
		if f != fl {
			if fl != nil && len(fl.Sides[s.Link.A].Convs) > 1 { // others come only once
				last[fl] = at
			}
			fl, at = f, last[f]
			for dir := range ways {
				toB, known := v.Toward(f, dir, s.A, s.B)
				switch {
				case !known:
					ways[dir] = -1
				case toB:
					ways[dir] = 0
				default:
					ways[dir] = 1
				}
			}
		}
		d := ways[f.Sides[s.A].Dir(i[0])]
		if d < 0 || y[d].Mark&(flow.MarkNoTime|flow.MarkError) != 0 {
			return
		}
		all[d]++
		o := &at[d]
		now := state{int64(y[d].Time()), int64(y[1-d].Time()), i[d], true}
		if o.seen && now.sent > o.sent+ownDisorder && now.arrived < o.arrived-ownDisorder {
			n[d]++
			x := out[d]
			if len(x.Evidence) < evidenceMost {
				x.Evidence = append(x.Evidence, Evidence{ends[d][0], int64(i[d]), "corr.delay", "overtakes " + v.frame(ends[d][0], int64(o.at))},
					Evidence{ends[d][1], int64(i[1-d]), "corr.delay", "arrives before it"})
			}
			if len(x.Flows) == 0 || x.Flows[len(x.Flows)-1] != f {
				x.Flows = append(x.Flows, f)
			}
		}
		if !o.seen || now.arrived > o.arrived {
			*o = now
		}
	})
	for d, x := range out {
		if n[d] == 0 {
			out[d] = nil
			continue
		}
		from, to := ends[d][0], ends[d][1]
		x.Title = fmt.Sprintf("%d of %d packets overtake others between %s and %s", n[d], all[d], v.point(from), v.point(to))
		x.Detail = fmt.Sprintf("seen: %s %s", v.frame(from, x.Evidence[0].Frame), x.Evidence[0].Value)
		x.Next = "look for links or queues in parallel on the stretch"
	}
	return out
}

var duplicatesFound = rule{Doc{ID: "duplicates", weight: 13,
	Title:   "Frames stand in a capture more than once",
	Meaning: "A SPAN port that mirrors both directions of two interfaces, or a capture on several interfaces, shows each packet twice. The network did not send it twice.",
	Sign:    "A frame with all the same numbers, identification included, follows within 20 ms.", Not: "Retransmissions: they carry another identification."},
	func(v *Verdict) (out []*Finding) {
		for c, src := range v.Caps {
			if !src.Copies {
				continue
			}
			x := &Finding{Severity: Note, Confidence: 97}
			n := 0
			for i := range v.Marks[c] {
				if src.At(uint32(i)).Is(flow.MarkDuplicate) {
					n++
					if len(x.Evidence) < evidenceMost {
						x.Evidence = append(x.Evidence, Evidence{c, int64(i), "corr.fate", "duplicate"})
					}
				}
			}
			if n == 0 {
				continue
			}
			x.Title = fmt.Sprintf("%s holds %s of earlier ones", v.point(c), plural(n, "frame that is a copy", "frames that are copies"))
			x.Detail = fmt.Sprintf("seen: %s and others repeat a frame just before, identification and all", v.frame(c, x.Evidence[0].Frame))
			x.Inferred = "the recorder's place makes them, not the network"
			x.Next = "filter: corr.fate != \"duplicate\""
			out = append(out, x)
		}
		return out
	}}

var offloadArtefact = rule{Doc{ID: "offload-artefact", weight: 40,
	Title:   "Frames larger than the path allows are the recorder's doing",
	Meaning: "The host's network card splits and joins segments (TSO, GRO, LRO); a capture on that host shows them whole. They were never on the wire like that, and are no cause of anything.",
	Sign:    "Segments larger than the MSS that the receiver announced, acknowledged like any other.", Not: "Where no segment is above the MSS."},
	func(v *Verdict) (out []*Finding) {
		for c := range v.Caps {
			x := &Finding{Severity: Note, Confidence: 95}
			n := 0
			for k, f := range v.Flows {
				if f.Proto != flow.ProtoTCP || f.Sides[c] == nil {
					continue
				}
				had := false
				for d := 0; d < 2; d++ {
					// What direction d may send at once is what the other side announced.
					h := v.Handshake(f, c, 1-d)
					if h == nil || h.MSS < 0 || v.State[k].Ends[c].Longest[d] <= uint32(h.MSS) {
						continue
					}
					side := f.Sides[c]
					for _, id := range side.Convs {
						for i := range flow.UpTo(side.Cap.Span(id)) {
							y := side.Cap.At(i)
							if side.Dir(i) != d || y.Len() <= uint32(h.MSS) || y.Mark&(flow.MarkError|flow.MarkLater) != 0 {
								continue
							}
							n++
							had = true
							if len(x.Evidence) < evidenceMost {
								x.Evidence = append(x.Evidence, Evidence{c, int64(i), "tcp.len", fmt.Sprint(y.Len())})
								if x.Detail == "" {
									x.Detail = fmt.Sprintf("seen: %s carries %d bytes, the receiver announced an MSS of %d", v.frame(c, int64(i)), y.Len(), h.MSS)
								}
							}
						}
					}
				}
				if had {
					x.Flows = append(x.Flows, f)
				}
			}
			if n == 0 {
				continue
			}
			x.Title = fmt.Sprintf("%s larger than the MSS at %s: segmentation offload, no cause", plural(n, "frame is", "frames are"), v.point(c))
			x.Inferred = "the capturing host's card splits or joins them; on the wire they had normal size"
			x.Next = "verify on that host: ethtool -k IFACE (Linux), netsh int ipv4 show offload (Windows)"
			out = append(out, x)
		}
		return out
	}}
