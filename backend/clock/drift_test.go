package clock

import (
	"math"
	"testing"
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
