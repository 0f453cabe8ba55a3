package flow

import (
	"cmp"
	"iter"
	"math/bits"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
)

// Facts lie in the order of conversations: what is asked of a packet is asked of its neighbours in the conversation next,
// and a visit to memory far away costs more than all else that is done with a packet. A fact's place is its index in
// this order; inside a conversation places follow the order of frames. Frames without conversation come last.

const (
	// stretchMost is the number of frames that are sorted at once while a capture is read: so few that sorting them stays near a
	// core's own cache, and so many that one chunk of each, which the merge leaves unused, is little. A multiple of factChunk, and
	// below 2^16.
	stretchMost = 64 * factChunk
	// slabMost is the most facts that are allocated at once, a multiple of stretchMost.
	slabMost = 8 * stretchMost
	// chunksAtOnce is the number of chunks that are allocated where the merge has emptied none yet.
	chunksAtOnce = 4
)

// run is the part of a conversation that lies in one stretch of frames, sorted.
type run struct {
	from, n uint32 // first place in the stretches, as they are read; number of facts
	next    uint32 // the conversation's next run: index + 1, 0 for none
}

// runs is a list in pieces, which grows without copying.
type runs struct {
	chunks [][]run
	n      uint32
}

const runBits = 14

func (l *runs) add(x run) {
	if l.n>>runBits == uint32(len(l.chunks)) {
		l.chunks = append(l.chunks, make([]run, 1<<runBits))
	}
	l.chunks[l.n>>runBits][l.n&(1<<runBits-1)] = x
	l.n++
}

// at is a run by its index + 1.
func (l *runs) at(k uint32) *run { return &l.chunks[(k-1)>>runBits][(k-1)&(1<<runBits-1)] }

// arranger sorts facts by conversation, stretch by stretch while they come in, then merges the stretches. The merge
// takes each stretch from its front to its end, so that its chunks become the ones that are filled: never more than
// all facts and one chunk a stretch is held.
type arranger struct {
	store   *Store   // nil: none
	stretch []Fact   // in frame order
	slots   []uint32 // by fact of the stretch: its conversation's place in count, head and tail
	before  uint32   // frames in earlier stretches

	slab   []Fact     // room for stretches to come,
	slabF  []uint16   // and for their frames
	chunks [][]Fact   // sorted stretches
	frames [][]uint16 // by stretch: of its facts, the frame indexes, counted from its first
	runs   runs
	// By conversation, the one without conversation first.
	head, tail []uint32 // runs, index + 1
	count      []uint32 // facts, in this stretch
	touched    []uint64 // set of those with facts in this stretch
}

// add gives room for the next frame's fact.
func (a *arranger) add() *Fact {
	if len(a.stretch) == stretchMost {
		a.sort()
	}
	if n := len(a.stretch); n == cap(a.stretch) {
		room := make([]Fact, min(max(256, 4*n), stretchMost))
		a.stretch = room[:copy(room, a.stretch)]
		a.slots = slices.Grow(a.slots, len(room)-n)
	}
	a.stretch, a.slots = append(a.stretch, Fact{Mark: MarkNoTime}), append(a.slots, 0)
	return &a.stretch[len(a.stretch)-1]
}

// belongs puts the last fact into a conversation, or into none.
func (a *arranger) belongs(id ConvID) {
	if id != NoConv {
		a.slots[len(a.slots)-1] = uint32(id) + 1
	}
}

// sort moves the stretch at hand to chunks.
func (a *arranger) sort() {
	if len(a.stretch) == 0 {
		return
	}
	for _, s := range a.slots {
		if int(s) >= len(a.count) {
			n := max(64, 2*(int(s)+1)) &^ 63
			a.count, a.head, a.tail = longer(a.count, n), longer(a.head, n), longer(a.tail, n)
			a.touched = longer(a.touched, n/64)
		}
		a.count[s]++
		a.touched[s/64] |= 1 << (s % 64)
	}
	at := a.before
	for k, w := range a.touched {
		for ; w != 0; w &= w - 1 {
			if s := uint32(k*64 + bits.TrailingZeros64(w)); s > 0 {
				at = a.run(s, at)
			}
		}
	}
	if len(a.count) > 0 && a.count[0] > 0 { // no conversation: last
		at = a.run(0, at)
	}
	facts, frames := a.room(len(a.stretch))
	for i, s := range a.slots {
		frames[a.count[s]-a.before] = uint16(i)
		a.count[s]++
	}
	// Read from anywhere and written one after another: of reads a processor waits for many at once.
	for p, i := range frames {
		facts[p] = a.stretch[i]
	}
	for len(facts) > 0 { // the last stretch's last chunk is short
		n := min(len(facts), factChunk)
		a.chunks, facts = append(a.chunks, facts[:n:factChunk]), facts[n:]
	}
	a.frames = append(a.frames, frames)
	for k, w := range a.touched {
		for ; w != 0; w &= w - 1 {
			a.count[k*64+bits.TrailingZeros64(w)] = 0
		}
		a.touched[k] = 0
	}
	a.before = at
	a.stretch, a.slots = a.stretch[:0], a.slots[:0]
}

