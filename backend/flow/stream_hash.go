package flow

import (
	"encoding/binary"
	"math/bits"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

// end is a conversation's key: both ends, in the direction of the frame at hand.
type end struct {
	src, dst       *decode.Addr
	sport, dport   uint16
	proto, version uint8
	ports          bool
}

// half hashes one end.
func half(a *decode.Addr, port uint16) uint64 {
	lo := binary.LittleEndian.Uint64(a[:8]) ^ 0x9e3779b97f4a7c15
	hi := binary.LittleEndian.Uint64(a[8:]) ^ uint64(port)*0xd6e8feb86659fd93
	h, l := bits.Mul64(lo, hi^0xa0761d6478bd642f)
	return h ^ l
}

// hash is the same for both directions, so the sum, not the sequence, of the ends.
func (e *end) hash() uint32 {
	sum := half(e.src, e.sport) + half(e.dst, e.dport)
	seed := uint64(e.proto)
	if e.ports {
		seed |= 1 << 8
	}
	h, l := bits.Mul64(sum^seed<<32, 0xe7037ed1a0b428db)
	return uint32(h ^ l ^ l>>32)
}

// match reports whether the key is that of c, and in which direction.
func (e *end) match(c *Conv) (is, reverse bool) {
	if e.proto != c.Proto || e.ports != c.HasPorts {
		return false, false
	}
	if e.sport == c.Sport && e.dport == c.Dport && *e.src == c.Src && *e.dst == c.Dst {
		return true, false
	}
	if e.sport == c.Dport && e.dport == c.Sport && *e.src == c.Dst && *e.dst == c.Src {
		return true, true
	}
	return false, false
}

// lookup finds the newest conversation of a key or starts one.
func (t *Table) lookup(e *end, n capture.FrameNo) (ConvID, bool) {
	if t.last != NoConv {
		if is, reverse := e.match(t.Conv(t.last)); is {
			return t.last, reverse
		}
	}
	h := e.hash()
	if id, reverse := t.find(e, h); id != NoConv {
		t.last = id
		return id, reverse
	}
	id := t.add(e, n)
	if (t.n)*2 > uint32(len(t.slots)) {
		t.grow()
	}
	i := h & t.mask
	for t.slots[i].id != 0 {
		i = (i + 1) & t.mask
	}
	t.slots[i] = slot{h, uint32(id) + 1}
	t.last = id
	return id, false
}

// find returns the newest conversation of a key, NoConv if there is none.
func (t *Table) find(e *end, h uint32) (ConvID, bool) {
	for i := h & t.mask; t.slots[i].id != 0; i = (i + 1) & t.mask {
		s := t.slots[i]
		if s.hash != h {
			continue
		}
		if is, reverse := e.match(t.Conv(ConvID(s.id - 1))); is {
			return ConvID(s.id - 1), reverse
		}
	}
	return NoConv, false
}

// add appends a conversation.
func (t *Table) add(e *end, n capture.FrameNo) ConvID {
	id := ConvID(t.n)
	if t.n&(convChunkLen-1) == 0 {
		t.chunks = append(t.chunks, new([convChunkLen]Conv))
	}
	t.n++
	*t.Conv(id) = Conv{Src: *e.src, Dst: *e.dst, Sport: e.sport, Dport: e.dport, Proto: e.proto, Version: e.version,
		HasPorts: e.ports, Stream: -1, StreamBack: -1, First: n}
	return id
}

// renew starts another conversation with the key of old, which is found no more.
func (t *Table) renew(e *end, old ConvID, n capture.FrameNo) ConvID {
	id := t.add(e, n)
	h := e.hash()
	i := h & t.mask
	for t.slots[i].id != uint32(old)+1 {
		i = (i + 1) & t.mask
	}
	t.slots[i].id = uint32(id) + 1
	t.last = id
	return id
}

// grow doubles the hash table.
func (t *Table) grow() {
	old := t.slots
	t.slots = make([]slot, 2*len(old))
	t.mask = uint32(len(t.slots) - 1)
	for _, s := range old {
		if s.id == 0 {
			continue
		}
		i := s.hash & t.mask
		for t.slots[i].id != 0 {
			i = (i + 1) & t.mask
		}
		t.slots[i] = s
	}
}
