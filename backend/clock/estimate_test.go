package clock

import (
	"math"
	"math/rand"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

// made is an estimate of traffic both ways: delays of 5 ms and an exponential rest, B's clock ahead and fast, maybe with a
// step in the middle.
func made(seed int64, n int, span, offset, ppm float64, step int64) *Estimate {
	r := rand.New(rand.NewSource(seed))
	e := &Estimate{}
	for i := 0; i < n; i++ {
		t := span * float64(i) / float64(n)
		delay := 5e6 + r.ExpFloat64()*1e6
		by := 0.
		if step != 0 && i >= n/2 {
			by = float64(step)
		}
		forward := r.Intn(2) == 0
		lead := offset + ppm*1e-6*t + by
		a, b := t, t+delay+lead
		if !forward {
			a, b = t+delay, t+lead
		}
		e.bins = append(e.bins, bin{from: capture.FrameNo(i), fromB: capture.FrameNo(i), lastA: capture.LocalTime(a), lastB: capture.LocalTime(b)})
		e.note(&e.bins[i], capture.LocalTime(a), capture.LocalTime(b), forward)
	}
	return e
}

func TestOffsetAndDrift(t *testing.T) {
	for seed := int64(0); seed < 20; seed++ {
		e := made(seed, 600, 90e9, 3600e9, 25, 0)
		e.findSteps()
		e.fit()
		if !e.Known || math.Abs(float64(e.Offset)-3600e9) > float64(e.Error) {
			t.Errorf("seed %d: offset %d ± %d", seed, e.Offset, e.Error)
		}
		if e.Error > 6e6 {
			t.Errorf("seed %d: a bound of %d ns, half of the round trip is 5 ms", seed, e.Error)
		}
		if !e.HasDrift || math.Abs(e.DriftPPM-25) > math.Max(1, e.DriftError) {
			t.Errorf("seed %d: drift %.2f ± %.2f", seed, e.DriftPPM, e.DriftError)
		}
		if len(e.Steps) > 0 {
			t.Errorf("seed %d: steps found where there are none: %v", seed, e.Steps)
		}
	}
}

func TestNoDriftOverShortSpans(t *testing.T) {
	e := made(1, 400, 5e9, -2e9, 40, 0)
	e.fit()
	if e.HasDrift {
		t.Errorf("drift %.1f told over 5 s", e.DriftPPM)
	}
}

func TestStep(t *testing.T) {
	for _, step := range []int64{5e9, -3e9, 40e6} {
		for seed := int64(0); seed < 5; seed++ {
			e := made(seed, 400, 60e9, 1e9, 0, step)
			e.findSteps()
			if len(e.Steps) != 1 {
				t.Errorf("step %d, seed %d: found %v", step, seed, e.Steps)
				continue
			}
			s := e.Steps[0]
			if d := float64(s.By - step); math.Abs(d) > 4e6 || s.From < 195 || s.From > 205 {
				t.Errorf("step %d, seed %d: found %d before frame %d", step, seed, s.By, s.From)
			}
		}
	}
}

// A jump of about a round trip makes each direction fastest on its own side of it. What both seem to take then bounds nothing, where
// delays vary too much for the jump to be told.
func TestJumpOfARoundTrip(t *testing.T) {
	for _, step := range []int64{-65e5, -6e6, 6e6, 65e5} {
		for seed := range int64(8) {
			r := rand.New(rand.NewSource(seed))
			e := &Estimate{}
			for i := range 300 {
				at, lead := float64(i)*2e6, 1e9
				if i >= 150 {
					lead += float64(step)
				}
				delay := 3e6 + r.Float64()*1e6 + 6e6*(1+math.Sin(float64(i)/13+float64(seed)))
				a, b := at, at+delay+lead
				if i%2 == 1 {
					a, b = at+delay, at+lead
				}
				e.bins = append(e.bins, bin{from: capture.FrameNo(i + 1), fromB: capture.FrameNo(i + 1), lastA: capture.LocalTime(a), lastB: capture.LocalTime(b)})
				e.note(&e.bins[i], capture.LocalTime(a), capture.LocalTime(b), i%2 == 0)
			}
			e.findSteps()
			e.fit()
			if off := abs(e.Offset - 1e9); off > e.Error || !e.Known {
				t.Errorf("step %d, seed %d: offset %d off at a claimed %d, steps %v", step, seed, off, e.Error, e.Steps)
			}
			if e.Error > 5e6 {
				t.Errorf("step %d, seed %d: bound %d, half a round trip is 3 ms", step, seed, e.Error)
			}
		}
	}
}

func TestOneWayGivesNoOffset(t *testing.T) {
	e := &Estimate{}
	for i := 0; i < 50; i++ {
		e.bins = append(e.bins, bin{})
		e.note(&e.bins[i], capture.LocalTime(i*1e6), capture.LocalTime(i*1e6+5e6), true)
	}
	e.fit()
	if e.Known {
		t.Errorf("an offset of %d from one direction", e.Offset)
	}
}

func BenchmarkFit(b *testing.B) {
	e := made(1, maxBins, 600e9, 1e9, 10, 0)
	b.ReportAllocs()
	for b.Loop() {
		e.Known, e.HasDrift = false, false
		e.fit()
	}
}