// run notes a conversation's run in the stretch at hand, from place at on, and gives the place behind it.
func (a *arranger) run(s, at uint32) uint32 {
	n := a.count[s]
	a.runs.add(run{from: at, n: n})
	if r := a.runs.n; a.tail[s] == 0 {
		a.head[s], a.tail[s] = r, r
	} else {
		a.runs.at(a.tail[s]).next, a.tail[s] = r, r
	}
	a.count[s] = at // from here on: the next place
	return at + n
}

func longer[T any](l []T, n int) []T {
	out := make([]T, n)
	copy(out, l)
	return out
}

// room gives space for n sorted facts and their frames.
func (a *arranger) room(n int) ([]Fact, []uint16) {
	if n < stretchMost {
		return make([]Fact, (n+factChunk-1)&^(factChunk-1))[:n], make([]uint16, n) // the last stretch
	}
	if len(a.slab) == 0 {
		size := min(max(int(a.before), stretchMost), slabMost) // as much again
		a.slab, a.slabF = facts(a.store, size), Column[uint16](a.store, size)
	}
	f, k := a.slab[:n:n], a.slabF[:n:n]
	a.slab, a.slabF = a.slab[n:], a.slabF[n:]
	return f, k
}

// finish gives a capture its facts in their final order.
func (a *arranger) finish(c *Capture) {
	n := len(c.Convs)
	a.sort()
	a.stretch, a.slots = nil, nil
	c.n = int(a.before)
	c.start = make([]uint32, n+1)
	if len(a.head) == 0 { // an empty capture
		return
	}
	total := uint32(0)
	for id := 0; id < n; id++ {
		c.start[id] = total
		for r := a.first(id); r != 0; {
			x := a.runs.at(r)
			total, r = total+x.n, x.next
		}
	}
	c.start[n] = total
	if a.before <= stretchMost {
		c.chunks, c.frames = arrays(a.chunks), make([]uint32, a.before)
		for i, f := range a.frames[0] {
			c.frames[i] = uint32(f)
		}
		return
	}
	m := &merger{a: a, frames: Column[uint32](a.store, int(a.before))[:0], left: make([]uint32, len(a.chunks))}
	for k := range m.left {
		m.left[k] = factChunk
	}
	m.left[len(m.left)-1] = uint32(len(a.chunks[len(a.chunks)-1]))
	for id := 0; id < n; id++ {
		m.conversation(a.first(id))
	}
	m.conversation(a.head[0])
	c.chunks, c.frames = arrays(m.chunks), m.frames
}

// arrays gives chunks in the form that facts are found in by the fewest steps.
func arrays(chunks [][]Fact) []*[factChunk]Fact {
	out := make([]*[factChunk]Fact, len(chunks))
	for k, l := range chunks {
		out[k] = (*[factChunk]Fact)(l[:factChunk])
	}
	return out
}

// first is a conversation's first run, index + 1.
func (a *arranger) first(id int) uint32 {
	if id+1 < len(a.head) {
		return a.head[id+1]
	}
	return 0
}

// merger puts the runs of all stretches together.
type merger struct {
	a      *arranger
	left   []uint32 // by chunk of the stretches: facts not taken yet
	free   [][]Fact
	chunks [][]Fact
	frames []uint32
}

