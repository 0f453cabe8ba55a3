package match

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/corr-dev/corr/backend/flow"
)

// Link holds the pairs of frames of two captures. Frames are told by their places (flow.Capture); the peer columns hold place + 1,
// 0 for none.
type Link struct {
	A, B int
	ToB  []uint32 // by A's frame: the first counterpart at B
	ToA  []uint32 // by B's frame: the first counterpart at A
	How  []How    // by A's frame: of the pair in ToB
	More []Pair   // pairs that ToB has no room for, sorted
	N    int64    // pairs

	store  *flow.Store
	shared bool // some frame of B has several counterparts

	once sync.Once
	byB  []Pair
}

// eachVisit is the number of frames after which Each tells the store of the visits.
const eachVisit = 1 << 12

// Link holds the pairs of two captures, in either order; nil for none.
func (r *Result) Link(a, b int) *Link {
	for _, l := range r.Links {
		if l.A == min(a, b) && l.B == max(a, b) {
			return l
		}
	}
	return nil
}

// Each calls f for every pair, in the order of places at A.
func (l *Link) Each(f func(p Pair)) { l.Within(0, uint32(len(l.ToB)), f) }

// Within is Each for places at A from one up to another, which is excluded.
func (l *Link) Within(from, to uint32, f func(p Pair)) {
	k, _ := slices.BinarySearchFunc(l.More, from, func(p Pair, i uint32) int { return cmp.Compare(p.A, i) })
	for i := from; i < to; i++ {
		if i%eachVisit == 0 {
			l.store.Visit(2 * eachVisit)
		}
		if b := l.ToB[i]; b != 0 {
			f(Pair{i, b - 1, l.How[i]})
		}
		for ; k < len(l.More) && l.More[k].A == i; k++ {
			f(l.More[k])
		}
	}
}

// Peers lists the counterparts of a frame of capture c, which is one of the link's.
func (l *Link) Peers(c int, i uint32, buf []Pair) []Pair {
	buf = buf[:0]
	if c == l.A {
		if b := l.ToB[i]; b != 0 {
			buf = append(buf, Pair{i, b - 1, l.How[i]})
			k, _ := slices.BinarySearchFunc(l.More, i, func(p Pair, i uint32) int { return cmp.Compare(p.A, i) })
			for ; k < len(l.More) && l.More[k].A == i; k++ {
				buf = append(buf, l.More[k])
			}
		}
		return buf
	}
	if a := l.ToA[i]; a != 0 {
		if len(l.More) == 0 && !l.shared {
			return append(buf, Pair{a - 1, i, l.How[a-1]})
		}
		// The pairs of one B frame lie near each other among A's frames, but not in one place.
		l.index()
		k, _ := slices.BinarySearchFunc(l.byB, i, func(p Pair, i uint32) int { return cmp.Compare(p.B, i) })
		if l.ToB[a-1] == i+1 {
			buf = append(buf, Pair{a - 1, i, l.How[a-1]})
		}
		for ; k < len(l.byB) && l.byB[k].B == i; k++ {
			buf = append(buf, l.byB[k])
		}
	}
	return buf
}

// Ask has what is known of capture c's frames from place i on brought near, for n of them.
func (l *Link) Ask(c int, i, n uint32) {
	if c != l.A {
		flow.PrefetchAll(l.ToA[i:min(i+n, uint32(len(l.ToA)))])
		return
	}
	n = min(i+n, uint32(len(l.ToB)))
	flow.PrefetchAll(l.ToB[i:n])
	flow.PrefetchAll(l.How[i:n])
}

// Only is the counterpart of a frame of capture c, which is one of the link's and has one; ok is false where it may have more.
func (l *Link) Only(c int, i uint32) (peer uint32, how How, ok bool) {
	if len(l.More) > 0 || l.shared {
		return 0, 0, false
	}
	if c == l.A {
		return l.ToB[i] - 1, l.How[i], true
	}
	a := l.ToA[i] - 1
	return a, l.How[a], true
}

