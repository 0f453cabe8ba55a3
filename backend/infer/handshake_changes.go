package infer

import (
	"fmt"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// shaken is a SYN or SYN/ACK at both ends of a stretch, before and after as it travels.
type shaken struct {
	before, after *flow.Handshake
	x, y          *flow.Fact
}

// handshakeChange is what a rule about handshakes looks at: whether a field differs, and its values in words.
type handshakeChange struct {
	field, title string
	differ       func(h shaken) bool
	words        func(h shaken) (a, b string)
}

// handshakeDiffs are those of all rules that handshakeRule made, which look at each handshake together.
var handshakeDiffs []handshakeChange

// handshakeRule makes a rule about what differs between a SYN or SYN/ACK on both sides of a stretch.
func handshakeRule(doc Doc, field, title string, differ func(h shaken) bool, words func(h shaken) (a, b string)) rule {
	k := len(handshakeDiffs)
	handshakeDiffs = append(handshakeDiffs, handshakeChange{field, title, differ, words})
	return rule{doc, func(v *Verdict) []*Finding { return v.shaken()[k] }}
}

// compareHandshakes gives the findings of each of handshakeDiffs.
func (v *Verdict) compareHandshakes() [][]*Finding {
	out := make([][]*Finding, len(handshakeDiffs))
	for _, s := range v.Segments {
		at := make([]*Finding, len(handshakeDiffs))
		v.each(s, func(f *match.Flow, j *match.Joint) {
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
				is := shaken{h, g, v.At(from, before), v.At(to, g.Fact)}
				for k := range handshakeDiffs {
					c := &handshakeDiffs[k]
					if !c.differ(is) {
						continue
					}
					if at[k] == nil {
						at[k] = &Finding{Severity: Note, Confidence: 98, Segment: s}
					}
					x := at[k]
					if len(x.Flows) == 0 || x.Flows[len(x.Flows)-1] != f {
						x.Flows = append(x.Flows, f)
					}
					if len(x.Evidence) < evidenceMost {
						a, b := c.words(is)
						if x.Detail == "" {
							x.Detail = fmt.Sprintf("%s %s has %s, %s has %s", []string{"SYN", "SYN/ACK"}[d], v.frame(from, int64(before)), a, v.frame(to, int64(g.Fact)), b)
						}
						x.Evidence = append(x.Evidence, Evidence{from, int64(before), c.field, a}, Evidence{to, int64(g.Fact), c.field, b})
					}
				}
			}
		})
		for k, x := range at {
			if x == nil {
				continue
			}
			x.Title = fmt.Sprintf("%s between %s (%s)", handshakeDiffs[k].title, v.stretch(s), plural(len(x.Flows), "conversation", "conversations"))
			x.Next = "harmless by itself; it shows that a device touches the handshake"
			out[k] = append(out[k], x)
		}
	}
	return out
}

// counterpart is the frame at a stretch's other end that a frame of c is matched with.
func (v *Verdict) counterpart(s *Segment, c int, i uint32) (uint32, bool) {
	var space [1]match.Pair
	peers := s.Link.Peers(c, i, space[:0])
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
	func(h shaken) bool {
		return h.before.WScale != h.after.WScale && h.known(h.before.WScale >= 0, h.after.WScale >= 0)
	},
	func(h shaken) (string, string) { return number(int(h.before.WScale)), number(int(h.after.WScale)) })

var mssChanged = handshakeRule(Doc{ID: "mss-changed", weight: 22,
	Title:   "The maximum segment size is another one behind the device",
	Meaning: "Usually wanted: a smaller MSS keeps segments below the MTU of a tunnel ahead.",
	Sign:    "The MSS option of a SYN or SYN/ACK differs between the points.", Not: "Where the handshake was seen at one point only."},
	"tcp.options.mss_val", "the MSS is changed",
	func(h shaken) bool {
		return h.before.MSS != h.after.MSS && h.known(h.before.MSS >= 0, h.after.MSS >= 0)
	},
	func(h shaken) (string, string) { return number(int(h.before.MSS)), number(int(h.after.MSS)) })

var sackChanged = handshakeRule(Doc{ID: "sack-changed", weight: 21,
	Title:   "Selective acknowledgements are permitted on one side of the device only",
	Meaning: "Without SACK (RFC 2018) losses cost more round trips.",
	Sign:    "The SACK-permitted option of a SYN or SYN/ACK is there at one point and not at the other.", Not: "Where the handshake was seen at one point only."},
	"tcp.options.sack_perm", "the SACK-permitted option is changed",
	func(h shaken) bool {
		return h.before.SACKPerm != h.after.SACKPerm && h.known(h.before.SACKPerm, h.after.SACKPerm)
	},
	func(h shaken) (string, string) { return present(h.before.SACKPerm), present(h.after.SACKPerm) })