func (m *merger) conversation(r uint32) {
	for r != 0 {
		x := *m.a.runs.at(r)
		r = x.next
		m.near(r)
		m.a.store.Visit(int(2 * x.n))
		at := x.from % stretchMost
		first := x.from - at
		for _, f := range m.a.frames[x.from/stretchMost][at : at+x.n] {
			m.frames = append(m.frames, first+uint32(f))
		}
		for x.n > 0 {
			k, at := x.from>>factBits, x.from&(factChunk-1)
			n := min(x.n, uint32(len(m.a.chunks[k]))-at)
			m.take(m.a.chunks[k][at : at+n])
			if m.left[k] -= n; m.left[k] == 0 {
				if len(m.a.chunks[k]) == factChunk {
					m.free = append(m.free, m.a.chunks[k][:0])
				}
				m.a.chunks[k] = nil
			}
			x.from, x.n = x.from+n, x.n-n
		}
	}
}

// near brings near what will be copied next, and the run behind.
func (m *merger) near(r uint32) {
	if r == 0 {
		return
	}
	x := m.a.runs.at(r)
	fs := m.a.chunks[x.from>>factBits]
	at := x.from & (factChunk - 1)
	for n := range min(x.n, nearMost) {
		if int(at+n) < len(fs) {
			Prefetch(&fs[at+n])
		}
	}
	Prefetch(&m.a.frames[x.from/stretchMost][x.from%stretchMost])
	if x.next != 0 {
		Prefetch(m.a.runs.at(x.next))
	}
}

// nearMost bounds the facts of a run that near brings near; what reads on along them does the same for the rest.
const nearMost = 8

// take appends facts.
func (m *merger) take(fs []Fact) {
	for len(fs) > 0 {
		k := len(m.chunks) - 1
		if k < 0 || len(m.chunks[k]) == factChunk {
			m.chunks = append(m.chunks, m.chunk())
			k++
		}
		n := min(len(fs), factChunk-len(m.chunks[k]))
		m.chunks[k] = append(m.chunks[k], fs[:n]...)
		fs = fs[n:]
	}
}

func (m *merger) chunk() []Fact {
	if len(m.free) == 0 {
		// Some at once: a store takes no small columns.
		for l := facts(m.a.store, chunksAtOnce*factChunk); len(l) > 0; l = l[factChunk:] {
			m.free = append(m.free, l[:0:factChunk])
		}
	}
	k := len(m.free) - 1
	c := m.free[k]
	m.free = m.free[:k]
	return c
}

// settle turns the frame indexes that were noted while reading into places.
func (c *Capture) settle() {
	if c.n == 0 {
		return
	}
	if cap(c.Convs)-len(c.Convs) > len(c.Convs)/8 {
		c.Convs = slices.Clone(c.Convs) // room for more
	}
	var place []uint32 // of every frame, for conversations without any
	for k := range c.Convs {
		in := &c.Convs[k]
		from, to := c.start[k], c.start[k+1]
		if from == to {
			if place == nil {
				place = c.places()
			}
			in.First, in.Last = place[in.First], place[in.Last]
			continue
		}
		in.First, in.Last = from, to-1
		of := func(frame uint32) uint32 { // a frame of the conversation
			k, _ := slices.BinarySearch(c.frames[from:to], frame)
			return from + uint32(k)
		}
		for d := range in.Data {
			if h := &in.Data[d]; h.Seen {
				h.Fact = of(h.Fact)
			}
		}
		for _, k := range [2]int32{in.SYN, in.SYNACK} {
			if k >= 0 {
				h := &c.Handshakes[k]
				h.Fact = of(h.Fact)
			}
		}
	}
	c.settleHandshakes()
	c.kept.settle(c.frames)
	c.settleEnds()
}

// settleEnds finds the places of the file's first and last frame.
func (c *Capture) settleEnds() {
	for i, f := range c.frames {
		if f == 0 {
			c.first = uint32(i)
		}
		if int(f) == c.n-1 {
			c.last = uint32(i)
		}
	}
}

