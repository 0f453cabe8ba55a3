package match

import (
	"cmp"
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
)

// sample is one certain pair of frames of two captures.
type sample struct {
	t, d capture.LocalTime // time at A; time at B minus time at A
	way  int8              // +1: travelled from A to B, -1: from B to A, 0: not known
}

// Timeline is a coarse relation of two captures' clocks, good enough to tell neighbours in time from strangers: the
// certain pairs themselves, without a model, so that a clock that drifts or steps does no harm. Package clock makes the
// fine one.
type Timeline struct {
	samples [3][]sample // by way+1, ascending in t
}

const (
	near      = 24        // samples around an instant that bound it
	slackNS   = 4_000_000 // what two packets' delays may differ by beyond the samples' own spread
	stepSeen  = 4         // samples on either side of a step that show it: they differ by more than those of one side do
	driftSlew = 5e-4      // how fast two clocks may part between samples: 500 ppm, NTP's limit of slewing
)

func (tl *Timeline) add(s ...sample) {
	for _, x := range s {
		tl.samples[x.way+1] = append(tl.samples[x.way+1], x)
	}
}

// sort puts the samples of one way, by way+1, into the order of time.
func (tl *Timeline) sort(k int) {
	slices.SortFunc(tl.samples[k], func(x, y sample) int { return cmp.Or(cmp.Compare(x.t, y.t), cmp.Compare(x.d, y.d)) })
}

func (tl *Timeline) len() int {
	return len(tl.samples[0]) + len(tl.samples[1]) + len(tl.samples[2])
}

// window bounds the time at B of what was at A at time t. way 0 takes both ways together.
func (tl *Timeline) window(t capture.LocalTime, way int8) (lo, hi capture.LocalTime, ok bool) {
	join := func(s []sample) {
		if len(s) == 0 {
			return
		}
		w := bound(around(s, t), t)
		if !ok {
			lo, hi, ok = w.from, w.to, true
		}
		lo, hi = min(lo, w.from), max(hi, w.to)
	}
	if way != 0 && len(tl.samples[way+1]) >= 4 {
		join(tl.samples[way+1])
	} else {
		for k := range tl.samples {
			join(tl.samples[k])
		}
	}
	return lo, hi, ok
}

// span is a stretch of time.
type span struct{ from, to capture.LocalTime }

// windows is window of either way, in parts, ascending: where a clock steps around t, and none of them says on which side t lies, it is
// in one of several, and not in between.
func (tl *Timeline) windows(t capture.LocalTime) []span {
	var all []span
	for _, s := range tl.samples {
		if s = around(s, t); len(s) > 0 {
			s = slices.Clone(s)
			slices.SortFunc(s, func(x, y sample) int { return cmp.Compare(x.d, y.d) })
			all = append(all, parts(s, t)...)
		}
	}
	slices.SortFunc(all, func(x, y span) int { return cmp.Compare(x.from, y.from) })
	out := all[:0]
	for _, w := range all {
		if n := len(out); n > 0 && w.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, w.to)
		} else {
			out = append(out, w)
		}
	}
	return out
}

// parts bounds what was at A at time t by samples of ascending difference; apart, those that a step lies between.
func parts(s []sample, t capture.LocalTime) []span {
	for n := stepSeen; n+stepSeen <= len(s); n++ {
		if spread := s[len(s)-1].d - s[n].d + s[n-1].d - s[0].d; s[n].d-s[n-1].d > slackNS+spread {
			return append(parts(s[:n], t), parts(s[n:], t)...)
		}
	}
	return []span{bound(s, t)}
}

// bound takes the extremes of samples, and slack for what they can't know.
func bound(s []sample, t capture.LocalTime) span {
	dlo, dhi := s[0].d, s[0].d
	dist := capture.LocalTime(1 << 62)
	for _, x := range s {
		dlo, dhi = min(dlo, x.d), max(dhi, x.d)
		dist = min(dist, capture.LocalTime(abs(int64(x.t-t))))
	}
	slack := capture.LocalTime(slackNS + int64(float64(dist)*driftSlew) + int64(dhi-dlo)/2)
	return span{t + dlo - slack, t + dhi + slack}
}

// around is the samples nearest to t, of those in the order of time, as far as no step of a clock lies between.
func around(s []sample, t capture.LocalTime) []sample {
	k, _ := slices.BinarySearchFunc(s, t, func(x sample, t capture.LocalTime) int { return cmp.Compare(x.t, t) })
	from, to := max(0, k-near/2), min(len(s), k+near/2)
	first, last := max(0, from-stepSeen), min(len(s), to+stepSeen)
	var lo, hi [near + 2*stepSeen]capture.LocalTime // of the samples from each one on
	for n := last - 1; n >= first; n-- {
		at := n - first
		if lo[at], hi[at] = s[n].d, s[n].d; n+1 < last {
			lo[at], hi[at] = min(lo[at], lo[at+1]), max(hi[at], hi[at+1])
		}
	}
	if hi[0]-lo[0] <= slackNS {
		return s[from:to]
	}
	since, dlo, dhi := first, s[first].d, s[first].d // of those before
	for n := first + 1; n < last; n++ {
		at := n - first
		gap, spread := max(lo[at]-dhi, dlo-hi[at]), hi[at]-lo[at]+dhi-dlo
		if n != k && n-since >= stepSeen && last-n >= stepSeen && gap > slackNS+spread {
			if n > k {
				return s[from:min(to, n)]
			}
			from, since, dlo, dhi = max(from, n), n, s[n].d, s[n].d
		}
		dlo, dhi = min(dlo, s[n].d), max(dhi, s[n].d)
	}
	return s[from:to]
}

// drift is how fast clocks part that nobody slews: 50 ppm each is what common oscillators keep within.
const drift = 1e-4

// causal bounds B's clock minus A's, ns, at all times of the samples: a packet arrives after it was sent, so travelling
// from A to B it shows the offset too large, from B to A too small. ok is false without samples of both ways, or where they
// contradict each other: then a clock steps.
func (tl *Timeline) causal() (lo, hi int64, ok bool) {
	there, back := tl.samples[2], tl.samples[0]
	if len(there) == 0 || len(back) == 0 {
		return 0, 0, false
	}
	lo, hi = math.MinInt64, math.MaxInt64
	for _, s := range there {
		hi = min(hi, int64(s.d))
	}
	for _, s := range back {
		lo = max(lo, int64(s.d))
	}
	span := max(there[len(there)-1].t, back[len(back)-1].t) - min(there[0].t, back[0].t)
	room := int64(float64(span) * drift)
	return lo - room, hi + room, lo-room <= hi+room
}
