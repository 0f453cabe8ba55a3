package flow

import (
	"cmp"
	"math/bits"
	"slices"
)

// payloads keeps payload bytes under a fixed budget: all of them in a small capture, only the heads of conversations once
// half the budget is gone.
type payloads struct {
	store  *Store // nil: none
	budget int
	used   int
	blocks [][]byte      // filled one after another
	kept   []keptPayload // ascending by place once settled
	index  []uint32      // by place / indexStep: the first of kept that is not before it
}

// indexStep is a power of two.
const indexStep = 64

// keptPayload is one packet's; at is its block and, in the lower blockBits, where in it.
type keptPayload struct{ place, at, n uint32 }

func (p *payloads) bytes(x *keptPayload) []byte {
	from := x.at & (payloadBlock - 1)
	return p.blocks[x.at>>blockBits][from : from+x.n : from+x.n]
}

const (
	// headKeep is what is kept of a conversation's first packets when not everything can be.
	headKeep = 1024
	// payloadBlock is the size of most blocks.
	payloadBlock = 1 << blockBits
	blockBits    = 18
)

// add keeps b, or its head where the budget is short and head says that the packet begins a conversation's direction.
func (p *payloads) add(i uint32, b []byte, head bool) {
	if len(b) == 0 {
		return
	}
	if p.used+len(b) > p.budget/2 {
		if !head || p.used+headKeep > p.budget {
			return
		}
		b = b[:min(len(b), headKeep)]
	}
	copy(p.room(i, len(b)), b)
}

// room keeps n bytes, which are to be filled.
func (p *payloads) room(i uint32, n int) []byte {
	k := len(p.blocks) - 1
	if k < 0 || cap(p.blocks[k])-len(p.blocks[k]) < n {
		size := payloadBlock
		if k < 0 {
			size = 4 << 10 // most captures of a few packets need no more
		}
		p.blocks = append(p.blocks, Column[byte](p.store, max(size, n))[:0])
		k++
	}
	from := len(p.blocks[k])
	p.kept = append(roomy(p.kept), keptPayload{i, uint32(k)<<blockBits | uint32(from), uint32(n)})
	p.blocks[k] = p.blocks[k][:from+n]
	p.used += n
	return p.blocks[k][from:]
}

// settle turns frame indexes, which kept ascends by, into places; frames are those of all places.
func (p *payloads) settle(frames []uint32) {
	// A set of the frames, and how many are in front of each of its words.
	set, before := make([]uint64, len(frames)/64+1), make([]uint32, len(frames)/64+1)
	for _, x := range p.kept {
		set[x.place/64] |= 1 << (x.place % 64)
	}
	n := 0
	for k, w := range set {
		before[k] = uint32(n)
		n += bits.OnesCount64(w)
	}
	for i, f := range frames {
		if w := set[f/64]; w>>(f%64)&1 != 0 {
			p.kept[before[f/64]+uint32(bits.OnesCount64(w&(1<<(f%64)-1)))].place = uint32(i)
		}
	}
	p.indexed(len(frames))
}

// indexed makes what get looks things up in, for n places.
func (p *payloads) indexed(n int) {
	// By steps first, then inside of each.
	p.index = make([]uint32, n/indexStep+2)
	for k := range p.kept {
		p.index[p.kept[k].place/indexStep+1]++
	}
	for i := range p.index[1:] {
		p.index[i+1] += p.index[i]
	}
	at, sorted := slices.Clone(p.index), make([]keptPayload, len(p.kept))
	for _, x := range p.kept {
		k := &at[x.place/indexStep]
		sorted[*k] = x
		*k++
	}
	for i, from := range p.index[:len(p.index)-1] {
		slices.SortFunc(sorted[from:p.index[i+1]], func(x, y keptPayload) int { return cmp.Compare(x.place, y.place) })
	}
	p.kept = sorted
}

// from is the first of kept that is not before a place.
func (p *payloads) from(place uint32) int {
	k := int(p.index[place/indexStep])
	for k < len(p.kept) && p.kept[k].place < place {
		k++
	}
	return k
}

// within is the part that something is kept of, to excluded, of the places from one up to another.
func (p *payloads) within(from, to uint32) (_, _ uint32) {
	if len(p.index) == 0 {
		return from, from
	}
	k, n := p.from(from), p.from(to)
	if k >= n {
		return from, from
	}
	return p.kept[k].place, p.kept[n-1].place + 1
}

func (p *payloads) get(i uint32) ([]byte, bool) {
	if len(p.index) == 0 {
		return nil, false
	}
	k := p.from(i)
	if k == len(p.kept) || p.kept[k].place != i {
		return nil, false
	}
	return p.bytes(&p.kept[k]), true
}