// settleHandshakes sorts the handshakes by place, which their conversations follow.
func (c *Capture) settleHandshakes() {
	if len(c.Handshakes) == 0 {
		return
	}
	hs := c.Handshakes
	old := make([]uint32, len(hs)) // by new index
	for k := range hs {
		old[k] = uint32(k)
	}
	slices.SortFunc(old, func(x, y uint32) int { return int(int64(hs[x].Fact) - int64(hs[y].Fact)) })
	sorted, to := make([]Handshake, len(hs)), make([]int32, len(hs))
	for k, o := range old {
		sorted[k], to[o] = hs[o], int32(k)
	}
	c.Handshakes = sorted
	for k := range c.Convs {
		in := &c.Convs[k]
		if in.SYN >= 0 {
			in.SYN = to[in.SYN]
		}
		if in.SYNACK >= 0 {
			in.SYNACK = to[in.SYNACK]
		}
	}
}

// Len is the number of frames.
func (c *Capture) Len() int { return c.n }

// At is the fact in a place.
func (c *Capture) At(i uint32) *Fact { return &c.chunks[i>>factBits][i&(factChunk-1)] }

// Ask has the facts of up to n packets of a conversation from place i on, and their frames, brought near.
func (c *Capture) Ask(i, n uint32) {
	if i < uint32(c.n) {
		at := i & (factChunk - 1)
		PrefetchAll(c.chunks[i>>factBits][at:min(at+n, factChunk)])
		PrefetchAll(c.frames[i:min(i+n, uint32(c.n))])
	}
}

// Frame is the number of the frame whose fact lies in a place.
func (c *Capture) Frame(i uint32) capture.FrameNo { return capture.FrameNo(c.frames[i] + 1) }

// places lists the place of each frame, by frame number minus 1.
func (c *Capture) places() []uint32 {
	place := Column[uint32](c.Store, c.n)
	for i, f := range c.frames {
		if i%stretchMost == 0 {
			c.Store.Visit(stretchMost)
		}
		place[f] = uint32(i)
	}
	return place
}

// Place is the place of a frame, found by looking through all.
func (c *Capture) Place(n capture.FrameNo) uint32 { return uint32(slices.Index(c.frames, uint32(n-1))) }

// FirstFrame and LastFrame are the places of the file's first and last frame.
func (c *Capture) FirstFrame() uint32 { return c.first }

// LastFrame: see FirstFrame.
func (c *Capture) LastFrame() uint32 { return c.last }

// ID is the conversation of the fact in a place, NoConv for none; whoever goes through a conversation knows it.
func (c *Capture) ID(i uint32) ConvID {
	if i >= c.LooseFrom() {
		return NoConv
	}
	k, _ := slices.BinarySearch(c.start, i+1) // the first that begins behind; of those that begin at i, all but the last are empty
	return ConvID(k - 1)
}

// Holds reports whether the fact in a place is one of a conversation.
func (c *Capture) Holds(id ConvID, i uint32) bool { return c.start[id] <= i && i < c.start[id+1] }

// Span is where the facts of a conversation lie: from up to to, to excluded.
func (c *Capture) Span(id ConvID) (from, to uint32) {
	from, to = c.start[id], c.start[id+1]
	if c.Store != nil {
		c.Store.visit(to - from)
	}
	return from, to
}

// ByFirstFrame lists the conversations that hold any fact, in the order of their first ones. A conversation is numbered when
// it is first heard of, which may be in a tunnel's outer header, long before a frame of its own.
func (c *Capture) ByFirstFrame() []ConvID {
	ids := make([]ConvID, 0, len(c.Convs))
	for id := range c.Convs {
		if c.start[id] < c.start[id+1] {
			ids = append(ids, ConvID(id))
		}
	}
	slices.SortFunc(ids, func(x, y ConvID) int { return cmp.Compare(c.frames[c.start[x]], c.frames[c.start[y]]) })
	return ids
}

// Count is the number of a conversation's facts.
func (c *Capture) Count(id ConvID) int { return int(c.start[id+1] - c.start[id]) }

// LooseFrom is the first place of the facts that belong to no conversation; they lie up to the last place.
func (c *Capture) LooseFrom() uint32 { return c.start[len(c.Convs)] }

// Loose gives the places of the facts that belong to no conversation.
func (c *Capture) Loose() iter.Seq[uint32] { return UpTo(c.LooseFrom(), uint32(c.n)) }

// UpTo gives places from one up to another, which is excluded; a loop over a conversation's facts is one over UpTo(c.Span(id)), which
// the compiler makes a plain loop of.
func UpTo(from, to uint32) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i := from; i < to; i++ {
			if !yield(i) {
				return
			}
		}
	}
}
