package infer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

var natFound = rule{Doc{ID: "nat", weight: 10,
	Title:   "Addresses are translated on the path",
	Meaning: "The same conversation has other addresses or ports at the next point; logs and filters there must name those.",
	Sign:    "Address or port of a conversation's tuple differs between the points.", Not: "Where a device ends TCP: its second connection has addresses of its own."},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			for _, b := range s.Boxes {
				switch b.Kind {
				case SourceNAT, DestinationNAT, DoubleNAT, PrefixNAT, NAT64, SIIT:
				default:
					continue
				}
				fs := b.Flows.in(v.Flows, len(v.Flows))
				x := &Finding{Severity: Note, Confidence: b.Confidence, Flows: fs, Segment: s, Evidence: slices.Clone(b.Evidence)}
				x.Title = fmt.Sprintf("%s between %s (%s)", kindWords[b.Kind], v.stretch(s), plural(len(fs), "conversation", "conversations"))
				if len(fs) > 0 {
					x.Detail = fmt.Sprintf("seen: %s is %s at %s", v.tuple(fs[0], s.A), v.tuple(fs[0], s.B), v.point(s.B))
				}
				x.Next = "look for the translated addresses in what lies behind"
				out = append(out, x)
			}
		}
		return out
	}}

var payloadRewritten = rule{Doc{ID: "payload-rewritten", weight: 15,
	Title:   "Payload bytes are rewritten on the path",
	Meaning: "An application gateway changes addresses inside SIP, FTP or other payloads so that they fit a translation. What it does not understand it may break.",
	Sign:    "Two packets with the same identification and place carry other bytes.", Not: "Where a device ends TCP, or the payload was cut."},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			for _, b := range s.Boxes {
				if b.Kind != Gateway {
					continue
				}
				fs := b.Flows.in(v.Flows, len(v.Flows))
				x := &Finding{Severity: Note, Confidence: b.Confidence, Flows: fs, Segment: s, Evidence: slices.Clone(b.Evidence)}
				x.Title = fmt.Sprintf("an application gateway between %s rewrites payloads (%s)", v.stretch(s), plural(len(fs), "conversation", "conversations"))
				x.Detail = "seen: " + v.rewriting(b.Evidence)
				x.Next = "if calls or transfers fail, switch the gateway (ALG) off and compare again"
				out = append(out, x)
			}
		}
		return out
	}}

// rewriting words the first text that differs between two frames of evidence that are counterparts.
func (v *Verdict) rewriting(ev []Evidence) string {
	for k := 0; k+1 < len(ev); k += 2 {
		a, ok := v.Caps[ev[k].Capture].Payload(uint32(ev[k].Frame))
		b, ok2 := v.Caps[ev[k+1].Capture].Payload(uint32(ev[k+1].Frame))
		if !ok || !ok2 || v.Caps[ev[k].Capture].Sealed != nil {
			continue
		}
		if x, y := differingWords(string(a), string(b)); x != "" || y != "" {
			return fmt.Sprintf("%s in %s is %s in %s", quoteText(x), v.frame(ev[k].Capture, ev[k].Frame), quoteText(y), v.frame(ev[k+1].Capture, ev[k+1].Frame))
		}
	}
	return "the payload of the same packet differs"
}

// differingWords are the first words of two texts that differ.
func differingWords(a, b string) (x, y string) {
	split := func(r rune) bool { return r <= ' ' || strings.ContainsRune("@<>;=\",", r) }
	p, q := strings.FieldsFunc(a, split), strings.FieldsFunc(b, split)
	for i := 0; i < min(len(p), len(q)); i++ {
		if p[i] != q[i] {
			return p[i], q[i]
		}
	}
	return "", ""
}

func quoteText(s string) string {
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return fmt.Sprintf("%q", s)
}

