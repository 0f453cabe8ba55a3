package flow

import (
	"encoding/binary"
	"math/bits"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

// end is a conversation's key: both ends, in the direction of the frame at hand.
type end struct {
	src, dst [2]uint64 // addresses in halves
	word     word
	version  uint8
}

// word is all of a key but the addresses, in one machine word because it is compared for every packet: from the top
// protocol, whether ports count, source port, destination port.
type word uint64

const wordPorts word = 1 << 32

func makeWord(proto uint8, ports bool, sport, dport uint16) word {
	w := word(proto) << 40
	if ports {
		w |= wordPorts | word(sport)<<16 | word(dport)
	}
	return w
}

func (w word) proto() uint8  { return uint8(w >> 40) }
func (w word) sport() uint16 { return uint16(w >> 16) }
func (w word) dport() uint16 { return uint16(w) }

// turned is the word of the other direction.
func (w word) turned() word { return w&^0xffffffff | w&0xffff<<16 | w>>16&0xffff }

// halves is how an end holds an address.
func halves(a *decode.Addr) [2]uint64 {
	return [2]uint64{binary.LittleEndian.Uint64(a[:8]), binary.LittleEndian.Uint64(a[8:])}
}

func address(h [2]uint64) (a decode.Addr) {
	binary.LittleEndian.PutUint64(a[:8], h[0])
	binary.LittleEndian.PutUint64(a[8:], h[1])
	return a
}

// half hashes one end.
func half(a [2]uint64, port uint16) uint64 {
	h, l := bits.Mul64(a[0]^0x9e3779b97f4a7c15, a[1]^uint64(port)*0xd6e8feb86659fd93^0xa0761d6478bd642f)
	return h ^ l
}

// hash is the same for both directions, so the sum, not the sequence, of the ends.
func (e *end) hash() uint32 {
	return e.word.hash(half(e.src, e.word.sport()) + half(e.dst, e.word.dport()))
}

// hash is that of a key whose ends' halves add up to ends.
func (w word) hash(ends uint64) uint32 {
	h, l := bits.Mul64(ends^uint64(w>>32), 0xe7037ed1a0b428db)
	return uint32(h ^ l ^ l>>32)
}

// match reports whether the key is that of c, and in which direction.
func (e *end) match(c *Conv) (is, reverse bool) {
	if e.word == c.word && same(&e.src, &c.Src) && same(&e.dst, &c.Dst) {
		return true, false
	}
	if e.word.turned() == c.word && same(&e.src, &c.Dst) && same(&e.dst, &c.Src) {
		return true, true
	}
	return false, false
}

// same compares an address with one in halves, lower (IPv4's) first.
func same(h *[2]uint64, a *decode.Addr) bool {
	return h[1] == binary.LittleEndian.Uint64(a[8:]) && h[0] == binary.LittleEndian.Uint64(a[:8])
}

// equal compares in halves, lower (IPv4's) first: faster than a call that compares any length.
func equal(a, b *decode.Addr) bool {
	return binary.LittleEndian.Uint64(a[8:]) == binary.LittleEndian.Uint64(b[8:]) &&
		binary.LittleEndian.Uint64(a[:8]) == binary.LittleEndian.Uint64(b[:8])
}

// lookup finds the newest conversation of a key or starts one.
func (t *Table) lookup(e *end, n capture.FrameNo) (ConvID, *Conv, bool) {
	if t.lastConv != nil {
		if is, reverse := e.match(t.lastConv); is {
			return t.last, t.lastConv, reverse
		}
	}
	h := e.hash()
	id, c, reverse := t.find(e, h)
	if c == nil {
		id, c = t.add(e, n)
		t.insert(slot{h, uint32(id) + 1})
	}
	t.last, t.lastConv = id, c
	return id, c, reverse
}

// find returns the newest conversation of a key, nil if there is none.
func (t *Table) find(e *end, h uint32) (ConvID, *Conv, bool) {
	for i := h & t.mask; ; i = (i + 1) & t.mask {
		s := t.slots[i]
		if s.id == 0 {
			return NoConv, nil, false
		}
		if s.hash != h {
			continue
		}
		c := t.Conv(ConvID(s.id - 1))
		if is, reverse := e.match(c); is {
			return ConvID(s.id - 1), c, reverse
		}
	}
}

// insert adds a slot, for a key that has none.
func (t *Table) insert(s slot) {
	if t.n*2 > uint32(len(t.slots)) {
		t.grow()
	}
	i := s.hash & t.mask
	for t.slots[i].id != 0 {
		i = (i + 1) & t.mask
	}
	t.slots[i] = s
}

// add appends a conversation.
func (t *Table) add(e *end, n capture.FrameNo) (ConvID, *Conv) {
	id := ConvID(t.n)
	if t.n&(convChunkLen-1) == 0 {
		t.chunks = append(t.chunks, new([convChunkLen]Conv))
	}
	t.n++
	c := t.Conv(id)
	*c = Conv{Src: address(e.src), Dst: address(e.dst), Sport: e.word.sport(), Dport: e.word.dport(), Proto: e.word.proto(), Version: e.version,
		HasPorts: e.word&wordPorts != 0, word: e.word, Stream: -1, StreamBack: -1, First: n}
	return id, c
}

// renew starts another conversation with the key of old, which is found no more.
func (t *Table) renew(e *end, old ConvID, n capture.FrameNo) (ConvID, *Conv) {
	id, c := t.add(e, n)
	i := e.hash() & t.mask
	for t.slots[i].id != uint32(old)+1 {
		i = (i + 1) & t.mask
	}
	t.slots[i].id = uint32(id) + 1
	t.last, t.lastConv = id, c
	return id, c
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
