package flow

import (
	"encoding/binary"

	"github.com/corr-dev/corr/backend/capture"
)

// ahead looks at frames before their turn, while the frame at hand is worked on, and brings near what their conversations hold: tables
// of thousands of conversations fit no cache, and a frame needs three places of them, each told by the one before. Nothing depends on
// it but the time that it takes.
type ahead struct {
	l  [4]glimpse // of the frame at hand, the next one and the one after that, and room
	at int        // the frame at hand
}

// glimpse is what a look at a frame tells.
type glimpse struct {
	frame  []byte // nil: there was none
	onWire uint32
	hash   uint32 // of its conversation
	known  bool   // whether hash is, before the frame's turn
	simple bool   // whether plain is what read made of the frame, and hash is its conversation's
	plain  plain
}

// of is the glimpse of the frame at hand, after step.
func (a *ahead) of(p *capture.Packet) *glimpse {
	g := &a.l[a.at]
	if len(g.frame) == 0 || len(g.frame) != len(p.Data) || &g.frame[0] != &p.Data[0] || g.onWire != p.OrigLen {
		// It was not told at a look, as in files of the other byte order.
		if g.simple = p.Link == capture.LinkEthernet && g.plain.read(p.Data, int(p.OrigLen)); g.simple {
			g.hash = g.plain.key.hash()
		}
	}
	return g
}

// sees reports whether the next frame was seen: all that lies in front of it stays where it is until its turn has come.
func (a *ahead) sees() bool { return a.l[(a.at+1)%len(a.l)].frame != nil }

// step looks at the frame after the next one, and takes the next one a step further.
func (a *ahead) step(r *capture.Reader, link capture.LinkType, b *builder) {
	t := b.c.table
	a.at = (a.at + 1) % len(a.l)
	if next := &a.l[(a.at+1)%len(a.l)]; next.known {
		if s := t.slots[next.hash&t.mask]; s.hash == next.hash && s.id != 0 {
			c := t.Conv(ConvID(s.id - 1))
			Prefetch(c)
			Prefetch(&c.closed)
			if int(s.id) <= len(b.c.Convs) {
				in := &b.c.Convs[s.id-1]
				Prefetch(in)
				Prefetch(&in.Beyond)
			}
		}
	}
	g := &a.l[(a.at+2)%len(a.l)]
	g.known, g.simple = false, false
	if g.frame, g.onWire = r.Peek(1); g.frame == nil {
		return
	}
	if link == capture.LinkEthernet && g.plain.read(g.frame, int(g.onWire)) {
		g.simple, g.known, g.hash = true, true, g.plain.key.hash()
	} else {
		g.hash, g.known = hashAhead(link, g.frame)
	}
	if g.known {
		Prefetch(&t.slots[g.hash&t.mask])
	}
}

// Offsets of what hashAhead reads: IPv4 (RFC 791 §3.1), IPv6 (RFC 8200 §3).
const (
	etherLen, cookedLen  = 14, 16
	ip4Fragment, ip4Most = 6, 24 // without options, with the ports
	ip6Most              = 44    // with the ports
)

// hashAhead is the hash of a TCP or UDP frame's conversation (end.hash), if the frame is of the simplest kind.
func hashAhead(link capture.LinkType, b []byte) (uint32, bool) {
	switch link {
	case capture.LinkEthernet:
		if len(b) < etherLen {
			return 0, false
		}
		off := etherLen
		if len(b) >= taggedLen && binary.BigEndian.Uint16(b[etherLen-2:]) == vlanTag {
			off = taggedLen
		}
		b = b[off:]
	case capture.LinkSLL:
		if len(b) < cookedLen {
			return 0, false
		}
		b = b[cookedLen:]
	case capture.LinkRaw:
	default:
		return 0, false
	}
	var src, dst [2]uint64 // as decode.Addr holds them
	var proto uint8
	var ports []byte
	switch {
	case len(b) >= ip4Most && b[0] == 0x45 && binary.BigEndian.Uint16(b[ip4Fragment:])&0x3fff == 0:
		src[1], dst[1] = mapped4|uint64(binary.LittleEndian.Uint32(b[12:]))<<32, mapped4|uint64(binary.LittleEndian.Uint32(b[16:]))<<32
		proto, ports = b[9], b[20:]
	case len(b) >= ip6Most && b[0]>>4 == 6:
		src[0], src[1] = binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])
		dst[0], dst[1] = binary.LittleEndian.Uint64(b[24:]), binary.LittleEndian.Uint64(b[32:])
		proto, ports = b[6], b[40:]
	default:
		return 0, false
	}
	if proto != protoTCP && proto != protoUDP {
		return 0, false
	}
	sport, dport := binary.BigEndian.Uint16(ports), binary.BigEndian.Uint16(ports[2:])
	return makeWord(proto, true, sport, dport).hash(half(src, sport) + half(dst, dport)), true
}
