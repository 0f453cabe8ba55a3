package exchange

import (
	"cmp"
	"slices"

	"github.com/corr-dev/corr/backend/match"
)

// Claim says that a back exchange is what a front exchange became.
type Claim struct {
	Front, Back *Exchange
	Confidence  int
}

// slack is what is allowed beyond the offset's range for timestamps' resolution and disorder at the recorders, ns.
const slack = 200_000

// choice is a possible claim and its cost: the time that the proxy kept request and answer, ns.
type choice struct {
	nesting
	cost int64
}

// assign claims what nests at an offset in [lo, hi] and is told from all else.
// mark says which front exchange a back one's header names, -1 none.
func assign(front, back []*Exchange, ns []nesting, mark []int, lo, hi int64) []Claim {
	mid := lo + (hi-lo)/2
	byBack, byFront := make([][]choice, len(back)), make([][]choice, len(front))
	for _, n := range ns {
		if n.lo > hi+slack || n.hi < lo-slack {
			continue
		}
		// A proxy keeps a request for as long as it likes, but passes an answer on at once.
		c := choice{n, max(0, mid-n.lo)}
		if !back[n.back].Answered {
			c.cost = max(0, n.hi-mid)
		}
		byBack[n.back] = append(byBack[n.back], c)
		byFront[n.front] = append(byFront[n.front], c)
	}
	byCost := func(a, b choice) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), a.front-b.front, a.back-b.back)
	}
	for _, l := range [][][]choice{byBack, byFront} {
		for k := range l {
			slices.SortFunc(l[k], byCost)
		}
	}
	p := &plan{front: front, back: back, to: make([]int, len(back)), sure: make([]int, len(back)), tied: map[match.Conv]match.Conv{}}
	for j := range p.to {
		p.to[j] = -1
	}
	p.lone(byBack, byFront)
	p.named(mark)
	p.tie()
	p.byConversation(byBack)
	p.likely(byBack)
	return p.claims()
}

// plan is an assignment in the making.
type plan struct {
	front, back []*Exchange
	to          []int // by back exchange: the front one, -1 none
	sure        []int // percent
	tied        map[match.Conv]match.Conv
}

// lone claims back exchanges with one possibility only.
func (p *plan) lone(byBack, byFront [][]choice) {
	for j, l := range byBack {
		if len(l) == 1 {
			p.to[j], p.sure[j] = l[0].front, 92
			if len(byFront[l[0].front]) == 1 {
				p.sure[j] = 95
			}
			if len(p.back[j].Forwarded) > 0 {
				p.sure[j] = min(98, p.sure[j]+3)
			}
		}
	}
}

// named claims what header fields say.
func (p *plan) named(mark []int) {
	for j, i := range mark {
		if i >= 0 && p.to[j] == i {
			p.sure[j] = 99
		}
	}
}

// tie notes conversations of which all claims agree: one behind goes with one in front.
func (p *plan) tie() {
	with, against := map[match.Conv]match.Conv{}, map[match.Conv]bool{}
	for j, i := range p.to {
		if i < 0 {
			continue
		}
		b, f := p.back[j].Conv, p.front[i].Conv
		if o, ok := with[b]; ok && o != f {
			against[b] = true
		}
		with[b] = f
	}
	for b, f := range with {
		if !against[b] {
			p.tied[b] = f
		}
	}
}

// byConversation claims what only one exchange of the tied conversation fits.
func (p *plan) byConversation(byBack [][]choice) {
	used := p.used()
	for j, l := range byBack {
		f, ok := p.tied[p.back[j].Conv]
		if p.to[j] >= 0 || !ok {
			continue
		}
		at := -1
		for _, c := range l {
			if p.front[c.front].Conv == f && !used[c.front] {
				if at >= 0 {
					at = -2
					break
				}
				at = c.front
			}
		}
		if at >= 0 {
			p.to[j], p.sure[j] = at, 90
			used[at] = true
		}
	}
}

func (p *plan) used() map[int]bool {
	used := map[int]bool{}
	for j, i := range p.to {
		if i >= 0 && p.back[j].Answered {
			used[i] = true
		}
	}
	return used
}

func (p *plan) claims() []Claim {
	var out []Claim
	for j, i := range p.to {
		if i >= 0 {
			out = append(out, Claim{p.front[i], p.back[j], p.sure[j]})
		}
	}
	return out
}
