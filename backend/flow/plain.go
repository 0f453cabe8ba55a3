package flow

import (
	"encoding/binary"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

// plain reads frames of the kind that most are: TCP that begins no connection, or UDP, of a conversation that has its
// number already, in IP in Ethernet with one VLAN tag at most and nothing else around, whole, from a sender that was seen before. What
// it makes of one is what decode and the table make of it (TestPlain); of all others it makes nothing.
type plain struct {
	key     end
	payload []byte // as far as captured
	n       uint32 // bytes of it on the wire
	tcp     []byte // the header; nil for UDP
	vlans   uint8
	vlan    uint16
	mark    Mark
	id      uint16
	ttl     uint8
	tos     uint8
}

const (
	ip4Len, ip6Len, tcpLen, udpLen = 20, 40, 20, 8
	// stampedLen is the length of a TCP header whose options are NOP, NOP, timestamps (RFC 7323 appendix A); stamps is how they begin.
	stampedLen = tcpLen + 12
	stamps     = 0x0101080a
	// Of Ethernet with a VLAN tag (IEEE 802.1Q): the ethertype, and the length of its header.
	vlanTag, taggedLen = 0x8100, etherLen + 4
	// mapped4 is what an IPv4 address has in front of its own bytes (decode.Addr), in the half that holds them.
	mapped4 = 0xffff0000
)

// read takes a frame apart, if it is plain as far as its bytes tell.
func (f *plain) read(b []byte, onWire int) bool {
	onWire = max(onWire, len(b))
	off := etherLen
	f.vlans, f.vlan = 0, 0
	if len(b) > taggedLen && binary.BigEndian.Uint16(b[etherLen-2:]) == vlanTag {
		f.vlans, f.vlan, off = 1, binary.BigEndian.Uint16(b[etherLen:])&0x0fff, taggedLen
	}
	if len(b) < off+ip4Len {
		return false
	}
	h, rest := b[off:], onWire-off // what the Ethernet header leaves, as captured and on the wire
	var proto uint8
	var n int // bytes behind the IP header, on the wire
	switch binary.BigEndian.Uint16(b[off-2:]) {
	case 0x0800:
		n = int(binary.BigEndian.Uint16(h[2:]))
		frag := binary.BigEndian.Uint16(h[ip4Fragment:])
		if h[0] != 0x45 || frag&0x3fff != 0 || n < ip4Len || n > rest {
			return false
		}
		h, n = h[:min(len(h), n)][ip4Len:], n-ip4Len
		ip := b[off : off+ip4Len]
		f.tos, f.ttl, proto, f.id = ip[1], ip[8], ip[9], binary.BigEndian.Uint16(ip[4:])
		f.mark = MarkHasID
		if frag&0x4000 != 0 {
			f.mark |= MarkDF
		}
		f.key.src = [2]uint64{0, mapped4 | uint64(binary.LittleEndian.Uint32(ip[12:]))<<32}
		f.key.dst = [2]uint64{0, mapped4 | uint64(binary.LittleEndian.Uint32(ip[16:]))<<32}
	case 0x86dd:
		if len(h) < ip6Len || h[0]>>4 != 6 {
			return false
		}
		n = int(binary.BigEndian.Uint16(h[4:]))
		if n == 0 || n > rest-ip6Len {
			return false
		}
		ip := h[:ip6Len]
		h = h[:min(len(h), ip6Len+n)][ip6Len:]
		f.tos, f.ttl, proto, f.id = ip[0]<<4|ip[1]>>4, ip[7], ip[6], 0
		f.mark = 0
		f.key.src = [2]uint64{binary.LittleEndian.Uint64(ip[8:]), binary.LittleEndian.Uint64(ip[16:])}
		f.key.dst = [2]uint64{binary.LittleEndian.Uint64(ip[24:]), binary.LittleEndian.Uint64(ip[32:])}
	default:
		return false
	}
	switch proto {
	case protoTCP:
		if len(h) < tcpLen || uint16(h[13])&decode.SYN != 0 {
			return false
		}
		hlen := int(h[12] >> 4 * 4)
		if hlen > n || hlen > len(h) || hlen != tcpLen && (hlen != stampedLen || binary.BigEndian.Uint32(h[tcpLen:]) != stamps) {
			return false
		}
		f.tcp, f.payload, f.n = h[:hlen], h[hlen:], uint32(n-hlen)
	case protoUDP:
		if len(h) < udpLen {
			return false
		}
		size := int(binary.BigEndian.Uint16(h[4:]))
		if size < udpLen || size > n {
			return false
		}
		f.tcp, f.payload, f.n = nil, h[udpLen:min(len(h), size)], uint32(size-udpLen)
	default:
		return false
	}
	sport, dport := binary.BigEndian.Uint16(h), binary.BigEndian.Uint16(h[2:])
	f.key.word = makeWord(proto, true, sport, dport)
	if f.tcp == nil && (decode.MayTunnel(sport) || decode.MayTunnel(dport)) {
		return false
	}
	return !startsSIP(f.payload)
}

// plain appends the fact of a frame if it is plain, and reports whether it did.
func (b *builder) plain(p *capture.Packet) bool {
	g := b.ahead.of(p)
	if !g.simple || p.Link != capture.LinkEthernet || !p.HasTime {
		return false
	}
	f, c, t := &g.plain, b.c, b.c.table
	if f.tcp != nil && (b.summed < summedMost || len(f.payload) > 0 && len(t.media.segments) > 0) {
		return false
	}
	dst, src := (*[6]byte)(p.Data), (*[6]byte)(p.Data[6:])
	l := b.recent(src, dst)
	if p.Direction != capture.DirectionUnknown || !l.is(src, dst, p, true, f.vlans, f.vlan) || l.id == noLink {
		return false
	}
	id, cv, reverse := t.known(&f.key, g.hash)
	if cv == nil || cv.Stream < 0 || f.tcp == nil && cv.set == 0 {
		return false
	}
	if h := f.tcp; h != nil && (cv.set != 3 || cv.closed != 0 || uint16(h[13])&(decode.FIN|decode.RST) != 0) {
		k := decode.Socket{Seq: binary.BigEndian.Uint32(h[4:]), Ack: binary.BigEndian.Uint32(h[8:]), Flags: uint16(h[13])}
		if another(cv, &k, reverse) {
			return false
		}
		id, cv, reverse = t.sequence(id, cv, reverse, &f.key, &k, p.Number)
	}
	t.last, t.lastConv, t.stream = id, cv, cv.Stream
	if reverse && cv.StreamBack < 0 {
		cv.StreamBack = cv.Stream
	}
	cv.Packets++
	c.plain++
	i := uint32(c.n)
	x := b.begin(p)
	b.facts.belongs(id)
	if reverse {
		x.setDir(1)
	}
	x.TTL, x.TOS, x.IPID, x.Mark = f.ttl, f.tos, f.id, f.mark
	x.setLen(f.n)
	if h := f.tcp; h != nil {
		x.Mark |= MarkTCP
		x.Seq, x.Ack, x.Window = binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:]), binary.BigEndian.Uint16(h[14:])
		x.setFlags(uint16(h[12]&1)<<8 | uint16(h[13]))
		if len(h) == stampedLen {
			x.TSval = binary.BigEndian.Uint32(h[tcpLen+4:])
			x.Mark |= MarkTS
			x.Opt = echoed(binary.BigEndian.Uint32(h[tcpLen+8:]))
		}
	}
	hashPayload(x, f.payload)
	b.whole(x)
	c.enclose(x, i, p.OrigLen, l.id)
	proto := uint8(protoUDP)
	if f.tcp != nil {
		proto = protoTCP
	}
	b.conversation(i, x, id, proto, f.payload, nil)
	return true
}

// known is the conversation of a key, as far as a look tells: nil where lookup has more to do.
func (t *Table) known(e *end, hash uint32) (ConvID, *Conv, bool) {
	if t.lastConv != nil {
		if is, reverse := e.match(t.lastConv); is {
			return t.last, t.lastConv, reverse
		}
	}
	return t.find(e, hash)
}
