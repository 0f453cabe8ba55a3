package message

import "encoding/binary"

// QUIC holds what the headers of a datagram's first packet say (RFC 9000 §17, RFC 8999).
type QUIC struct {
	Long    bool   // long header; else only the short one's first byte is known
	Version uint32 // of a long header; 0: version negotiation
	// DCID and SCID of a long header, up to 20 bytes; empty is a valid id. A short header's DCID has no length of its
	// own: compare its bytes with ids known from long ones.
	DCID, SCID []byte
	Token      int      // bytes of an Initial's token
	Versions   []uint32 // version negotiation: what the server offers, at most 8
}

// Versions and their packet types (RFC 9000 §17.2, RFC 9369 §3.2).
const (
	quicV1 = 0x00000001
	quicV2 = 0x6b3343cf

	quicInitial   = "Initial"
	quicZeroRTT   = "0-RTT"
	quicHandshake = "Handshake"
	quicRetry     = "Retry"
	quicOneRTT    = "1-RTT"
	quicNegotiate = "Version Negotiation"
)

// quicKnown reports versions whose packet types are known: 1, 2 and the last drafts of 1.
func quicKnown(v uint32) bool {
	return v == quicV1 || v == quicV2 || v >= 0xff00001d && v <= 0xff000022
}

// quicLong is a parsed long header.
type quicLong struct {
	kind       string
	version    uint32
	dcid, scid []byte
	token      int
	numberOff  int // offset of the packet number
	length     int // of the whole packet; 0: to the datagram's end
}

// parseQUICLong reads the long header that b begins with.
func parseQUICLong(b []byte) (quicLong, bool) {
	var l quicLong
	c := cursor{b: b}
	first := c.uint(1)
	l.version = uint32(c.uint(4))
	dcid := c.vector(1)
	scid := c.vector(1)
	l.dcid, l.scid = dcid.b, scid.b
	if c.short || dcid.short || scid.short || first < 0x80 || len(l.dcid) > 20 || len(l.scid) > 20 {
		return l, false
	}
	if l.version == 0 {
		l.kind = quicNegotiate
		return l, len(c.b) >= 4 && len(c.b)%4 == 0
	}
	if !quicKnown(l.version) || first&0x40 == 0 {
		return l, false
	}
	kind := first >> 4 & 3
	if l.version == quicV2 {
		kind = (kind + 3) & 3
	}
	l.kind = [...]string{quicInitial, quicZeroRTT, quicHandshake, quicRetry}[kind]
	if l.kind == quicRetry {
		return l, len(c.b) >= 16
	}
	if l.kind == quicInitial {
		l.token = c.varint()
		c.take(l.token)
	}
	n := c.varint()
	if c.short || n < 20 || n > 1<<16 { // packet number and tag (RFC 9001 §5.4.2)
		return l, false
	}
	l.numberOff = len(b) - len(c.b)
	l.length = l.numberOff + n
	return l, true
}

// varint reads a variable-length integer (RFC 9000 §16); values that fit no datagram count as cut.
func (c *cursor) varint() int {
	if len(c.b) == 0 {
		c.short = true
		return 0
	}
	n := 1 << (c.b[0] >> 6)
	if n == 8 || n > len(c.b) {
		c.short, c.b = true, nil
		return 0
	}
	return c.uint(n) &^ (3 << (8*n - 2))
}

// isQUICLong recognises a datagram by its first packet's long header. Version negotiation needs plausible versions.
func isQUICLong(b []byte, wire int) bool {
	if len(b) < 7 {
		return false
	}
	if v := binary.BigEndian.Uint32(b[1:]); v != 0 && !quicKnown(v) {
		return false
	}
	l, ok := parseQUICLong(b)
	if !ok || l.length > wire {
		return false
	}
	if l.version == 0 {
		for rest := b[7+len(l.dcid)+len(l.scid):]; len(rest) >= 4; rest = rest[4:] {
			if quicKnown(binary.BigEndian.Uint32(rest)) {
				return len(l.dcid)+len(l.scid) > 0
			}
		}
		return false
	}
	return true
}

// isQUICShort: what a short header shows without keys (RFC 9000 §17.3.1), in a datagram long enough to hold a packet.
func isQUICShort(b []byte, wire int) bool { return len(b) > 0 && b[0]&0xc0 == 0x40 && wire >= 21 }

// nameQUIC names the packets of a datagram, and the ClientHello in a first Initial.
func nameQUIC(i *Info, b []byte, wire int, _ uint8) bool {
	q := &QUIC{}
	if b[0] < 0x80 {
		if !isQUICShort(b, wire) {
			return false
		}
		i.QUIC = q
		i.only(quicOneRTT, quicOneRTT, wire, len(b))
		return true
	}
	for off := 0; off < len(b) && len(i.Messages) < maxMessages; {
		l, ok := parseQUICLong(b[off:])
		if !ok {
			// What is coalesced behind is a short header, or padding that the sender put outside.
			if off > 0 && isQUICShort(b[off:], wire-off) {
				i.add(quicOneRTT, off, wire-off, len(b))
			}
			break
		}
		if l.length == 0 {
			l.length = wire - off
		}
		if off == 0 {
			q.first(&l, b)
		}
		i.add(l.kind, off, l.length, len(b))
		if l.kind == quicInitial && i.TLS == nil {
			i.TLS = initialHello(b[off:min(len(b), off+l.length)], &l)
		}
		off += l.length
	}
	if len(i.Messages) == 0 {
		return false
	}
	i.QUIC = q
	if i.TLS != nil {
		i.Label += ", " + kindClientHello
	}
	return true
}

// first takes over the facts of a datagram's first packet.
func (q *QUIC) first(l *quicLong, b []byte) {
	q.Long, q.Version, q.Token = true, l.version, l.token
	q.DCID, q.SCID = append([]byte{}, l.dcid...), append([]byte{}, l.scid...)
	if l.version == 0 {
		for rest := b[7+len(l.dcid)+len(l.scid):]; len(rest) >= 4 && len(q.Versions) < maxNames; rest = rest[4:] {
			q.Versions = append(q.Versions, binary.BigEndian.Uint32(rest))
		}
	}
}
