package exchange

import (
	"cmp"
	"fmt"
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
func assign(front, back []*Exchange, ns []nesting, lo, hi int64) []Claim {
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
	p.tie()
	p.byConversation(byBack)
	p.byTime(byBack, byFront)
	p.inOrder(byBack)
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

// byTime claims pairs that are each other's best where the next best is much worse: an answer that goes back within a
// millisecond is told from one that would have waited for ten.
func (p *plan) byTime(byBack, byFront [][]choice) {
	for round := 0; round < 4; round++ {
		used := p.used()
		taken := func(c choice) bool { return used[c.front] || p.to[c.back] >= 0 }
		found := false
		for j := range byBack {
			if p.to[j] >= 0 {
				continue
			}
			l := slices.DeleteFunc(slices.Clone(byBack[j]), taken)
			if len(l) == 0 {
				continue
			}
			m := slices.DeleteFunc(slices.Clone(byFront[l[0].front]), taken)
			if len(m) == 0 || m[0].back != j {
				continue
			}
			next := int64(1) << 62
			if len(l) > 1 {
				next = l[1].cost
			}
			if len(m) > 1 {
				next = min(next, m[1].cost)
			}
			if next < l[0].cost*4+2_000_000 {
				continue
			}
			p.to[j], p.sure[j] = l[0].front, 85
			used[l[0].front] = true
			found = true
		}
		if !found {
			return
		}
	}
}

// groupMost bounds the exchanges that are told apart by their order alone.
const groupMost = 8

// inOrder claims groups of exchanges that are alike in all but their order: as many in front as behind, each of which fits
// each, and whose requests and answers come in the same order on both sides. A proxy that lets one overtake another would
// be claimed wrongly, so it is said with less confidence.
func (p *plan) inOrder(byBack [][]choice) {
	used := p.used()
	group := map[string][]int{}
	var order []string
	for j := range byBack {
		if p.to[j] >= 0 || !p.back[j].Answered {
			continue
		}
		var fronts []int
		for _, c := range byBack[j] {
			if !used[c.front] {
				fronts = append(fronts, c.front)
			}
		}
		if len(fronts) < 2 || len(fronts) > groupMost {
			continue
		}
		slices.Sort(fronts)
		k := fmt.Sprint(fronts)
		if group[k] == nil {
			order = append(order, k)
		}
		group[k] = append(group[k], j)
	}
	for _, k := range order {
		backs := group[k]
		var fronts []int
		for _, c := range byBack[backs[0]] {
			if !used[c.front] {
				fronts = append(fronts, c.front)
			}
		}
		if len(fronts) != len(backs) {
			continue
		}
		slices.SortFunc(fronts, func(a, b int) int { return cmp.Compare(p.front[a].Request.Start, p.front[b].Request.Start) })
		slices.SortFunc(backs, func(a, b int) int { return cmp.Compare(p.back[a].Request.Start, p.back[b].Request.Start) })
		same := true
		for i := 1; i < len(fronts); i++ {
			same = same && p.front[fronts[i-1]].Answer.End < p.front[fronts[i]].Answer.End && p.back[backs[i-1]].Answer.End < p.back[backs[i]].Answer.End
		}
		for i := 0; same && i < len(fronts); i++ {
			p.to[backs[i]], p.sure[backs[i]] = fronts[i], 70
		}
	}
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
