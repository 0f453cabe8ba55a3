package clock

import (
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/match"
)

// round relates clocks that no link relates by itself because its traffic goes one way: with asymmetric routing requests
// pass one point and answers another. Each direction of each link bounds a difference of two clocks from one side, and
// bounds add up along a way; the shortest ways there and back bound the difference from both sides (a system of
// difference constraints, solved by Floyd and Warshall).
func (m *Model) round(r *match.Result) {
	missing := false
	for c := range m.Of {
		missing = missing || !m.Of[c].Known
	}
	if !missing {
		return
	}
	// A jump smaller than a round trip leaves no contradiction in the bounds of links. Packets that are followed may show one.
	before := slices.Clone(m.Of)
	if m.around(r) {
		return
	}
	m.Of = before
	n := len(m.Of)
	// The bounds hold at different instants; a first round without drift tells, well enough, what instant of each
	// clock is the reference's first.
	at := make([]capture.LocalTime, n)
	rough := m.shortest(r, nil)
	ref := r.Caps[m.Ref].First
	for c := range at {
		at[c] = ref
		if there, back := rough[m.Ref*n+c], rough[c*n+m.Ref]; !math.IsInf(there+back, 0) {
			at[c] += capture.LocalTime((there - back) / 2)
		}
	}
	d := m.shortest(r, at)
	drift := m.drifts(r)
	for c := range m.Of {
		if m.Of[c].Known {
			continue
		}
		there, back := d[m.Ref*n+c], d[c*n+m.Ref]
		if math.IsInf(there+back, 0) || there+back < -resolution {
			continue // not bounded, or not consistent
		}
		m.Of[c] = Clock{Known: true, At: at[c], Offset: int64(math.Round((there - back) / 2)), Error: int64(math.Ceil(max(0, (there+back)/2))) + resolution}
		if k := drift[c]; k.HasDrift {
			m.Of[c].DriftPPM, m.Of[c].DriftError, m.Of[c].HasDrift = k.DriftPPM, k.DriftError, true
		}
	}
}

// shortest is the least upper bound of each clock's lead over each other, ns, row-major; at gives the instant, on every
// clock, that the bounds are wanted for; nil: each as measured.
func (m *Model) shortest(r *match.Result, at []capture.LocalTime) []float64 {
	n := len(m.Of)
	d := make([]float64, n*n)
	for i := range d {
		d[i] = math.Inf(1)
	}
	for i := 0; i < n; i++ {
		d[i*n+i] = 0
	}
	for k, l := range r.Links {
		e := m.Links[k]
		if e == nil {
			continue
		}
		f, b := e.floor[0], e.floor[1]
		if at != nil {
			t := float64(at[l.A] - e.AtA)
			f, b = f+e.rho*t, b-e.rho*t
		}
		d[l.A*n+l.B] = math.Min(d[l.A*n+l.B], f)
		d[l.B*n+l.A] = math.Min(d[l.B*n+l.A], b)
	}
	for k := 0; k < n; k++ {
		for i := 0; i < n; i++ {
			for j := 0; j < n; j++ {
				if x := d[i*n+k] + d[k*n+j]; x < d[i*n+j] {
					d[i*n+j] = x
				}
			}
		}
	}
	return d
}

// drifts carries drift along the links from the reference, least error first.
func (m *Model) drifts(r *match.Result) []Clock {
	out := make([]Clock, len(m.Of))
	out[m.Ref].HasDrift = true
	done := make([]bool, len(m.Of))
	for {
		best := -1
		for c := range out {
			if out[c].HasDrift && !done[c] && (best < 0 || out[c].DriftError < out[best].DriftError) {
				best = c
			}
		}
		if best < 0 {
			return out
		}
		done[best] = true
		for k, l := range r.Links {
			e := m.Links[k]
			if e == nil || !e.HasDrift || l.A != best && l.B != best {
				continue
			}
			to, sign := l.B, 1.
			if l.B == best {
				to, sign = l.A, -1
			}
			if er := out[best].DriftError + e.DriftError; !done[to] && (!out[to].HasDrift || er < out[to].DriftError) {
				out[to] = Clock{HasDrift: true, DriftPPM: out[best].DriftPPM + sign*e.DriftPPM, DriftError: er}
			}
		}
	}
}
