package match

import (
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

// line is a timeline of samples a tenth of a second apart in [from, to), whose clocks differ by what at says.
func line(from, to int, at func(i int) capture.LocalTime) *Timeline {
	tl := &Timeline{}
	for i := from; i < to; i++ {
		tl.add(sample{capture.FrameNo(10 * i), int8(1 - i%2*2), capture.LocalTime(i) * 100e6, at(i)})
	}
	return tl
}

// Where a clock steps, samples beyond the step say nothing of this side; where it is not known on which side an instant lies, there are
// two windows, and nothing in between.
func TestStepInWindow(t *testing.T) {
	step := func(at int, by capture.LocalTime) func(i int) capture.LocalTime {
		return func(i int) capture.LocalTime {
			if i >= at {
				return by + capture.LocalTime(i%7)*100e3
			}
			return capture.LocalTime(i%7) * 100e3
		}
	}
	gone := func(f func(i int) capture.LocalTime, from, to int) *Timeline { // nothing from one up to another
		tl := &Timeline{}
		for i := range 200 {
			if i < from || i >= to {
				tl.add(sample{capture.FrameNo(10 * i), int8(1 - i%2*2), capture.LocalTime(i) * 100e6, f(i)})
			}
		}
		return tl
	}
	queue := func(i int) capture.LocalTime { // grows and is gone
		return capture.LocalTime(max(0, 20-abs(int64(i-100)))) * 10e6
	}
	back := &Timeline{} // of a second that A's clock counts twice
	for i := range 200 {
		x := sample{capture.FrameNo(10 * i), 1, capture.LocalTime(i) * 100e6, 0}
		if i >= 100 {
			x.t, x.d = x.t-1e9, 1e9
		}
		back.add(x)
	}
	for _, c := range []struct {
		name string
		tl   *Timeline
		at   int     // in tenths of a second, ten frames each
		want []int64 // ms that windows reach around: lo, hi of each, inside of 10 ms
	}{
		{"far from a step", line(0, 200, step(100, 2e9)), 50, []int64{0, 0}},
		{"a second before it", line(0, 200, step(100, 2e9)), 91, []int64{0, 0}},
		{"a second behind it", line(0, 200, step(100, 2e9)), 110, []int64{2000, 2000}},
		{"back", line(0, 200, step(100, -2e9)), 93, []int64{0, 0}},
		{"in a gap with a step", gone(step(100, 2e9), 95, 105), 100, []int64{0, 0, 2000, 2000}},
		{"in a gap, back", gone(step(100, -3e9), 95, 105), 100, []int64{-3000, -3000, 0, 0}},
		{"in a gap without", gone(step(500, 0), 95, 105), 100, []int64{0, 0}},
		{"a step that windows overlap", gone(step(100, 6e6), 95, 105), 100, []int64{0, 6}},
		{"few samples behind", line(0, 104, step(102, 2e9)), 100, []int64{-1000, 3000}},
		{"before A's clock steps back", back, 95, []int64{0, 0}},
		{"behind that", back, 105, []int64{1000, 1000}},
		{"a queue", line(0, 200, queue), 100, []int64{-104, 304}},
	} {
		for k := range c.tl.samples {
			c.tl.sort(k)
		}
		when := moment{capture.FrameNo(10*c.at) - 5, capture.LocalTime(c.at) * 100e6}
		at := when.t
		got := c.tl.windows(when)
		if len(got)*2 != len(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
			continue
		}
		for n, w := range got {
			for k, x := range [2]capture.LocalTime{w.from - at, w.to - at} {
				if by := int64(x)/1e6 - c.want[2*n+k]; by < -10 || by > 10 {
					t.Errorf("%s: window %d is %d to %d ms, want %v", c.name, n, int64(w.from-at)/1e6, int64(w.to-at)/1e6, c.want)
				}
			}
		}
		lo, hi, ok := c.tl.window(when, 0)
		for _, w := range got {
			if !ok || lo > w.from || hi < w.to {
				t.Errorf("%s: the window from %d to %d lacks %v", c.name, lo-at, hi-at, w)
			}
		}
	}
	if w := (&Timeline{}).windows(moment{}); w != nil {
		t.Errorf("no sample, yet %v", w)
	}
}
