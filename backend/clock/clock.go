package clock

import (
	"math"

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
	key  capture.FrameNo   // From in the frames of the capture whose clock stepped
}

// offset is this clock minus the reference for frame n.
func (c *Clock) offset(n capture.FrameNo, t capture.LocalTime) int64 {
	o := c.Offset + int64(math.Round(float64(t-c.At)*c.DriftPPM*1e-6))
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
	caps  []*flow.Capture
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

// Span is when a capture began and ended; the zero value where the clocks could not be related.
func (m *Model) Span(capture int) (first, last RefTime) {
	c := m.caps[capture]
	first, _ = m.Time(capture, c.FirstFrame(), c.First)
	last, _ = m.Time(capture, c.LastFrame(), c.Last)
	return first, last
}

// New estimates all clocks. order lists the captures in path order; the first that any other is related to is the
// reference. Pairs that the clocks speak against are taken out of r's links.
func New(r *match.Result, order []int) *Model {
	m := &Model{caps: r.Caps, Of: make([]Clock, len(r.Caps)), Links: make([]*Estimate, len(r.Links))}
	for k, l := range r.Links {
		m.Links[k] = estimate(r, l)
	}
	m.unsay(r)
	m.Ref = m.reference(r, order)
	m.spread(r)
	m.round(r)
	return m
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
			if n := compose(&m.Of[best], &c); !m.Of[to].Known || n.Error < m.Of[to].Error {
				m.Of[to] = n
			}
		}
	}
}

// compose is the clock of C against the reference, from B against the reference and C against B.
func compose(b, cb *Clock) Clock {
	n := *cb
	atB := capture.LocalTime(int64(cb.At) - cb.Offset) // cb.At on B's clock
	n.Offset = cb.Offset + b.offset(0, atB)
	n.Error = cb.Error + b.Error
	n.DriftPPM = cb.DriftPPM + b.DriftPPM
	n.DriftError = cb.DriftError + b.DriftError
	n.HasDrift = cb.HasDrift && (b.HasDrift || b.Offset == 0 && b.Error == 0)
	return n
}
