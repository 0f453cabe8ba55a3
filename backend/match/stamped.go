package match

import (
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

// Where packets carry no identification, a gateway that changes payloads and lengths, and so shifts the numbers of all that
// follows, leaves one thing alone: the timestamps, which both ends make (RFC 7323 §3). A device that ends TCP makes its own.

// stampsLeast is how many packets must agree in timestamps and differ in numbers.
const stampsLeast = 2

// rewrittenMost is by how many bytes, at most, a gateway's addresses change a segment's length: of some ten, of either version.
const rewrittenMost = 256

// stamp is a packet's key by its timestamps; ok is false for one without.
func stamp(f *flow.Fact) (k uint64, ok bool) {
	if !f.Is(flow.MarkTS) || f.Flags()&decode.SYN != 0 || f.Mark&(flow.MarkError|flow.MarkLater|flow.MarkFragment) != 0 {
		return 0, false
	}
	empty := uint64(0)
	if f.Len() == 0 {
		empty = 1
	}
	return flow.Mix(uint64(f.TSval)<<32|uint64(f.Opt), uint64(f.Flags()&flagsKept)<<1|empty), true
}

// byStamp pairs two lists by timestamps, where as many packets of either side have the same ones: in order.
func (m *matcher) byStamp(x, y []uint32) (pairs []Pair) {
	m.groups = m.groups[:0]
	for _, i := range x {
		if k, ok := stamp(m.a.At(i)); ok {
			m.groups = append(m.groups, grouped{k, i, 0})
		}
	}
	for _, i := range y {
		if k, ok := stamp(m.b.At(i)); ok {
			m.groups = append(m.groups, grouped{k, i, 1})
		}
	}
	slices.SortStableFunc(m.groups, byKeyAndSide)
	g := m.groups
	for i := 0; i < len(g); {
		j, split := i, i
		for ; j < len(g) && g[j].key == g[i].key; j++ {
			if g[j].side == 0 {
				split = j + 1
			}
		}
		if n := split - i; n > 0 && n == j-split {
			for k := range n {
				if f, h := m.a.At(g[i+k].i), m.b.At(g[split+k].i); max(f.Len(), h.Len())-min(f.Len(), h.Len()) > rewrittenMost {
					continue // a card joined some
				}
				pairs = append(pairs, Pair{g[i+k].i, g[split+k].i, HowRewritten})
			}
		}
		i = j
	}
	return pairs
}

// sharedStamps reports whether half of the packets agree in timestamps, though none in its numbers.
func (m *matcher) sharedStamps() bool {
	shared, least := 0, 0
	for d := range 2 {
		pairs := m.byStamp(m.la[d], m.lb[d])
		shared += len(pairs)
		least += min(len(m.la[d]), len(m.lb[d]))
	}
	return shared > stampsLeast && shared*2 >= least
}

// stamped pairs what is left by timestamps, if they show that the numbers of this direction were shifted. before are the pairs
// that the direction has already.
func (m *matcher) stamped(t *Traits, d int, w Window, before []Pair) {
	if !t.KeepsTS || t.KeepsID || len(m.restA) == 0 || len(m.restB) == 0 {
		return
	}
	pairs := m.byStamp(m.restA, m.restB)
	shifted, first := 0, uint32(math.MaxUint32)
	for _, p := range pairs {
		if f, h := m.a.At(p.A), m.b.At(p.B); f.Len() > 0 && f.Seq+t.Shift[d] != h.Seq { // acknowledgements within a tick differ
			shifted++
			first = min(first, p.A)
		}
	}
	if shifted < stampsLeast {
		if t.Moved[1-d] {
			m.takeStamped(slices.DeleteFunc(pairs, func(p Pair) bool { return m.a.At(p.A).Len() > 0 }), d, w)
		}
		return
	}
	// Behind the first change all numbers are shifted. Where they are not, what is left are different segments of one tick.
	for _, p := range before {
		if p.A > first && m.a.At(p.A).Len() > 0 {
			if shifted--; shifted < stampsLeast {
				return
			}
		}
	}
	t.Moved[d] = true
	m.takeStamped(pairs, d, w)
}

// takeStamped takes pairs that are in time.
func (m *matcher) takeStamped(pairs []Pair, d int, w Window) {
	used := map[uint64]bool{}
	for _, p := range pairs {
		if w == nil || m.inWindow(p.A, p.B, d, w) {
			m.pair(p.A, p.B, p.How)
			used[uint64(p.A)], used[uint64(p.B)|1<<32] = true, true
		}
	}
	m.restA, m.restB = drop(m.restA, used, 0), drop(m.restB, used, 1<<32)
}
