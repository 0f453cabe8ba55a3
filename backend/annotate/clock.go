package annotate

import (
	"math"

	"github.com/corr-dev/corr/backend/capture"
)

// Ref converts a local time to the reference clock, ns since 1970; false where the clock's relation is not known.
// The plugin does the same arithmetic, to the nanosecond.
func (p *Point) Ref(n capture.FrameNo, t capture.LocalTime) (int64, bool) {
	if !p.ClockKnown {
		return 0, false
	}
	offset := p.Offset
	for _, s := range p.Steps {
		if n < s.From {
			break
		}
		offset = s.Offset
	}
	x := float64(t-p.At) * float64(driftUnits(p.DriftPPM))
	return int64(t) - offset - int64(math.Floor(x/1e18+0.5)), true
}
