package flow

import (
	"encoding/binary"

	"github.com/corr-dev/corr/backend/capture"
)

// ahead brings near what the next frames' conversations hold, while the frame at hand is worked on: tables of thousands of
// conversations fit no cache, and a frame needs three places of them, each told by the one before. It guesses, and nothing
// depends on it.
type ahead struct {
	now, next, later guess // of the frame at hand, the next one and the one after that
}

// guess is the hash of a frame's conversation, if it is known.
type guess struct {
	hash  uint32
	known bool
}

// step looks at the frame after the next one, whose hash it notes, and takes the next one a step further.
func (a *ahead) step(r *capture.Reader, link capture.LinkType, b *builder) {
	t := b.c.table
	a.now, a.next = a.next, a.later
	if h := a.next.hash; a.next.known {
		if s := t.slots[h&t.mask]; s.hash == h && s.id != 0 {
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
	if a.later.hash, a.later.known = hashAhead(link, r.Peek(1)); a.later.known {
		Prefetch(&t.slots[a.later.hash&t.mask])
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
