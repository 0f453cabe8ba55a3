package lab

import (
	"math"

	"github.com/corr-dev/corr/backend/capture"
)

// Clock relates a capture's times to the true ones.
type Clock struct {
	Offset int64   // ns at Case.Ref
	PPM    float64 // drift from then on
	Steps  []Step
}

// Step is a jump of a clock, as ntpdate or an administrator makes it.
type Step struct {
	True int64 // the instant, true ns
	By   int64 // ns
}

// local is what the clock shows at a true time.
func (k *Clock) local(t, ref int64) capture.LocalTime {
	t0 := t
	t += k.Offset + int64(math.Round(float64(t-ref)*k.PPM*1e-6))
	for _, s := range k.Steps {
		if t0 >= s.True {
			t += s.By
		}
	}
	return capture.LocalTime(t)
}

// truth is the true time of a local one, for a clock without steps.
func (k *Clock) truth(local capture.LocalTime, ref int64) int64 {
	d := float64(int64(local)-ref-k.Offset) / (1 + k.PPM*1e-6)
	return ref + int64(math.Round(d))
}