// HowOf tells how a frame of capture c, which is one of the link's, was paired: HowNone where it has no counterpart, or where that takes
// more than a look (Peers).
func (l *Link) HowOf(c int, i uint32) How {
	if c == l.A {
		return l.How[i] // none where there is none
	}
	if a := l.ToA[i]; a != 0 && l.ToB[a-1] == i+1 {
		return l.How[a-1]
	}
	return HowNone
}

// index sorts by B what Peers can't find by A: the further pairs, and the first pairs of A's frames whose counterpart
// has an earlier A frame.
func (l *Link) index() {
	l.once.Do(func() {
		l.byB = slices.Clone(l.More)
		for i, b := range l.ToB {
			if b != 0 && l.ToA[b-1] != uint32(i)+1 {
				l.byB = append(l.byB, Pair{uint32(i), b - 1, l.How[i]})
			}
		}
		slices.SortFunc(l.byB, func(p, q Pair) int {
			if c := cmp.Compare(p.B, q.B); c != 0 {
				return c
			}
			return cmp.Compare(p.A, q.A)
		})
	})
}

// Has reports whether a frame of capture c, which is one of the link's, has a counterpart.
func (l *Link) Has(c int, i uint32) bool {
	if c == l.A {
		return l.ToB[i] != 0
	}
	return l.ToA[i] != 0
}

// Remove takes pairs out.
func (l *Link) Remove(ps []Pair) {
	if len(ps) == 0 {
		return
	}
	gone := make(map[Pair]bool, len(ps))
	for _, p := range ps {
		gone[p] = true
	}
	first := func(l []Pair) *Pair {
		for k := range l {
			if !gone[l[k]] {
				return &l[k]
			}
		}
		return nil
	}
	moved := map[Pair]bool{} // from More, where they were
	for _, p := range ps {
		atA, atB := first(l.Peers(l.A, p.A, nil)), first(l.Peers(l.B, p.B, nil))
		if l.ToB[p.A] == p.B+1 {
			if l.ToB[p.A], l.How[p.A] = 0, 0; atA != nil {
				l.ToB[p.A], l.How[p.A] = atA.B+1, atA.How
				moved[*atA] = true
			}
		}
		if l.ToA[p.B] == p.A+1 {
			if l.ToA[p.B] = 0; atB != nil {
				l.ToA[p.B] = atB.A + 1
			}
		}
	}
	l.More = slices.DeleteFunc(l.More, func(p Pair) bool { return gone[p] || moved[p] })
	l.N -= int64(len(ps))
	l.once, l.byB = sync.Once{}, nil
}

// linker collects pairs of many flows at once: a frame belongs to one flow, so columns need no lock.
type linker struct {
	mu    sync.Mutex
	links map[[2]int]*Link
	r     *Result
}

