package compose

import (
	"fmt"
	"math/bits"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/match"
)

// changes is a set of header fields that differ between a frame and its counterpart.
type changes uint32

const (
	chSrc changes = 1 << iota
	chDst
	chSrcV6
	chDstV6
	chSport
	chDport
	chUSport
	chUDport
	chIdent
	chIPID
	chDF
	chDSCP
	chECN
	chECE
	chCWR
	chSeq
	chAck
	chWindow
	chMSS
	chWScale
	chSACK
	chTS
	chTSval
	chData
	chVersion
	chTrafficDSCP
	chTrafficECN
)

// changeNames are Wireshark's names, in the order of the bits.
var changeNames = [...]string{"ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport", "icmp.ident", "ip.id", "ip.flags.df",
	"ip.dsfield.dscp", "ip.dsfield.ecn", "tcp.flags.ece", "tcp.flags.cwr", "tcp.seq_raw", "tcp.ack_raw", "tcp.window_size_value", "tcp.options.mss_val",
	"tcp.options.wscale.shift", "tcp.options.sack_perm", "tcp.options.timestamp", "tcp.options.timestamp.tsval", "data", "ip.version", "ipv6.tclass.dscp", "ipv6.tclass.ecn"}

func (c changes) names() []string {
	var out []string
	for k, n := range changeNames {
		if c>>k&1 != 0 {
			out = append(out, n)
		}
	}
	return out
}

// ends compares addresses and ports of a frame and its counterpart.
func (p *pen) ends(i uint32, f *flow.Fact, o *peer, g *flow.Fact, fl *match.Flow, h *heading) changes {
	r := &h.routes[o.link]
	if peer := r.conversation(p.in.Caps[o.capture], fl.Sides[o.capture], o.frame, g) + 1; r.peer != peer {
		a, b := p.tuples(f, o, g, r)
		r.peer, r.ends = peer, compareEnds(a, b, fl)
	}
	return r.ends
}

// compareEnds compares addresses and ports, as two captures have them.
func compareEnds(a, b flow.Tuple, fl *match.Flow) changes {
	if a == b {
		return 0
	}
	var ch changes
	if a.Version != b.Version {
		return chVersion | chSrc | chDst
	}
	src, dst := chSrc, chDst
	if a.Version == 6 {
		src, dst = chSrcV6, chDstV6
	}
	if a.Src != b.Src {
		ch |= src
	}
	if a.Dst != b.Dst {
		ch |= dst
	}
	switch fl.Proto {
	case flow.ProtoTCP:
		src, dst = chSport, chDport
	case flow.ProtoUDP:
		src, dst = chUSport, chUDport
	case flow.ProtoICMP, flow.ProtoICMPv6:
		src, dst = chIdent, chIdent
	default:
		return ch
	}
	if a.Sport != b.Sport {
		ch |= src
	}
	if a.Dport != b.Dport {
		ch |= dst
	}
	return ch
}

// tuples are those of a frame and of its counterpart, whose conversation the route over that link knows.
func (p *pen) tuples(f *flow.Fact, o *peer, g *flow.Fact, r *route) (a, b flow.Tuple) {
	return p.in.Caps[p.c].Tuple(p.talk.conv, f.Dir()), p.in.Caps[o.capture].Tuple(r.id, g.Dir())
}

// compare finds what differs between a frame and its counterpart, and words it in the direction of travel.
func (p *pen) compare(i uint32, f *flow.Fact, o *peer, g *flow.Fact, fl *match.Flow, h *heading) changes {
	ch := p.differ(i, f, o, g, fl, h)
	if ch != 0 {
		p.word(ch, i, f, o, g, fl, h)
	}
	return ch
}

// differ is compare without words.
func (p *pen) differ(i uint32, f *flow.Fact, o *peer, g *flow.Fact, fl *match.Flow, h *heading) changes {
	ch := p.ends(i, f, o, g, fl, h)
	if f.Mark&(flow.MarkError|flow.MarkLater) == 0 {
		ch |= compareFacts(f, g, o.how, fl.Proto)
		if f.Flags()&decode.SYN != 0 && g.Flags()&decode.SYN != 0 && fl.Proto == flow.ProtoTCP {
			ch |= compareOptions(p.handshakes(i, o, h))
		}
	}
	return ch
}

