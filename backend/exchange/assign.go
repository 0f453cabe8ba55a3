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
	Edge        bool // it alone would narrow the offsets that nearly all claims allow: no evidence for a clock
}

// slack is what is allowed beyond the offset's range for timestamps' resolution and disorder at the recorders, ns.
const slack = 200_000

// within is a back exchange of which it is known only that it carries on some exchange of one conversation in front: of
// those that it can be, the first to be asked.
type within struct {
	first, back *Exchange
	edge        bool // it alone would narrow the range of offsets
}

// settle claims what nests at an offset in [lo, hi], which it narrows by what the sure claims allow, and gives too.
func settle(front, back []*Exchange, ns []nesting, mark []int, lo, hi int64) ([]Claim, []within, int64, int64) {
	for range settleRounds {
		cs, _ := assign(front, back, ns, mark, lo, hi)
		l, h, ok := agreed(cs)
		if l, h = max(l, lo), min(h, hi); !ok || l > h || h-l >= hi-lo {
			break
		}
		lo, hi = l, h
	}
	claims, withins := assign(front, back, ns, mark, lo, hi)
	for i := range withins {
		l, h, ok := nest(withins[i].first, withins[i].back)
		withins[i].edge = !ok || l > lo || h < hi
	}
	l, h, ok := agreed(claims)
	for i := range claims {
		if x, y, _ := nest(claims[i].Front, claims[i].Back); ok && (x > h+slack || y < l-slack) {
			claims[i].Confidence = min(claims[i].Confidence, 60) // against the clocks that nearly all others agree on
		} else {
			claims[i].Edge = ok && (x > l || y < h)
		}
	}
	return claims, withins, lo, hi
}

const settleRounds = 3

// agreed is the range of offsets that nearly all sure claims allow.
func agreed(cs []Claim) (lo, hi int64, ok bool) {
	type event struct {
		at   int64
		step int
	}
	var es []event
	whole, holed := 0, 0
	for i := range cs {
		f, b := cs[i].Front, cs[i].Back
		if cs[i].Confidence < 90 {
			continue
		}
		if f.Request.Holes || f.Answer.Holes || b.Request.Holes || b.Answer.Holes {
			holed++
			continue
		}
		whole++
		if l, h, ok := nest(f, b); ok {
			es = append(es, event{l, 1}, event{h, -1})
		}
	}
	if len(es) < 2*nestedLeast {
		return 0, 0, false
	}
	slices.SortFunc(es, func(a, b event) int { return cmp.Or(cmp.Compare(a.at, b.at), b.step-a.step) })
	n, best := 0, 0
	in := make([]int, len(es)) // behind each event
	for k, e := range es {
		n += e.step
		in[k], best = n, max(best, n)
	}
	// Where much of what was said is missing, what is left may stand for what is missing.
	least := best - best/tolerated - best*holed/(2*(whole+holed))
	for k := range es {
		if in[k] >= least {
			if !ok {
				lo, ok = es[k].at, true
			}
			hi = es[min(k+1, len(es)-1)].at
		}
	}
	return lo, hi, ok
}

// assign claims what nests at an offset in [lo, hi] and is told from all else.
// mark says which front exchange a back one's header names, -1 none.
func assign(front, back []*Exchange, ns []nesting, mark []int, lo, hi int64) ([]Claim, []within) {
	byBack, byFront := make([][]int, len(back)), make([][]int, len(front))
	for _, n := range ns {
		if n.lo <= hi+slack && n.hi >= lo-slack {
			byBack[n.back] = append(byBack[n.back], n.front)
			byFront[n.front] = append(byFront[n.front], n.back)
		}
	}
	p := &plan{front: front, back: back, to: make([]int, len(back)), sure: make([]int, len(back)), tied: map[match.Conv]match.Conv{}}
	for j := range p.to {
		p.to[j] = -1
	}
	p.lone(byBack, byFront)
	p.named(mark)
	p.rivals(mark)
	p.tie()
	p.byConversation(byBack)
	p.likely(byBack)
	return p.claims(), p.withins(byBack)
}

// plan is an assignment in the making.
type plan struct {
	front, back []*Exchange
	to          []int // by back exchange: the front one, -1 none
	sure        []int // percent
	tied        map[match.Conv]match.Conv
}

// lone claims back exchanges with one possibility only.
func (p *plan) lone(byBack, byFront [][]int) {
	for j, l := range byBack {
		if len(l) == 1 {
			p.to[j], p.sure[j] = l[0], 92
			if len(byFront[l[0]]) == 1 {
				p.sure[j] = 95
			}
			if len(p.back[j].Forwarded) > 0 {
				p.sure[j] = min(98, p.sure[j]+3)
			}
		}
	}
}

// named is sure of claims that header fields confirm: what they name nests in nothing else.
func (p *plan) named(mark []int) {
	for j, i := range mark {
		if i >= 0 && p.to[j] == i {
			p.sure[j] = 99
		}
	}
}

// rivals takes back claims of one request in front for several answered ones behind: it is one of them, and nothing tells which. Who
// asks for names may ask several for one.
func (p *plan) rivals(mark []int) {
	n := map[int]int{}
	of := func(j int) bool { return p.to[j] >= 0 && p.back[j].Answered && p.back[j].Key == "" }
	for j := range p.to {
		if of(j) {
			n[p.to[j]]++
		}
	}
	for j := range p.to {
		if of(j) && n[p.to[j]] > 1 && mark[j] != p.to[j] {
			p.to[j], p.sure[j] = -1, 0
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
func (p *plan) byConversation(byBack [][]int) {
	used := p.used()
	for j, l := range byBack {
		f, ok := p.tied[p.back[j].Conv]
		if p.to[j] >= 0 || !ok {
			continue
		}
		at := -1
		for _, c := range l {
			if p.front[c].Conv == f && !used[c] {
				if at >= 0 {
					at = -2
					break
				}
				at = c
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
			out = append(out, Claim{Front: p.front[i], Back: p.back[j], Confidence: p.sure[j]})
		}
	}
	return out
}

// withins lists what is claimed for no exchange and lies in one conversation all the same: everything in front that it can
// be belongs to that one, which says several things at once.
func (p *plan) withins(byBack [][]int) (out []within) {
	used := p.used()
	for j, l := range byBack {
		if p.to[j] >= 0 {
			continue
		}
		at := -1
		for _, c := range l {
			if used[c] {
				continue
			}
			if !p.front[c].Among || at >= 0 && p.front[at].Conv != p.front[c].Conv {
				at = -1
				break
			}
			if at < 0 || p.front[c].Request.Start < p.front[at].Request.Start {
				at = c
			}
		}
		if at >= 0 {
			out = append(out, within{first: p.front[at], back: p.back[j]})
		}
	}
	return out
}