var directionAsymmetry = rule{Doc{ID: "direction-asymmetry", weight: 50,
	Title:   "Conversations opened from one side work, those from the other side fail",
	Meaning: "The path itself works both ways: a policy that knows who opens a connection makes the difference.",
	Sign:    "Between the same two hosts a conversation that one opened is ok and one that the other opened failed.", Not: "Where all that failed were opened from the same side as those that work."},
	func(v *Verdict) (out []*Finding) {
		// hosts are two, in whichever order.
		hosts := func(t flow.Tuple) [2]decode.Addr {
			if slices.Compare(t.Src[:], t.Dst[:]) > 0 {
				return [2]decode.Addr{t.Dst, t.Src}
			}
			return [2]decode.Addr{t.Src, t.Dst}
		}
		failing := map[[2]decode.Addr]bool{}
		for _, f := range v.Flows {
			if v.failed(f) {
				failing[hosts(f.Tuple(v.anywhere(f)))] = true
			}
		}
		if len(failing) == 0 {
			return nil
		}
		type pair struct{ a, b string }
		type sides struct{ ok, bad [2][]*match.Flow }
		by := map[pair]*sides{}
		var order []pair
		for n, f := range v.Flows {
			if f.Proto != flow.ProtoTCP && f.Proto != flow.ProtoUDP {
				continue
			}
			t := f.Tuple(v.anywhere(f))
			if !failing[hosts(t)] {
				continue
			}
			k, d := pair{addr(t.Version, t.Src), addr(t.Version, t.Dst)}, 0
			if k.a > k.b {
				k.a, k.b, d = k.b, k.a, 1
			}
			s := by[k]
			if s == nil {
				s = &sides{}
				by[k] = s
				order = append(order, k)
			}
			if v.failed(f) {
				s.bad[d] = append(s.bad[d], f)
			} else if o := v.State[n].Outcome; o == "ok" || o == "open" {
				s.ok[d] = append(s.ok[d], f)
			}
		}
		for _, k := range order {
			s := by[k]
			for d := 0; d < 2; d++ {
				if len(s.bad[d]) == 0 || len(s.ok[1-d]) == 0 || len(s.ok[d]) > 0 || len(s.bad[1-d]) > 0 {
					continue
				}
				bad, good := s.bad[d], s.ok[1-d]
				x := &Finding{Severity: Warn, Confidence: 85, Flows: append(slices.Clone(bad), good...)}
				x.Title = fmt.Sprintf("what %s opens to %s fails, what is opened the other way works", [2]string{k.a, k.b}[d], [2]string{k.b, k.a}[d])
				for _, f := range []*match.Flow{bad[0], good[0]} {
					for c := range v.Caps {
						if f.Sides[c] != nil {
							x.Evidence = append(x.Evidence, Evidence{c, v.first(f, c, 0), "corr.flow", fmt.Sprint(f.ID)})
						}
					}
				}
				x.Detail = fmt.Sprintf("seen: %s is %s, %s is %s", v.several(bad[:1]), v.State[bad[0].ID-1].Outcome, v.several(good[:1]), v.State[good[0].ID-1].Outcome)
				x.Inferred = "the path works; a rule about who may open connections, or what they may carry, makes the difference"
				x.Next = "compare the rules that the device applies to both directions"
				out = append(out, x)
			}
		}
		return out
	}}

var asymmetricPath = rule{Doc{ID: "asymmetric-path", weight: 12,
	Title:   "Requests and answers take different ways",
	Meaning: "A device that sees one direction only can't keep state, and a capture there shows half of the conversation.",
	Sign:    "The points that one direction passes are not those of the other, a capture holds one direction only of what works, or the number of routers between two points differs by direction.", Not: "Where a direction was seen nowhere."},
	func(v *Verdict) (out []*Finding) {
		x := &Finding{Severity: Note, Confidence: 90}
		for _, f := range v.twoWays() {
			p := f.Path[0]
			if len(x.Flows) == 0 {
				x.Detail = fmt.Sprintf("seen: %s passes %s, its answers %s", v.tuple(f, p[0]), v.path(f.Path[0]), v.path(f.Path[1]))
				for _, c := range p {
					x.Evidence = append(x.Evidence, Evidence{c, v.first(f, c, 0), "corr.path", v.path(f.Path[0])})
				}
				for _, c := range f.Path[1] {
					x.Evidence = append(x.Evidence, Evidence{c, v.first(f, c, 1), "corr.path", v.path(f.Path[1])})
				}
			}
			x.Flows = append(x.Flows, f)
		}
		if len(x.Flows) == 0 {
			return append(v.halfSeen(), v.unevenHops()...)
		}
		x.Title = fmt.Sprintf("requests and answers of %s take different ways", plural(len(x.Flows), "conversation", "conversations"))
		x.Next = "where a stateful device stands on one of the ways only, route both directions through it"
		return append([]*Finding{x}, v.unevenHops()...)
	}}

// halfSeen finds points that hold one direction only of nearly all conversations of which another point holds both.
func (v *Verdict) halfSeen() (out []*Finding) {
	for c := range v.Caps {
		var half []*match.Flow
		whole := 0
		x := &Finding{Severity: Note, Confidence: 80}
		for _, f := range v.Flows {
			s := f.Sides[c]
			if s == nil {
				continue
			}
			if v.answered(f, c) {
				whole++
				continue
			}
			other := slices.IndexFunc(f.Sides, func(o *match.Side) bool { return o != nil && o.Carries(0) && o.Carries(1) })
			missing := 0
			if s.Carries(0) {
				missing = 1
			}
			if other < 0 || s.Sees(missing) {
				continue
			}
			half = append(half, f)
			if len(half) == 1 {
				x.Detail = fmt.Sprintf("seen: of %s %s holds both directions, %s none of %s", v.tuple(f, c), v.point(other), v.point(c), [2]string{"what the client sends", "the answers"}[missing])
				x.Evidence = []Evidence{{c, v.first(f, c, 1-missing), "corr.fate", "delivered"}, {other, v.first(f, other, missing), "corr.fate", "elsewhere"}}
			}
		}
		if len(half) <= few || len(half) <= 9*whole {
			continue
		}
		x.Flows = half
		x.Title = fmt.Sprintf("%s sees one direction only of %s", v.point(c), plural(len(half), "conversation", "conversations"))
		x.Inferred = "the other direction takes another way, or what copies the packets for the recorder copies one direction"
		x.Next = "capture where both directions pass; have the mirror port copy both"
		out = append(out, x)
	}
	return out
}

