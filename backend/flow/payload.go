package flow

import (
	"cmp"
	"slices"
)

// payloads keeps payload bytes under a fixed budget: all of them in a small capture, only the heads of conversations once
// half the budget is gone.
type payloads struct {
	budget int
	arena  []byte
	kept   []keptPayload // ascending by place once settled
}

type keptPayload struct{ place, from, n uint32 }

// headKeep is what is kept of a conversation's first packets when not everything can be.
const headKeep = 1024

// add keeps b, or its head where the budget is short and head says that the packet begins a conversation's direction.
func (p *payloads) add(i uint32, b []byte, head bool) {
	if len(b) == 0 {
		return
	}
	if len(p.arena)+len(b) > p.budget/2 {
		if !head || len(p.arena)+headKeep > p.budget {
			return
		}
		b = b[:min(len(b), headKeep)]
	}
	p.kept = append(p.kept, keptPayload{i, uint32(len(p.arena)), uint32(len(b))})
	p.arena = append(p.arena, b...)
}

// settle turns frame indexes into places.
func (p *payloads) settle(place []uint32) {
	for k := range p.kept {
		p.kept[k].place = place[p.kept[k].place]
	}
	slices.SortFunc(p.kept, func(x, y keptPayload) int { return cmp.Compare(x.place, y.place) })
}

func (p *payloads) get(i uint32) ([]byte, bool) {
	k, ok := slices.BinarySearchFunc(p.kept, i, func(x keptPayload, i uint32) int { return cmp.Compare(x.place, i) })
	if !ok {
		return nil, false
	}
	x := p.kept[k]
	return p.arena[x.from : x.from+x.n : x.from+x.n], true
}
