package clock

import (
	"math"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

// A queue that fills and drains slowly is no drift: what its delays leave open is said, or nothing.
func TestSlowQueueIsNoDrift(t *testing.T) {
	for _, x := range []struct {
		name        string
		span, drift float64 // s, ppm
		step        bool    // the clock jumps in the middle
		known       bool    // a drift must be told
	}{
		{"quiet path", 120, 35, false, true}, {"quiet path, clock steps", 120, 35, true, true}, {"no drift", 120, 0, false, true},
		{"many periods", 300, 20, false, true}, {"part of a period", 20, 35, false, false}, {"part of a period, clock steps", 40, 35, true, false},
	} {
		var parts []part
		period := 28.
		if x.name[0] == 'q' || x.name[0] == 'n' {
			period = 0
		}
		n := int(x.span * 10)
		for k := range n {
			at := x.span * float64(k) / float64(n)
			if k == 0 || x.step && k == n/2 {
				parts = append(parts, part{})
			}
			queue := 0.
			if period > 0 {
				queue = 2.5e6 * (1 + math.Sin(2*math.Pi*at/period))
			}
			noise := 1e5 * float64(k*7919%97) / 97
			offset := x.drift * at * 1e3
			p := &parts[len(parts)-1]
			p.way[0] = append(p.way[0], point{int64(at * 1e9), int64(3e6 + queue + noise + offset)})
			p.way[1] = append(p.way[1], point{int64(at * 1e9), int64(3e6 + noise - offset)})
		}
		rho := slope(parts)
		bound := max(driftError(parts, rho), restless(parts, rho))
		if d := math.Abs(rho*1e6 - x.drift); d > bound {
			t.Errorf("%s: %.2f ± %.2f ppm, true is %.0f", x.name, rho*1e6, bound, x.drift)
		}
		if x.known && bound > 1.5 {
			t.Errorf("%s: ± %.2f ppm tells little", x.name, bound)
		}
	}
}

// A jump too small to be told looks like a drift that no oscillators have. Neither is told then, and the offset's bound holds.
func TestSmallJumpIsNoDrift(t *testing.T) {
	for _, x := range []struct {
		step, wave int64   // ns
		drift      float64 // ppm
		known      bool
	}{{5e6, 3e6, 35, false}, {8e6, 3e6, 35, false}, {-7e6, 3e6, 35, false}, {0, 0, 150, true}, {0, 0, -180, true}} {
		e := &Estimate{}
		const n, span = 350, 70e9
		for i := range n {
			at := span * float64(i) / n
			jumped := 0.
			if i >= n/2 {
				jumped = float64(x.step)
			}
			lead := 2e9 + x.drift*1e-6*at + jumped
			delay := 9e6 + float64(x.wave)*(1+math.Sin(2*math.Pi*at/28e9)) + 1e5*float64(i*7919%97)/97
			b := bin{from: capture.FrameNo(i + 1), fromB: capture.FrameNo(i + 1), lastA: capture.LocalTime(at), lastB: capture.LocalTime(at + lead)}
			e.bins = append(e.bins, b)
			e.note(&e.bins[i], capture.LocalTime(at), capture.LocalTime(at+delay+lead), true)
			e.note(&e.bins[i], capture.LocalTime(at+delay), capture.LocalTime(at+lead), false)
		}
		e.findSteps()
		e.fit()
		if e.HasDrift != x.known || e.HasDrift && math.Abs(e.DriftPPM-x.drift) > max(1, e.DriftError) {
			t.Errorf("step %d: drift %.1f ± %.1f, true is %.1f", x.step, e.DriftPPM, e.DriftError, x.drift)
		}
		if off := abs(e.Offset - 2e9); off > e.Error || !e.Known {
			t.Errorf("step %d: offset %d off at a claimed %d", x.step, off, e.Error)
		}
	}
}
