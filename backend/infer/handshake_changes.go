package infer

import (
	"fmt"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// handshakeRule makes a rule about what differs between a SYN or SYN/ACK on both sides of a stretch, before and after as
// it travels. diff gives the field's values; ok false: no difference.
func handshakeRule(doc Doc, field, title string, diff func(before, after *flow.Handshake, x, y *flow.Fact) (a, b string, ok bool)) rule {
	return rule{doc, func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			x := &Finding{Severity: Note, Confidence: 98, Segment: s}
			first := ""
			v.each(s, func(f *match.Flow, j *match.Joint) {
				found := false
				for d := 0; d < 2; d++ {
					from, to, ok := v.travel(f, d, s)
					h, g := v.Handshake(f, from, d), v.Handshake(f, to, d)
					if !ok || h == nil || g == nil {
						continue
					}
					before := h.Fact
					if !j.Terminated && !j.SynProxied {
						// The SYN that arrived may be another transmission than the first one sent.
						if before, ok = v.counterpart(s, to, g.Fact); !ok {
							continue
						}
					}
					a, b, differ := diff(h, g, v.At(from, before), v.At(to, g.Fact))
					if !differ {
						continue
					}
					found = true
					if first == "" {
						first = fmt.Sprintf("%s %s has %s, %s has %s", []string{"SYN", "SYN/ACK"}[d], v.frame(from, int64(before)), a, v.frame(to, int64(g.Fact)), b)
					}
					if len(x.Evidence) < evidenceMost {
						x.Evidence = append(x.Evidence, Evidence{from, int64(before), field, a}, Evidence{to, int64(g.Fact), field, b})
					}
				}
				if found {
					x.Flows = append(x.Flows, f)
				}
			})
			if len(x.Flows) == 0 {
				continue
			}
			x.Title = fmt.Sprintf("%s between %s (%s)", title, v.stretch(s), plural(len(x.Flows), "conversation", "conversations"))
			x.Detail = first
			x.Next = "harmless by itself; it shows that a device touches the handshake"
			out = append(out, x)
		}
		return out
	}}
}

// counterpart is the frame at a stretch's other end that a frame of c is matched with.
func (v *Verdict) counterpart(s *Segment, c int, i uint32) (uint32, bool) {
	peers := s.Link.Peers(c, i, nil)
	switch {
	case len(peers) == 0:
		return 0, false
	case c == s.Link.A:
		return peers[0].B, true
	}
	return peers[0].A, true
}

