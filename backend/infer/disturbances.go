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
							if e.Capture == from && v.Marks[from][e.Frame].Fate == FateLost && len(x.Evidence) < evidenceMost {
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
			for d := 0; d < 2; d++ {
				if x := v.overtaking(s, d); x != nil {
					out = append(out, x)
				}
			}
		}
		return out
	}}

// ownDisorder is the disorder that a capturing host may make itself, ns.
const ownDisorder = 10_000

// overtaking looks at the stretch's packets toward B (d 0) or toward A (d 1).
func (v *Verdict) overtaking(s *Segment, d int) *Finding {
	from, to := s.A, s.B
	if d == 1 {
		from, to = to, from
	}
	type state struct {
		sent, arrived int64
		at            uint32
	}
	last := map[*match.Flow]state{}
	var fl *match.Flow // the flow at hand, its state, and whether its directions come this way
	var o state
	var seen bool
	var comes [2]bool
	x := &Finding{Severity: Note, Confidence: 95, Segment: s}
	n, all := 0, 0
	s.Link.Each(func(p match.Pair) {
		a, b := p.A, p.B
		if s.Link.A != s.A {
			a, b = b, a
		}
		i, k := a, b
		if d == 1 {
			i, k = b, a
		}
		if p.How != match.HowIdentity && p.How != match.HowUnique {
			return
		}
		f := v.Flow(from, v.At(from, i))
		y, z := v.At(from, i), v.At(to, k)
		if f == nil || y.Mark&(flow.MarkNoTime|flow.MarkError) != 0 {
			return
		}
		if f != fl {
			if fl != nil && seen && len(fl.Sides[s.Link.A].Convs) > 1 { // others come only once
				last[fl] = o
			}
			fl = f
			o, seen = last[f]
			for dir := range comes {
				ok, known := v.Toward(f, dir, from, to)
				comes[dir] = ok && known
			}
		}
		if !comes[f.Sides[from].Dir(y)] {
			return
		}
		all++
		now := state{int64(y.Time), int64(z.Time), i}
		if seen && now.sent > o.sent+ownDisorder && now.arrived < o.arrived-ownDisorder {
			n++
			if len(x.Evidence) < evidenceMost {
				x.Evidence = append(x.Evidence, Evidence{from, int64(i), "corr.delay", "overtakes " + v.frame(from, int64(o.at))}, Evidence{to, int64(k), "corr.delay", "arrives before it"})
			}
			if len(x.Flows) == 0 || x.Flows[len(x.Flows)-1] != f {
				x.Flows = append(x.Flows, f)
			}
		}
		if !seen || now.arrived > o.arrived {
			o, seen = now, true
		}
	})
	if n == 0 {
		return nil
	}
	x.Title = fmt.Sprintf("%d of %d packets overtake others between %s and %s", n, all, v.point(from), v.point(to))
	x.Detail = fmt.Sprintf("seen: %s %s", v.frame(from, x.Evidence[0].Frame), x.Evidence[0].Value)
	x.Next = "look for links or queues in parallel on the stretch"
	return x
}

var duplicatesFound = rule{Doc{ID: "duplicates", weight: 13,
	Title:   "Frames stand in a capture more than once",
	Meaning: "A SPAN port that mirrors both directions of two interfaces, or a capture on several interfaces, shows each packet twice. The network did not send it twice.",
	Sign:    "A frame with all the same numbers, identification included, follows within 20 ms.", Not: "Retransmissions: they carry another identification."},
	func(v *Verdict) (out []*Finding) {
		for c, src := range v.Caps {
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
			for _, f := range v.Flows {
				if f.Proto != flow.ProtoTCP || f.Sides[c] == nil {
					continue
				}
				had := false
				for d := 0; d < 2; d++ {
					// What direction d may send at once is what the other side announced.
					h := v.Handshake(f, c, 1-d)
					if h == nil || h.MSS < 0 {
						continue
					}
					side := f.Sides[c]
					for _, id := range side.Convs {
						for i := range flow.UpTo(side.Cap.Span(id)) {
							y := side.Cap.At(i)
							if side.Dir(y) != d || y.Len <= uint32(h.MSS) || y.Mark&(flow.MarkError|flow.MarkLater) != 0 {
								continue
							}
							n++
							had = true
							if len(x.Evidence) < evidenceMost {
								x.Evidence = append(x.Evidence, Evidence{c, int64(i), "tcp.len", fmt.Sprint(y.Len)})
								if x.Detail == "" {
									x.Detail = fmt.Sprintf("seen: %s carries %d bytes, the receiver announced an MSS of %d", v.frame(c, int64(i)), y.Len, h.MSS)
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