// get makes the link of two captures on first use; x and y in either order.
func (k *linker) get(x, y int) *Link {
	if x > y {
		x, y = y, x
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.links[[2]int{x, y}]
	if l == nil {
		l = &Link{A: x, B: y, store: k.r.Caps[x].Store, ToB: flow.Column[uint32](k.r.Caps[x].Store, k.r.Caps[x].Len()), ToA: flow.Column[uint32](k.r.Caps[y].Store, k.r.Caps[y].Len())}
		l.How = flow.Column[How](k.r.Caps[x].Store, len(l.ToB))
		k.links[[2]int{x, y}] = l
	}
	return l
}

// hand is what one worker brings a linker: what needs its lock is handed over at the end.
type hand struct {
	k     *linker
	links []*handful // few, the one used last in front
}

// handful is what a worker has found of one link.
type handful struct {
	*Link
	more   []Pair
	n      int64
	shared bool
}

// link is the handful of two captures, in either order.
func (h *hand) link(x, y int) *handful {
	for n, l := range h.links {
		if l.A == min(x, y) && l.B == max(x, y) {
			h.links[0], h.links[n] = l, h.links[0]
			return l
		}
	}
	l := &handful{Link: h.k.get(x, y)}
	h.links = append(h.links, l)
	return l
}

// add stores pairs of captures a and b.
func (h *hand) add(a, b int, ps []Pair) {
	if len(ps) == 0 {
		return
	}
	l := h.link(a, b)
	l.n += int64(len(ps))
	for _, p := range ps {
		if a > b {
			p.A, p.B = p.B, p.A
		}
		if l.ToB[p.A] == 0 {
			l.ToB[p.A], l.How[p.A] = p.B+1, p.How
		} else {
			l.more = append(l.more, p)
		}
		if l.ToA[p.B] == 0 {
			l.ToA[p.B] = p.A + 1
		} else {
			l.shared = true
		}
	}
}

// over hands it all over.
func (h *hand) over() {
	h.k.mu.Lock()
	defer h.k.mu.Unlock()
	for _, l := range h.links {
		l.Link.shared = l.Link.shared || l.shared
		l.N += l.n
		l.More = append(l.More, l.more...)
	}
}

// Packets pairs the packets of every flow between its neighbouring points, and between two points around those that
// missed a packet.
func Packets(ctx context.Context, r *Result) error {
	k := &linker{links: map[[2]int]*Link{}, r: r}
	work := make(chan []*Flow, 64)
	var wg sync.WaitGroup
	for n := 0; n < workers(); n++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			m, h := &matcher{}, &hand{k: k}
			defer h.over()
			for fs := range work {
				for _, f := range fs {
					if ctx.Err() == nil {
						r.pairFlow(m, h, f)
					}
				}
			}
		}()
	}
	for i := 0; i < len(r.Flows); i += 64 {
		work <- r.Flows[i:min(i+64, len(r.Flows))]
	}
	close(work)
	wg.Wait()
	sortCauses(r.Causes)
	for _, c := range r.Causes {
		k.get(c.Cause.Capture, c.Effect.Capture) // clocks are related along links
	}
	for _, l := range k.links {
		slices.SortFunc(l.More, func(p, q Pair) int {
			if c := cmp.Compare(p.A, q.A); c != 0 {
				return c
			}
			return cmp.Compare(p.B, q.B)
		})
		r.Links = append(r.Links, l)
	}
	slices.SortFunc(r.Links, func(x, y *Link) int {
		if c := cmp.Compare(x.A, y.A); c != 0 {
			return c
		}
		return cmp.Compare(x.B, y.B)
	})
	return ctx.Err()
}

// pairFlow pairs one flow's packets along its path in each direction.
func (r *Result) pairFlow(m *matcher, h *hand, f *Flow) {
	for _, j := range f.Joints {
		if !j.Opaque && !j.SynProxied && !j.Terminated || !r.neighbours(f, j.A, j.B) {
			continue
		}
		p := &passing{r.window(j), f.passes(j.A, j.B)}
		switch {
		case j.Opaque, j.SynProxied && !j.Terminated:
			h.add(j.A, j.B, opening(f.Sides[j.A], f.Sides[j.B], p))
		case j.Terminated:
			h.add(j.A, j.B, relayed(f.Sides[j.A], f.Sides[j.B], p))
		}
	}
	m.lists = slices.Grow(m.lists[:0], len(f.Sides))[:len(f.Sides)]
	for c, s := range f.Sides {
		if s != nil {
			s.packetsOf(&m.lists[c], 3)
		}
	}
	for d := 0; d < 2; d++ {
		p := f.Path[d]
		if len(p) < 2 {
			continue
		}
		m.down, m.up = m.down[:0], m.up[:0]
		for _, c := range p {
			l := m.lists[c][d] // read only: set makes others
			m.down, m.up = append(m.down, rest{l: l}), append(m.up, rest{l: l})
		}
		for gap := 1; gap < len(p); gap++ {
			for i := 0; i+gap < len(p); i++ {
				if len(m.down[i].l) > 0 && len(m.up[i+gap].l) > 0 {
					r.pairStretch(m, h, f, d, p[i], p[i+gap], &m.down[i], &m.up[i+gap])
				}
			}
		}
	}
}

// rest is what has no counterpart in a direction yet, in file order; and of what was joined or split on the way segments of
// which some bytes have none, where the next capture missed a part.
type rest struct{ l, open []uint32 }

// set keeps what a stretch leaves of it.
func (r *rest) set(l, open []uint32) {
	r.l, r.open = slices.Clone(l), slices.Concat(r.open, open)
}