var timestampsChanged = handshakeRule(Doc{ID: "timestamps-changed", weight: 19,
	Title:   "TCP timestamps are used on one side of the device only, or are other ones",
	Meaning: "Without timestamps (RFC 7323) old segments can't be told from new ones at high rates, and round trips are measured less well.",
	Sign:    "The timestamps option of a SYN or SYN/ACK is there at one point and not at the other, or carries another value.", Not: "Where the handshake was seen at one point only."},
	"tcp.options.timestamp.tsval", "TCP timestamps are changed",
	func(h shaken) bool {
		return h.before.HasTS != h.after.HasTS && h.known(h.before.HasTS, h.after.HasTS) || h.before.HasTS && h.after.HasTS && h.x.TSval != h.y.TSval
	},
	func(h shaken) (string, string) {
		if h.before.HasTS && h.after.HasTS {
			return fmt.Sprint(h.x.TSval), fmt.Sprint(h.y.TSval)
		}
		return present(h.before.HasTS), present(h.after.HasTS)
	})

var ecnStripped = handshakeRule(Doc{ID: "ecn-stripped", weight: 23,
	Title:   "ECN is negotiated at one point and gone at the next",
	Meaning: "A device that rebuilds or cleans TCP flags took the offer of explicit congestion notification (RFC 3168 §6.1.1) away.",
	Sign:    "A SYN with ECE and CWR, or a SYN/ACK with ECE, arrives without.", Not: "Where the sender offered none."},
	"tcp.flags.ece", "the offer of ECN is taken away",
	func(h shaken) bool {
		const ecn = decode.ECE | decode.CWR
		return h.x.Flags()&ecn != 0 && h.y.Flags()&ecn == 0
	},
	func(h shaken) (string, string) { return FlagNames(h.x.Flags()), FlagNames(h.y.Flags()) })

var optionRemoved = handshakeRule(Doc{ID: "option-removed", weight: 18,
	Title:   "A TCP option that was sent does not arrive",
	Meaning: "Some devices strip options that they do not know: multipath TCP, fast open and experiments fail silently.",
	Sign:    "A kind of option other than MSS, window scale, SACK and timestamps, which have findings of their own, is there at one point and not at the next.", Not: "Padding (NOP, EOL)."},
	"tcp.options", "a TCP option is removed",
	func(h shaken) bool { return removedOption(h) != 0 },
	func(h shaken) (string, string) { return OptionName(removedOption(h)), "none" })

// known reports whether it is known of both handshakes that they have, or lack, an option: what is not among options that the
// snaplen cut may have been there.
func (h shaken) known(before, after bool) bool {
	return (before || !h.before.Cut) && (after || !h.after.Cut)
}

// removedOption is the kind of an option that was sent and did not arrive, the last of several; 0 for none.
func removedOption(h shaken) (kind uint8) {
	if h.after.Cut {
		return 0
	}
	have := [256 / 64]uint64{1<<0 | 1<<1 | 1<<2 | 1<<3 | 1<<4 | 1<<8}
	for _, k := range h.after.Kinds[:min(int(h.after.NKinds), len(h.after.Kinds))] {
		have[k/64] |= 1 << (k % 64)
	}
	for _, k := range h.before.Kinds[:min(int(h.before.NKinds), len(h.before.Kinds))] {
		if have[k/64]>>(k%64)&1 == 0 {
			kind = k
		}
	}
	return kind
}

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
	func(h shaken) bool { return h.x.Seq != h.y.Seq },
	func(h shaken) (string, string) { return fmt.Sprint(h.x.Seq), fmt.Sprint(h.y.Seq) })

var ipidRewritten = handshakeRule(Doc{ID: "ipid-rewritten", weight: 17,
	Title:   "IP identifications are other ones behind the device",
	Meaning: "Routers keep the identification; a device that changes it makes packets of its own.",
	Sign:    "The IP ID of a SYN or SYN/ACK differs between the points.", Not: "IPv6, and senders that set it to 0."},
	"ip.id", "IP identifications are rewritten",
	func(h shaken) bool { return h.x.Mark&h.y.Mark&flow.MarkHasID != 0 && h.x.IPID != h.y.IPID },
	func(h shaken) (string, string) {
		return fmt.Sprintf("0x%04x", h.x.IPID), fmt.Sprintf("0x%04x", h.y.IPID)
	})

var ttlRestarted = handshakeRule(Doc{ID: "ttl-restarted", weight: 24,
	Title:   "The TTL starts anew on the path",
	Meaning: "Routers count the TTL down by one. A packet that arrives with more than it left with, or with another start value, was made by a device in between.",
	Sign:    "A SYN or SYN/ACK has a higher TTL, or one of another initial value (32, 64, 128, 255), at the later point.", Not: "Where the later TTL fits the earlier one less some routers."},
	"ip.ttl", "the TTL starts anew",
	func(h shaken) bool {
		return h.y.TTL > h.x.TTL || initialOf(h.x.TTL) != initialOf(h.y.TTL) && h.x.Seq != h.y.Seq
	},
	func(h shaken) (string, string) { return fmt.Sprint(h.x.TTL), fmt.Sprint(h.y.TTL) })