func number(n int) string {
	if n < 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

var wscaleChanged = handshakeRule(Doc{ID: "wscale-changed", weight: 20,
	Title:   "The window scale is another one behind the device",
	Meaning: "A sender reads the receiver's window with the scale that it was told; a device that changes it must rewrite every window.",
	Sign:    "The window scale option (RFC 7323) of a SYN or SYN/ACK differs between the points.", Not: "Where the handshake was seen at one point only."},
	"tcp.options.wscale.shift", "the window scale is changed",
	func(h, g *flow.Handshake, _, _ *flow.Fact) (string, string, bool) {
		return number(int(h.WScale)), number(int(g.WScale)), h.WScale != g.WScale
	})

var mssChanged = handshakeRule(Doc{ID: "mss-changed", weight: 22,
	Title:   "The maximum segment size is another one behind the device",
	Meaning: "Usually wanted: a smaller MSS keeps segments below the MTU of a tunnel ahead.",
	Sign:    "The MSS option of a SYN or SYN/ACK differs between the points.", Not: "Where the handshake was seen at one point only."},
	"tcp.options.mss_val", "the MSS is changed",
	func(h, g *flow.Handshake, _, _ *flow.Fact) (string, string, bool) {
		return number(int(h.MSS)), number(int(g.MSS)), h.MSS != g.MSS
	})

var sackChanged = handshakeRule(Doc{ID: "sack-changed", weight: 21,
	Title:   "Selective acknowledgements are permitted on one side of the device only",
	Meaning: "Without SACK (RFC 2018) losses cost more round trips.",
	Sign:    "The SACK-permitted option of a SYN or SYN/ACK is there at one point and not at the other.", Not: "Where the handshake was seen at one point only."},
	"tcp.options.sack_perm", "the SACK-permitted option is changed",
	func(h, g *flow.Handshake, _, _ *flow.Fact) (string, string, bool) {
		return present(h.SACKPerm), present(g.SACKPerm), h.SACKPerm != g.SACKPerm
	})

var timestampsChanged = handshakeRule(Doc{ID: "timestamps-changed", weight: 19,
	Title:   "TCP timestamps are used on one side of the device only, or are other ones",
	Meaning: "Without timestamps (RFC 7323) old segments can't be told from new ones at high rates, and round trips are measured less well.",
	Sign:    "The timestamps option of a SYN or SYN/ACK is there at one point and not at the other, or carries another value.", Not: "Where the handshake was seen at one point only."},
	"tcp.options.timestamp.tsval", "TCP timestamps are changed",
	func(h, g *flow.Handshake, x, y *flow.Fact) (string, string, bool) {
		if h.HasTS && g.HasTS {
			return fmt.Sprint(x.TSval), fmt.Sprint(y.TSval), x.TSval != y.TSval
		}
		return present(h.HasTS), present(g.HasTS), h.HasTS != g.HasTS
	})

var ecnStripped = handshakeRule(Doc{ID: "ecn-stripped", weight: 23,
	Title:   "ECN is negotiated at one point and gone at the next",
	Meaning: "A device that rebuilds or cleans TCP flags took the offer of explicit congestion notification (RFC 3168 §6.1.1) away.",
	Sign:    "A SYN with ECE and CWR, or a SYN/ACK with ECE, arrives without.", Not: "Where the sender offered none."},
	"tcp.flags.ece", "the offer of ECN is taken away",
	func(_, _ *flow.Handshake, x, y *flow.Fact) (string, string, bool) {
		const ecn = decode.ECE | decode.CWR
		return FlagNames(x.Flags), FlagNames(y.Flags), x.Flags&ecn != 0 && y.Flags&ecn == 0
	})

var optionRemoved = handshakeRule(Doc{ID: "option-removed", weight: 18,
	Title:   "A TCP option that was sent does not arrive",
	Meaning: "Some devices strip options that they do not know: multipath TCP, fast open and experiments fail silently.",
	Sign:    "A kind of option other than MSS, window scale, SACK and timestamps, which have findings of their own, is there at one point and not at the next.", Not: "Padding (NOP, EOL)."},
	"tcp.options", "a TCP option is removed",
	func(h, g *flow.Handshake, _, _ *flow.Fact) (string, string, bool) {
		have := map[uint8]bool{0: true, 1: true, 2: true, 3: true, 4: true, 8: true}
		for _, k := range g.Kinds[:min(int(g.NKinds), len(g.Kinds))] {
			have[k] = true
		}
		gone := ""
		for _, k := range h.Kinds[:min(int(h.NKinds), len(h.Kinds))] {
			if !have[k] {
				gone = OptionName(k)
			}
		}
		return gone, "none", gone != ""
	})

func present(b bool) string {
	if b {
		return "present"
	}
	return "absent"
}

var isnRewritten = handshakeRule(Doc{ID: "isn-rewritten", weight: 25,
	Title:   "Initial sequence numbers are other ones behind the device",
	Meaning: "A device ends TCP, answers SYNs itself, or randomises sequence numbers. Selective acknowledgements must be rewritten with them, which some devices forget.",
	Sign:    "The raw sequence numbers of a SYN or SYN/ACK differ between the points.", Not: "Where the handshake was seen at one point only."},
	"tcp.seq_raw", "initial sequence numbers are rewritten",
	func(_, _ *flow.Handshake, x, y *flow.Fact) (string, string, bool) {
		return fmt.Sprint(x.Seq), fmt.Sprint(y.Seq), x.Seq != y.Seq
	})

var ipidRewritten = handshakeRule(Doc{ID: "ipid-rewritten", weight: 17,
	Title:   "IP identifications are other ones behind the device",
	Meaning: "Routers keep the identification; a device that changes it makes packets of its own.",
	Sign:    "The IP ID of a SYN or SYN/ACK differs between the points.", Not: "IPv6, and senders that set it to 0."},
	"ip.id", "IP identifications are rewritten",
	func(_, _ *flow.Handshake, x, y *flow.Fact) (string, string, bool) {
		return fmt.Sprintf("0x%04x", x.IPID), fmt.Sprintf("0x%04x", y.IPID), x.Mark&y.Mark&flow.MarkHasID != 0 && x.IPID != y.IPID
	})

var ttlRestarted = handshakeRule(Doc{ID: "ttl-restarted", weight: 24,
	Title:   "The TTL starts anew on the path",
	Meaning: "Routers count the TTL down by one. A packet that arrives with more than it left with, or with another start value, was made by a device in between.",
	Sign:    "A SYN or SYN/ACK has a higher TTL, or one of another initial value (32, 64, 128, 255), at the later point.", Not: "Where the later TTL fits the earlier one less some routers."},
	"ip.ttl", "the TTL starts anew",
	func(_, _ *flow.Handshake, x, y *flow.Fact) (string, string, bool) {
		return fmt.Sprint(x.TTL), fmt.Sprint(y.TTL), y.TTL > x.TTL || initialOf(x.TTL) != initialOf(y.TTL) && x.Seq != y.Seq
	})