// handshakes are what a SYN or SYN/ACK and its counterpart say.
func (p *pen) handshakes(i uint32, o *peer, h *heading) (a, b *flow.Handshake) {
	return p.in.Caps[p.c].Handshake(p.talk.conv, i), p.in.Caps[o.capture].Handshake(h.routes[o.link].id, o.frame)
}

// compareFacts compares what every packet says.
func compareFacts(f, g *flow.Fact, how match.How, proto uint8) changes {
	var ch changes
	if f.Mark&g.Mark&flow.MarkHasID != 0 {
		if f.IPID != g.IPID {
			ch |= chIPID
		}
		if (f.Mark^g.Mark)&flow.MarkDF != 0 {
			ch |= chDF
		}
	}
	if (f.TOS^g.TOS)>>2 != 0 {
		ch |= chDSCP
	}
	if (f.TOS^g.TOS)&3 != 0 {
		ch |= chECN
	}
	if (f.Mark|g.Mark)&flow.MarkHasID == 0 { // IPv6
		if ch&chDSCP != 0 {
			ch ^= chDSCP | chTrafficDSCP
		}
		if ch&chECN != 0 {
			ch ^= chECN | chTrafficECN
		}
	}
	if proto == flow.ProtoTCP {
		if f.Seq != g.Seq {
			ch |= chSeq
		}
		if f.Ack != g.Ack && f.Flags()&g.Flags()&decode.ACK != 0 {
			ch |= chAck
		}
		if !f.Short() && !g.Short() {
			if f.Window != g.Window {
				ch |= chWindow
			}
			if (f.Flags()^g.Flags())&decode.ECE != 0 {
				ch |= chECE
			}
			if (f.Flags()^g.Flags())&decode.CWR != 0 {
				ch |= chCWR
			}
		}
		switch {
		case (f.Mark^g.Mark)&flow.MarkTS != 0:
			if without := f.Mark &^ g.Mark & flow.MarkTS; without == 0 && !f.Is(flow.MarkOptionsCut) || without != 0 && !g.Is(flow.MarkOptionsCut) {
				ch |= chTS
			}
		case f.Mark&flow.MarkTS != 0 && f.TSval != g.TSval:
			ch |= chTSval
		}
	}
	if how != match.HowRelayed && how != match.HowLogical && f.Mark&flow.MarkFragment == 0 {
		if same, known := flow.SamePayload(f, g); known && !same || f.Len() != g.Len() && !f.Short() && !g.Short() {
			ch |= chData
		}
	}
	return ch
}

// compareOptions compares the options of SYN segments; either may be unknown.
func compareOptions(a, b *flow.Handshake) changes {
	if a == nil || b == nil {
		return 0
	}
	var ch changes
	// What is not among options that the snaplen cut may have been there.
	known := func(inA, inB bool) bool { return (inA || !a.Cut) && (inB || !b.Cut) }
	if a.MSS != b.MSS && known(a.MSS >= 0, b.MSS >= 0) {
		ch |= chMSS
	}
	if a.WScale != b.WScale && known(a.WScale >= 0, b.WScale >= 0) {
		ch |= chWScale
	}
	if a.SACKPerm != b.SACKPerm && known(a.SACKPerm, b.SACKPerm) {
		ch |= chSACK
	}
	return ch
}