// neighbours reports whether two points follow each other on a flow's path, but for other pieces of what their recorders wrote.
func (r *Result) neighbours(f *Flow, a, b int) bool {
	for _, p := range f.Path {
		i, k := slices.Index(p, a), slices.Index(p, b)
		if i < 0 || k < 0 {
			continue
		}
		if !slices.ContainsFunc(p[min(i, k)+1:max(i, k)], func(c int) bool { return r.Pieces[c] != r.Pieces[a] && r.Pieces[c] != r.Pieces[b] }) {
			return true
		}
	}
	return false
}

// passes reports whether the initiator's packets pass capture a before b.
func (f *Flow) passes(a, b int) bool {
	for d, p := range f.Path {
		if i, j := slices.Index(p, a), slices.Index(p, b); i >= 0 && j >= 0 {
			return (i < j) == (d == 0)
		}
	}
	return true
}

// Joint is what is known of the flow between two captures, nil for nothing.
func (f *Flow) Joint(a, b int) *Joint {
	a, b = min(a, b), max(a, b)
	// Where it is if all captures saw the flow: of sixteen there are 120.
	if k := a*(2*len(f.Sides)-a-1)/2 + b - a - 1; a < b && k < len(f.Joints) && f.Joints[k].A == a && f.Joints[k].B == b {
		return f.Joints[k]
	}
	for _, j := range f.Joints {
		if j.A == a && j.B == b {
			return j
		}
	}
	return nil
}

// pairStretch pairs what is left at from and to, two captures that packets of direction d pass in this order.
func (r *Result) pairStretch(m *matcher, h *hand, f *Flow, d, from, to int, down, up *rest) {
	j := f.Joint(from, to)
	if j == nil || j.Terminated {
		return
	}
	a, b, x, y := from, to, down, up
	if from > to {
		a, b, x, y = to, from, up, down
	}
	m.between(f.Sides[a], f.Sides[b])
	m.la[d], m.lb[d] = x.l, y.l
	if j.SynProxied {
		m.la[d], m.lb[d] = withoutHandshake(m.a, x.l, d), withoutHandshake(m.b, y.l, d)
	}
	m.out, m.fromA = m.out[:0], from < to
	m.moreA, m.moreB = x.open, y.open
	m.traits = r.traitsOf(j)
	m.pairDirection(f.Proto, &m.traits, d, r.window(j))
	h.add(a, b, m.out)
	x.set(m.restA, m.openA)
	y.set(m.restB, m.openB)
}

// traitsOf is a joint's traits, filled up from its relation's where the flow is too short to tell.
func (r *Result) traitsOf(j *Joint) Traits {
	t := j.Traits
	rel := r.Relations[[2]int{j.A, j.B}]
	if rel == nil {
		return t
	}
	if x := &rel.traits; t.IDPairs < 2 && x.IDPairs > 0 {
		t.KeepsID = x.SameID*10 >= x.IDPairs*9
	}
	if x := &rel.traits; t.TSPairs < 4 && x.TSPairs > t.TSPairs {
		t.KeepsTS = x.SameTS*10 >= x.TSPairs*9
	}
	return t
}

// Lookup finds the flows of a capture's frames, quickest where many of one flow are asked for one after another.
type Lookup struct {
	r        *Result
	capture  int
	from, to uint32 // places of the conversation found last
	flow     *Flow
}

// Lookup makes one.
func (r *Result) Lookup(capture int) *Lookup { return &Lookup{r: r, capture: capture} }

// Flow is the flow of the frame in a place; nil for frames of no conversation.
func (l *Lookup) Flow(i uint32) *Flow {
	if i < l.from || i >= l.to {
		c := l.r.Caps[l.capture]
		id := c.ID(i)
		if id == flow.NoConv {
			return nil
		}
		l.from, l.to = c.Span(id)
		l.flow = l.r.FlowOf[l.capture][id]
	}
	return l.flow
}

// Flow is the flow of the frame in a place; nil for frames of no conversation.
func (r *Result) Flow(capture int, i uint32) *Flow { return r.Lookup(capture).Flow(i) }
