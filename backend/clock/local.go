package clock

import (
	"math"

	"github.com/corr-dev/corr/backend/capture"
)

// A drift that too short a span hides moves a clock all the same: what one link says early and another one says late does not add
// up. Where drift is not known, clocks are therefore carried over several links at one instant, with what each link says near it.

// fastest is how much faster than another one a clock may run that is kept right, ns per ns: what NTP corrects at the most (RFC
// 5905 appendix A, MAXFREQ), above what oscillators are off.
const fastest = 500e-6

// instantsMost bounds the instants that are tried.
const instantsMost = 64

// near is floor at an instant t, counted as points are: a point bounds an offset at other instants less by what the clocks may
// have moved apart since.
func (e *Estimate) near(t int64) (f, r float64) {
	slack := fastest
	if e.HasDrift {
		slack = e.DriftError * 1e-6
	}
	f, r = math.Inf(1), math.Inf(1)
	for i := range e.bins {
		b := &e.bins[i]
		by := float64(e.stepBefore(b))
		if b.hasF {
			dt := float64(b.f.t - t)
			f = min(f, float64(b.f.d)-by-e.rho*dt+slack*math.Abs(dt))
		}
		if b.hasR {
			dt := float64(b.r.t - t)
			r = min(r, float64(b.r.d)+by+e.rho*dt+slack*math.Abs(dt))
		}
	}
	return f, r
}

// way is how a clock is related to the reference: over a link, to a capture that is related already.
type way struct {
	link   *Estimate
	parent int
	inB    bool // the capture is the link's A, its parent B
	hidden bool // a jump may hide in this link or in one before
}

// across gives a capture's clock minus its parent's at an instant of its own, and the bound; steps are left out.
func (w *way) across(t capture.LocalTime) (offset, bound float64) {
	e := w.link
	at := int64(t - e.t0)
	if !w.inB {
		at -= e.Offset
	}
	f, r := e.near(at)
	if offset = (f - r) / 2; w.inB {
		offset = -offset
	}
	return offset, max(0, (f+r)/2)
}

// meet gives a clock's offset to the reference, ns, and the bound, at the instant where all links on the way say most.
func (m *Model) meet(w way) (offset, bound int64) {
	e := w.link
	best := math.Inf(1)
	for n := range min(instantsMost, len(e.bins)) {
		b := &e.bins[n*len(e.bins)/min(instantsMost, len(e.bins))]
		x, t := w, b.lastB
		if w.inB {
			t = b.lastA
		}
		t -= capture.LocalTime(w.step(b))
		sum, width := 0., 0.
		for {
			o, off := x.across(t)
			sum, width = sum+o, width+off
			t -= capture.LocalTime(o)
			if x.parent == m.Ref {
				break
			}
			x = m.ways[x.parent]
		}
		if width < best {
			best, offset, bound = width, int64(math.Round(sum)), int64(math.Ceil(width))
		}
	}
	return offset, bound
}

// step is how much the capture's clock, less its parent's, had jumped by a bin.
func (w *way) step(b *bin) int64 {
	if w.inB {
		return -w.link.stepBefore(b)
	}
	return w.link.stepBefore(b)
}
