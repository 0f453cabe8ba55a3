package flow

import "sort"

// payloads keeps payload bytes by frame under a fixed budget: all of them in a small capture, only the heads of
// conversations once half the budget is gone.
type payloads struct {
	budget int
	arena  []byte
	frame  []uint32 // ascending
	off    []uint32
}

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
	p.frame = append(p.frame, i)
	p.off = append(p.off, uint32(len(p.arena)))
	p.arena = append(p.arena, b...)
}

func (p *payloads) get(i uint32) ([]byte, bool) {
	k := sort.Search(len(p.frame), func(k int) bool { return p.frame[k] >= i })
	if k == len(p.frame) || p.frame[k] != i {
		return nil, false
	}
	end := uint32(len(p.arena))
	if k+1 < len(p.off) {
		end = p.off[k+1]
	}
	return p.arena[p.off[k]:end:end], true
}
