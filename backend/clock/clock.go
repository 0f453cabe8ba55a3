package clock

import (
	"cmp"
	"math"
	"slices"
	"sync"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// RefTime is a time on the reference clock, ns since 1970-01-01: the clock of the first point on the path.
type RefTime int64

// Clock relates one capture's clock to another's, the reference of a Model or the other side of a link.
type Clock struct {
	Known bool
	// At is the instant, on this clock, that Offset is true for: the first frame that both captures share.
	At     capture.LocalTime
	Offset int64 // ns: this clock minus the reference
	Error  int64 // ns: bound of Offset, >= 0
	// DriftPPM is how fast Offset grows, in parts per million. Zero with HasDrift false: the span is too short to tell.
	DriftPPM, DriftError float64
	HasDrift             bool
	Steps                []Step // jumps, in the order of frames
}

// Step is a jump of the clock: from frame From on, Offset is replaced by Offset + By.
type Step struct {
	From capture.FrameNo
	At   capture.LocalTime // the last frame's time before the jump
	By   int64             // ns, summed over all steps so far
	size int64             // ns, of this step alone, B's clock against A's
	key  capture.FrameNo   // From in the frames of the capture whose clock stepped
	inA  bool              // that is A's
	// behind is the last frame before From of which it is known that the clock had not jumped.
	behind capture.FrameNo
	own    bool // the capture's own frames show it, so that it is not the reference that jumped
}

// offset is this clock minus the reference for frame n.
func (c *Clock) offset(n capture.FrameNo, t capture.LocalTime) int64 {
	o := c.Offset
	if c.DriftPPM != 0 { // the reference has none
		o += int64(math.RoundToEven(float64(t-c.At) * c.DriftPPM * 1e-6)) // one instruction, and asked for all frames
	}
	for k := len(c.Steps) - 1; k >= 0; k-- {
		if n >= c.Steps[k].From {
			return o + c.Steps[k].By
		}
	}
	return o
}

// Model holds the clocks of all captures against the first point's.
type Model struct {
	Ref int // capture whose clock is the reference
	Of  []Clock
	// Links holds the estimates between neighbouring points that Of is made from; nil where there is none.
	Links []*Estimate // parallel to match.Result.Links
	ways  []way       // by capture: how Of is known, but of the reference
	until []RefTime   // by capture: where a jump may hide, up to which Of is bounded; 0 for none
	caps  []*flow.Capture
	least []int64 // by capture: its smallest jump, ns; 0 for none
}

// Time converts the time t of the frame in place i to the reference clock; ok is false where the clocks could not be
// related.
func (m *Model) Time(capture int, i uint32, t capture.LocalTime) (at RefTime, ok bool) {
	c := &m.Of[capture]
	if !c.Known {
		return 0, false
	}
	if len(c.Steps) == 0 {
		return RefTime(int64(t) - c.offset(0, t)), true
	}
	return RefTime(int64(t) - c.offset(m.caps[capture].Frame(i), t)), true
}

// Span is when a capture began and ended, by the reference's clock even if that jumped; the zero value where the clocks could not be related.
func (m *Model) Span(capture int) (first, last RefTime) {
	c := m.caps[capture]
	first, _ = m.Time(capture, c.FirstFrame(), c.First)
	last, _ = m.Time(capture, c.LastFrame(), c.Last)
	// Where the reference jumped back, what came later may have earlier times.
	k := &m.Of[capture]
	before := int64(0)
	for _, s := range k.Steps {
		if at := int64(s.At) - k.offset(0, s.At); !s.own {
			first, last = min(first, RefTime(at-s.By)), max(last, RefTime(at-before))
		}
		before = s.By
	}
	return first, last
}

// New estimates all clocks. order lists the captures in path order; the first that any other is related to is the
// reference. Pairs that the clocks speak against are taken out of r's links.
func New(r *match.Result, order []int) *Model {
	m := &Model{caps: r.Caps, ways: make([]way, len(r.Caps)), until: make([]RefTime, len(r.Caps)), Of: make([]Clock, len(r.Caps)), Links: make([]*Estimate, len(r.Links))}
	var wg sync.WaitGroup
	for k, l := range r.Links {
		wg.Go(func() { m.Links[k] = estimate(r, l) })
	}
	wg.Wait()
	m.unsay(r)
	m.Ref = m.reference(r, order)
	m.spread(r)
	m.round(r)
	m.around(r)
	m.place()
	m.least = make([]int64, len(m.Of))
	for c := range m.Of {
		before := int64(0)
		for _, s := range m.Of[c].Steps {
			if by := abs(s.By - before); m.least[c] == 0 || by < m.least[c] {
				m.least[c] = by
			}
			before = s.By
		}
	}
	return m
}

// Jumped reports whether a delay between two captures may be what a jump of either's clock is: of frames that overtook each other
// near it, it is not known on which side of it they lie.
func (m *Model) Jumped(a, b int, delay int64) bool {
	for _, c := range [2]int{a, b} {
		if s := m.least[c]; s > 0 && abs(delay) >= s/2 {
			return true
		}
	}
	return false
}

// placeMost bounds the frames that one jump is looked for among.
const placeMost = 1 << 16

// place finds jumps to the frame: a clock that jumps by itself shows it in the times of its own frames, those without counterpart
// included.
func (m *Model) place() {
	for k := range m.Of {
		steps, c := m.Of[k].Steps, m.caps[k]
		if len(steps) == 0 {
			continue
		}
		times := make([][]capture.LocalTime, len(steps)) // from the last frame behind, 0 for none
		for n, s := range steps {
			if s.behind > 0 && s.From > s.behind && s.From-s.behind < placeMost {
				times[n] = make([]capture.LocalTime, s.From-s.behind+1)
			}
		}
		for i := range uint32(c.Len()) {
			at := c.Frame(i)
			for n := range steps {
				if l := times[n]; l != nil && at >= steps[n].behind && at <= steps[n].From {
					if f := c.At(i); !f.Is(flow.MarkNoTime) {
						l[at-steps[n].behind] = f.Time()
					}
				}
			}
		}
		before := int64(0)
		for n := range steps {
			s := &steps[n]
			by := s.By - before
			before = s.By
			least := abs(by) / 2
			last := capture.LocalTime(0)
			for d, t := range times[n] {
				if t == 0 {
					continue
				}
				if off := abs(int64(t-last) - by); last != 0 && off < least {
					least, s.From, s.At, s.own = off, s.behind+capture.FrameNo(d), last, true
				}
				last = t
			}
		}
	}
}

func (m *Model) reference(r *match.Result, order []int) int {
	for _, c := range order {
		for k, l := range r.Links {
			if (l.A == c || l.B == c) && m.Links[k] != nil {
				return c
			}
		}
	}
	if len(order) > 0 {
		return order[0]
	}
	return 0
}

// spread carries the reference along the links with the tightest bounds (Dijkstra over the sum of errors).
func (m *Model) spread(r *match.Result) {
	ref := &m.Of[m.Ref]
	*ref = Clock{Known: true, At: r.Caps[m.Ref].First}
	done := make([]bool, len(m.Of))
	for {
		best := -1
		for c := range m.Of {
			if m.Of[c].Known && !done[c] && (best < 0 || m.Of[c].Error < m.Of[best].Error) {
				best = c
			}
		}
		if best < 0 {
			return
		}
		done[best] = true
		for k, l := range r.Links {
			e := m.Links[k]
			if e == nil || !e.Known || l.A != best && l.B != best {
				continue
			}
			to, c := l.B, e.Clock
			if l.B == best {
				to, c = l.A, e.inverse()
			}
			if done[to] {
				continue
			}
			w := way{e, best, l.B == best, e.hidden || m.ways[best].hidden}
			n := compose(&m.Of[best], &c, e, w.inB)
			if best != m.Ref && !n.HasDrift {
				at, bound := m.meet(w)
				bound += 2 * resolution
				// What all of the time says is better than what an instant does, as long as nothing speaks for a drift.
				if abs(n.Offset-at) > bound && !w.hidden {
					n.Offset = at
				}
				if bound += abs(n.Offset - at); bound > n.Error || !w.hidden {
					n.Error = bound
				}
			}
			if !m.Of[to].Known || n.Error < m.Of[to].Error {
				m.Of[to], m.ways[to] = n, w
				m.until[to] = m.until[best]
				if e.hidden {
					of, at := &m.Of[l.A], e.until
					m.until[to] = earlier(m.until[to], RefTime(int64(at)-of.offset(0, at)))
				}
			}
		}
	}
}

// earlier is the earlier one of two instants, 0 standing for never.
func earlier(a, b RefTime) RefTime {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// compose is the clock of C against the reference, from B against the reference and C against B, which e says; inB: C is e's A.
func compose(b, cb *Clock, e *Estimate, inB bool) Clock {
	n := *cb
	atB := capture.LocalTime(int64(cb.At) - cb.Offset) // cb.At on B's clock
	n.Offset = cb.Offset + b.offset(0, atB)
	n.Error = cb.Error + b.Error
	n.DriftPPM = cb.DriftPPM + b.DriftPPM
	n.DriftError = cb.DriftError + b.DriftError
	n.HasDrift = cb.HasDrift && (b.HasDrift || b.Offset == 0 && b.Error == 0)
	n.Steps = e.sum(cb.Steps, b.Steps, inB)
	return n
}

// jump is one step of a clock, and the bin that it lies in front of.
type jump struct {
	Step
	bin int
}

// jumps takes steps apart; in front of which bin each lies is told by the frames that at gives.
func (e *Estimate) jumps(l []Step, at func(b *bin) capture.FrameNo) []jump {
	var out []jump
	before := int64(0)
	for _, s := range l {
		k := slices.IndexFunc(e.bins, func(b bin) bool { return at(&b) >= s.From })
		if k < 0 {
			k = len(e.bins)
		}
		out = append(out, jump{Step{From: s.From, At: s.At, By: s.By - before, behind: s.behind}, k})
		before = s.By
	}
	return out
}

// stepNear is how many bins two findings of one step lie apart at most.
const stepNear = 8

// sum gives the steps of C against the reference, from those of C against B and of B against the reference. Where B's own clock steps
// it does so against both, and C's does not.
func (e *Estimate) sum(own, below []Step, inB bool) []Step {
	if len(below) == 0 {
		return own
	}
	ofA, ofB := func(b *bin) capture.FrameNo { return b.from }, func(b *bin) capture.FrameNo { return b.fromB }
	ofC, of := ofB, ofA
	if inB {
		ofC, of = ofA, ofB
	}
	l := e.jumps(own, ofC)
	for _, s := range e.jumps(below, of) {
		if k := slices.IndexFunc(l, func(o jump) bool {
			return abs(o.By+s.By) < stepLeast && o.bin-s.bin <= stepNear && s.bin-o.bin <= stepNear
		}); k >= 0 {
			l = slices.Delete(l, k, k+1)
			continue
		}
		if s.bin == len(e.bins) {
			continue // behind all that both hold
		}
		s.From, s.At = ofC(&e.bins[s.bin]), e.At
		if s.bin > 0 {
			b := &e.bins[s.bin-1]
			if s.At, s.behind = b.lastB, b.lastF; inB {
				s.At, s.behind = b.lastA, b.last
			}
		}
		l = append(l, s)
	}
	slices.SortStableFunc(l, func(x, y jump) int { return cmp.Compare(x.From, y.From) })
	var out []Step
	by := int64(0)
	for _, s := range l {
		by += s.By
		s.By = by
		out = append(out, s.Step)
	}
	return out
}
