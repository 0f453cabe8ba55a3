package flow

import (
	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

// ConvID numbers the conversations of one capture from 0, in the order of their first frames.
type ConvID uint32

// NoConv is the id of a frame without conversation: no IP inside.
const NoConv ConvID = 1<<31 - 1

// Protocols whose conversations are told apart by more than addresses (IANA).
const (
	protoICMP    = 1
	protoTCP     = 6
	protoUDP     = 17
	protoICMPv6  = 58
	protoSCTP    = 132
	protoUDPLite = 136
)

// Conv is a conversation: the two ends, in the direction of the first frame seen. UDP-Lite shares UDP's, as in
// Wireshark.
type Conv struct {
	// What a frame's key is compared with, and what every frame changes, lies together.
	Src, Dst     decode.Addr
	word         word
	Packets      uint32 // frames that this is the innermost conversation of; 0: seen as a tunnel's outer header or in a quote only
	Stream       int32  // tcp.stream or udp.stream; -1: Wireshark gives it none
	set          uint8  // TCP: which of base is known, bit 0 for the direction of Src; UDP: 1 once numbered by its tuple
	closed       uint8  // TCP: which of fin is known, as set, and wasReset
	Instance     uint16 // TCP: how often the same ports were used before in this capture
	Sport, Dport uint16 // ICMP echo: the identifier in both; without ports: 0
	// StreamBack is the number of frames from Dst to Src, -1 before there is one. It differs from Stream only in media
	// that SIP announced, where Stream and StreamBack are the first of maybe several numbers.
	StreamBack int32
	Proto      uint8
	Version    uint8 // of IP
	// HasPorts: Sport and Dport are part of what tells the conversation apart. Otherwise it is all that the two addresses
	// exchange of this protocol: ESP, GRE, ICMP errors about unknown packets, fragments that came before their first.
	HasPorts bool
	First    capture.FrameNo
	base     [2]uint32 // TCP: what Wireshark takes for the initial sequence numbers
	fin      [2]uint32 // TCP: where each direction ended
}

// wasReset in Conv.closed: some RST was seen.
const wasReset = 4

// Convs lie in chunks, so that pointers to them stay good while the table grows.
const (
	convChunkBits = 10
	convChunkLen  = 1 << convChunkBits
)

// Table numbers conversations exactly as Wireshark 4.0 numbers tcp.stream and udp.stream. The zero value isn't ready.
type Table struct {
	chunks  []*[convChunkLen]Conv
	n       uint32
	slots   []slot
	mask    uint32
	streams [2]int32 // next number of TCP, UDP
	// Of the last lookup, nil before there is one: packets come in trains.
	last     ConvID
	lastConv *Conv
	frags    fragments
	media    media
	stream   int32 // of the header that was numbered last
}

// slot is a place of the hash table, which is at most half full; id counts from 1.
type slot struct{ hash, id uint32 }

// NewTable returns an empty table.
func NewTable() *Table {
	t := &Table{slots: make([]slot, 256), mask: 255}
	t.frags.init()
	t.media.init()
	return t
}

// Len returns the number of conversations.
func (t *Table) Len() int { return int(t.n) }

// Conv returns a conversation; the pointer stays valid.
func (t *Table) Conv(id ConvID) *Conv {
	return &t.chunks[id>>convChunkBits][id&(convChunkLen-1)]
}

// Add takes the frames of a capture in their order and returns each one's innermost conversation; reverse: the frame
// goes from its Dst to its Src. An ICMP error belongs to the conversation that it quotes, against the quoted packet's
// direction; a later fragment to that of its first.
func (t *Table) Add(p *decode.Packet, n capture.FrameNo) (id ConvID, reverse bool) {
	if p.Reach < decode.ReachNetwork {
		return NoConv, false
	}
	var (
		c    *Conv
		frag *fragment
	)
	if p.IP.Fragment() || p.Outer.Fragment() {
		frag = t.frags.get(p, n)
	}
	for i := range p.Socket[:p.NSocket] {
		k := &p.Socket[i]
		if k.Fragment && frag != nil {
			frag.hold(k, n)
			continue
		}
		id, c, reverse = t.number(k, n)
	}
	if frag != nil {
		id, reverse = t.fragment(frag, p, n)
		c = t.Conv(id)
	} else if !numbered(p) {
		id, c, reverse = t.innermost(p, n)
	}
	c.Packets++
	if len(p.Payload) > 0 && p.Reach == decode.ReachTransport {
		t.signalling(p, id, reverse, n)
	}
	return id, reverse
}

// capital reports whether a payload may begin with a word of SIP.
func capital(first byte) bool { return 'A' <= first && first <= 'Z' }

// signalling looks for SIP, which tells of media to come.
func (t *Table) signalling(p *decode.Packet, id ConvID, reverse bool, n capture.FrameNo) {
	switch p.IP.Proto {
	case protoUDP:
		if capital(p.Payload[0]) {
			t.media.datagram(p, n)
		}
	case protoTCP:
		if capital(p.Payload[0]) || len(t.media.segments) > 0 {
			t.media.segment(p, tcpSide{id, reverse}, n)
		}
	}
}

// numbered reports whether the innermost transport header is the last of those that Wireshark numbers.
func numbered(p *decode.Packet) bool {
	if p.NSocket == 0 || p.Reach < decode.ReachTransport {
		return false
	}
	k := &p.Socket[p.NSocket-1]
	return !k.Quoted && k.Proto == p.IP.Proto && k.Sport == p.Sport && k.Dport == p.Dport && equal(&k.Src, &p.IP.Src) && equal(&k.Dst, &p.IP.Dst)
}

// number finds or starts the conversation of a TCP or UDP header and numbers it if it has no number yet.
func (t *Table) number(k *decode.Socket, n capture.FrameNo) (ConvID, *Conv, bool) {
	var e end
	e.src, e.dst, e.version, e.word = halves(&k.Src), halves(&k.Dst), k.Version, makeWord(shared(k.Proto), true, k.Sport, k.Dport)
	id, c, reverse := t.lookup(&e, n)
	if k.Proto == protoTCP {
		if c.Stream < 0 {
			c.Stream = t.next(protoTCP)
		}
		if k.Flags&(decode.SYN|decode.FIN|decode.RST) != 0 || c.set != 3 && !k.Partial || c.closed != 0 {
			if another(c, k, reverse) {
				id, c, reverse = t.again(&e, id, c, reverse, n)
			}
			id, c, reverse = t.sequence(id, c, reverse, &e, k, n)
		}
		t.stream = c.Stream
	} else {
		t.stream = t.datagram(c, k)
		if c.Stream < 0 {
			c.Stream = t.stream
		}
	}
	if reverse && c.StreamBack < 0 {
		c.StreamBack = t.stream
	}
	return id, c, reverse
}

// datagram returns the number of a UDP header.
func (t *Table) datagram(c *Conv, k *decode.Socket) int32 {
	if c.set != 0 {
		return c.Stream
	}
	if len(t.media.endpoints) > 0 {
		if e, ok := t.media.find(k); ok {
			a := t.media.endpoints[e]
			if a.stream < 0 {
				a.stream = t.next(protoUDP)
				t.media.endpoints[e] = a
			}
			return a.stream
		}
	}
	c.set = 1
	return t.next(protoUDP)
}

func (t *Table) next(proto uint8) int32 {
	i := 0
	if proto == protoUDP {
		i = 1
	}
	t.streams[i]++
	return t.streams[i] - 1
}

// sequence tells whether a SYN reuses the ports of a conversation, as Wireshark 4.0 does: by a sequence number other
// than the one that the sender's first segment implied. A repeated number never starts a new one, however long after
// FIN or RST; a SYN/ACK with another number corrects it.
func (t *Table) sequence(id ConvID, c *Conv, reverse bool, e *end, k *decode.Socket, n capture.FrameNo) (ConvID, *Conv, bool) {
	fwd := 0
	if reverse {
		fwd = 1
	}
	if k.Flags&decode.SYN != 0 && c.set>>fwd&1 != 0 && k.Seq != c.base[fwd] {
		if k.Flags&decode.ACK != 0 {
			c.base[fwd] = k.Seq
		} else {
			instance := c.Instance + 1
			id, c = t.renew(e, id, n)
			reverse, fwd = false, 0
			c.Instance = instance
			c.Stream = t.next(protoTCP)
		}
	}
	if k.Partial {
		return id, c, reverse
	}
	switch {
	case k.Flags&decode.RST != 0:
		c.closed |= wasReset
	case k.Flags&decode.FIN != 0:
		c.fin[fwd] = k.Seq
		c.closed |= 1 << fwd
	}
	rev := 1 - fwd
	if c.set>>fwd&1 == 0 {
		c.base[fwd] = k.Seq - 1
		if k.Flags&decode.SYN != 0 {
			c.base[fwd] = k.Seq
		}
		c.set |= 1 << fwd
	}
	if c.set>>rev&1 == 0 && k.Flags&decode.ACK != 0 {
		c.base[rev] = k.Ack - 1
		c.set |= 1 << rev
	}
	return id, c, reverse
}

// strange is how far apart the sequence numbers of two connections lie, at least, if nothing else tells them apart: no window
// that is common is as wide, and by chance they lie nearer in one of 256 cases.
const strange = 1 << 24

func far(a, b uint32) bool {
	d := int32(a - b)
	return d > strange || d < -strange
}

// beyond reports whether a number lies behind all that a stream has which ends with the segment at fin: a host that uses its
// ports again at once begins behind (RFC 6191 §2; Linux leaves the widest window without a scale).
func beyond(seq, fin uint32) bool { return int32(seq-fin) > 1<<16 || far(seq, fin) }

// another reports whether a segment belongs to a connection that used the ports again and whose SYN is not in the capture: a
// SYN/ACK of other numbers both ways, or after both ends have closed any segment of such numbers.
func another(c *Conv, k *decode.Socket, reverse bool) bool {
	fwd := 0
	if reverse {
		fwd = 1
	}
	if k.Partial || k.Flags&decode.ACK == 0 || k.Flags&decode.RST != 0 {
		return false
	}
	if k.Flags&decode.SYN != 0 {
		seq, ack := c.base[fwd], c.base[1-fwd]
		return c.set == 3 && k.Seq != seq && k.Ack-1 != ack && (c.closed != 0 || far(k.Seq, seq) && far(k.Ack-1, ack))
	}
	return c.closed&3 == 3 && beyond(k.Seq, c.fin[fwd]) && beyond(k.Ack, c.fin[1-fwd])
}

// again starts a conversation that Wireshark takes for a part of the one before: of the same number, and with what it knows
// of the sequence numbers, by which it tells the next one.
func (t *Table) again(e *end, id ConvID, before *Conv, reverse bool, n capture.FrameNo) (ConvID, *Conv, bool) {
	id, c := t.renew(e, id, n)
	c.Instance, c.Stream, c.set, c.base = before.Instance+1, before.Stream, before.set, before.base
	if reverse {
		c.base[0], c.base[1] = c.base[1], c.base[0]
		c.set = c.set>>1 | c.set&1<<1
	}
	return id, c, false
}

// innermost finds or starts the conversation of a frame whose innermost header is not a numbered TCP or UDP header.
func (t *Table) innermost(p *decode.Packet, n capture.FrameNo) (ConvID, *Conv, bool) {
	if q := &p.Quote; q.Valid && q.HasPorts {
		e := end{src: halves(&q.IP.Src), dst: halves(&q.IP.Dst), word: makeWord(shared(q.IP.Proto), true, q.Sport, q.Dport)}
		if id, c, reverse := t.find(&e, e.hash()); c != nil {
			return id, c, !reverse
		}
	}
	ports := false
	if p.Reach == decode.ReachTransport {
		switch p.IP.Proto {
		case protoTCP, protoUDP, protoSCTP, protoUDPLite:
			ports = true
		case protoICMP, protoICMPv6:
			ports = echo(p)
		}
	}
	e := end{src: halves(&p.IP.Src), dst: halves(&p.IP.Dst), word: makeWord(shared(p.IP.Proto), ports, p.Sport, p.Dport), version: p.IP.Version}
	return t.lookup(&e, n)
}

// shared returns the protocol that a protocol's conversations count as.
func shared(proto uint8) uint8 {
	if proto == protoUDPLite {
		return protoUDP
	}
	return proto
}

// echo reports whether an ICMP message has an identifier: echo, and ICMP's timestamp, information and mask requests.
func echo(p *decode.Packet) bool {
	if p.IP.Proto == protoICMPv6 {
		return p.ICMPType == 128 || p.ICMPType == 129
	}
	return p.ICMPType == 0 || p.ICMPType == 8 || p.ICMPType >= 13 && p.ICMPType <= 18
}