// few is how many packets of a direction a recorder may have missed one and all.
const few = 2

// twoWays lists the conversations whose directions pass other points. Where a point lacks no more than few packets of a
// direction, its recorder may have missed them: these count where they are several with one server, and more than those of
// which the point has both directions.
func (v *Verdict) twoWays() (out []*match.Flow) {
	doubtful := map[*match.Flow][]int{}
	for _, f := range v.Flows {
		if !v.turns(f) {
			continue
		}
		out = append(out, f)
		if at, missed := lacks(f); missed {
			doubtful[f] = at
		}
	}
	if len(doubtful) == 0 {
		return out
	}
	type with struct {
		at     int
		server decode.Addr
	}
	short, whole := map[with]int{}, map[with]int{}
	for f, at := range doubtful {
		for _, c := range at {
			short[with{c, f.Tuple(c).Dst}]++
		}
	}
	for _, f := range v.Flows {
		for _, c := range f.Path[0] {
			if k := (with{c, f.Tuple(c).Dst}); short[k] > 0 && slices.Contains(f.Path[1], c) {
				whole[k]++
			}
		}
	}
	return slices.DeleteFunc(out, func(f *match.Flow) bool {
		at, is := doubtful[f]
		return is && !slices.ContainsFunc(at, func(c int) bool {
			k := with{c, f.Tuple(c).Dst}
			return short[k] > few && short[k] > whole[k]
		})
	})
}

// turns reports whether a conversation's answers pass other points than its requests.
func (v *Verdict) turns(f *match.Flow) bool {
	p, q := v.recorders(f.Path[0]), v.recorders(f.Path[1])
	slices.Reverse(q)
	return len(p) > 1 && len(q) > 1 && !slices.Equal(p, q)
}

// lacks lists the points that one direction of a conversation passes and the other doesn't; missed is true where the other
// one has few packets, so that it may be the recorder that missed them.
func lacks(f *match.Flow) (at []int, missed bool) {
	for d := 0; d < 2; d++ {
		for _, c := range f.Path[1-d] {
			if slices.Contains(f.Path[d], c) {
				continue
			}
			at = append(at, c)
			n := 0
			for _, o := range f.Path[d] {
				n = max(n, f.Sides[o].Count(d))
			}
			if n > few {
				return at, false
			}
		}
	}
	return at, len(at) > 0
}

func (v *Verdict) path(p []int) string {
	var out []string
	for _, c := range p {
		out = append(out, v.point(c))
	}
	return strings.Join(out, " > ")
}

// unevenHops finds stretches with another number of routers in one direction than in the other.
func (v *Verdict) unevenHops() (out []*Finding) {
	for _, s := range v.Segments {
		if v.Routers[s.A] || v.Routers[s.B] {
			continue // it sees one direction before it decrements, the other behind itself
		}
		var n [2]map[int]int
		n[0], n[1] = map[int]int{}, map[int]int{}
		var fs []*match.Flow
		v.each(s, func(f *match.Flow, j *match.Joint) {
			if j.Terminated || j.SynProxied || !j.HasTTL[0] || !j.HasTTL[1] || j.TTL[0] == -j.TTL[1] {
				return
			}
			fs = append(fs, f)
			for d := 0; d < 2; d++ {
				n[d][abs(j.TTL[d])]++
			}
		})
		if len(fs) == 0 || len(fs)*2 < s.Flows {
			continue
		}
		f := fs[0]
		x := &Finding{Severity: Note, Confidence: 80, Flows: fs, Segment: s, Title: fmt.Sprintf("%d routers in one direction between %s, %d in the other", mode(n[0]), v.stretch(s), mode(n[1]))}
		for d := 0; d < 2; d++ {
			for _, c := range []int{s.A, s.B} {
				if i := v.first(f, c, d); i >= 0 {
					x.Evidence = append(x.Evidence, Evidence{c, i, "ip.ttl", fmt.Sprint(v.At(c, uint32(i)).TTL)})
				}
			}
		}
		x.Detail = "seen: the TTL of packets and of their answers falls by another number"
		x.Next = "traceroute from both ends"
		out = append(out, x)
	}
	return out
}