// word appends the texts of changes: "tcp.options.wscale.shift: 8 → 3", before and after as the packet travels.
func (p *pen) word(ch changes, i uint32, f *flow.Fact, o *peer, g *flow.Fact, fl *match.Flow, h *heading) {
	if p.told(o, fl) {
		if ch &^= chSrc | chDst | chSrcV6 | chDstV6 | chSport | chDport | chUSport | chUDport | chIdent; ch == 0 {
			return
		}
	}
	x, y := f, g
	a, b := p.tuples(f, o, g, &h.routes[o.link])
	if !o.down {
		x, y, a, b = y, x, b, a
	}
	say := func(bit changes, u, v string) {
		if ch&bit != 0 {
			p.extra.ChangedText = append(p.extra.ChangedText, changeNames[bits.TrailingZeros32(uint32(bit))]+": "+u+" → "+v)
		}
	}
	num := func(bit changes, u, v uint64) {
		if ch&bit != 0 {
			say(bit, fmt.Sprint(u), fmt.Sprint(v))
		}
	}
	if ch&(chSrc|chSrcV6) != 0 {
		say(ch&(chSrc|chSrcV6), infer.Addr(a.Version, a.Src), infer.Addr(b.Version, b.Src))
	}
	if ch&(chDst|chDstV6) != 0 {
		say(ch&(chDst|chDstV6), infer.Addr(a.Version, a.Dst), infer.Addr(b.Version, b.Dst))
	}
	num(chSport|chUSport, uint64(a.Sport), uint64(b.Sport))
	num(chDport|chUDport, uint64(a.Dport), uint64(b.Dport))
	num(chIdent, uint64(a.Sport), uint64(b.Sport))
	if ch&chIPID != 0 {
		say(chIPID, fmt.Sprintf("0x%04x", x.IPID), fmt.Sprintf("0x%04x", y.IPID))
	}
	bit := func(c changes, u, v bool) {
		if ch&c != 0 {
			say(c, yesNo[u], yesNo[v])
		}
	}
	bit(chDF, x.Is(flow.MarkDF), y.Is(flow.MarkDF))
	num(chDSCP, uint64(x.TOS>>2), uint64(y.TOS>>2))
	num(chTrafficDSCP, uint64(x.TOS>>2), uint64(y.TOS>>2))
	num(chECN, uint64(x.TOS&3), uint64(y.TOS&3))
	num(chTrafficECN, uint64(x.TOS&3), uint64(y.TOS&3))
	bit(chECE, x.Flags()&decode.ECE != 0, y.Flags()&decode.ECE != 0)
	bit(chCWR, x.Flags()&decode.CWR != 0, y.Flags()&decode.CWR != 0)
	num(chSeq, uint64(x.Seq), uint64(y.Seq))
	num(chAck, uint64(x.Ack), uint64(y.Ack))
	num(chWindow, uint64(x.Window), uint64(y.Window))
	if ch&(chMSS|chWScale|chSACK) != 0 {
		ha, hb := p.handshakes(i, o, h)
		if !o.down {
			ha, hb = hb, ha
		}
		say(chMSS, option(ha.MSS), option(hb.MSS))
		say(chWScale, option(int32(ha.WScale)), option(int32(hb.WScale)))
		bit(chSACK, ha.SACKPerm, hb.SACKPerm)
	}
	if ch&chTS != 0 {
		say(chTS, presence[x.Is(flow.MarkTS)], presence[y.Is(flow.MarkTS)])
	}
	num(chTSval, uint64(x.TSval), uint64(y.TSval))
	if ch&chData != 0 {
		say(chData, fmt.Sprintf("%d bytes", x.Len()), fmt.Sprintf("%d other bytes", y.Len()))
	}
	num(chVersion, uint64(a.Version), uint64(b.Version))
}

// told reports whether the conversation's tuples, which annotations hold once, tell changed addresses and ports.
func (p *pen) told(o *peer, fl *match.Flow) bool {
	return p.w != nil && o == &p.peers[0] && len(fl.Sides[p.c].Convs) == 1 && len(fl.Sides[o.capture].Convs) == 1
}

var (
	yesNo    = map[bool]string{false: "0", true: "1"}
	presence = map[bool]string{false: "absent", true: "present"}
)

func option(v int32) string {
	if v < 0 {
		return "absent"
	}
	return fmt.Sprint(v)
}
