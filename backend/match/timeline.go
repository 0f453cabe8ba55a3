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
	return tl.windowOf(t, way, 0)
}

// windows is window of either way, in parts: where a clock stepped around t, it may have done so before or after.
func (tl *Timeline) windows(t capture.LocalTime) []span {
	lo, hi, ok := tl.windowOf(t, 0, -1)
	if !ok {
		return nil
	}
	from, to, _ := tl.windowOf(t, 0, +1)
	if from <= hi && lo <= to {
		return []span{{min(lo, from), max(hi, to)}}
	}
	return []span{{lo, hi}, {from, to}}
}

// span is a stretch of time.
type span struct{ from, to capture.LocalTime }

// windowOf is window by the samples before a step around t (side < 0), those behind it (side > 0), or by all.
func (tl *Timeline) windowOf(t capture.LocalTime, way int8, side int) (lo, hi capture.LocalTime, ok bool) {
	first := true
	join := func(k int) {
		l, h, any := bound(tl.samples[k], t, side)
		if !any {
			return
		}
		if first {
			lo, hi = l, h
		} else {
			lo, hi = min(lo, l), max(hi, h)
		}
		first = false
	}
	if way != 0 && len(tl.samples[way+1]) >= 4 {
		join(int(way + 1))
	} else {
		for k := range tl.samples {
			join(k)
		}
	}
	return lo, hi, !first
}

// bound takes the extremes of the samples nearest to t, and slack for what they can't know.
func bound(s []sample, t capture.LocalTime, side int) (lo, hi capture.LocalTime, ok bool) {
	if len(s) == 0 {
		return 0, 0, false
	}
	k, _ := slices.BinarySearchFunc(s, t, func(x sample, t capture.LocalTime) int {
		if x.t < t {
			return -1
		} else if x.t > t {
			return 1
		}
		return 0
	})
	from, to, stepped := around(s, k)
	switch {
	case stepped && side < 0:
		to = k
	case stepped && side > 0:
		from = k
	}
	dlo, dhi := s[from].d, s[from].d
	dist := capture.LocalTime(1 << 62)
	for _, x := range s[from:to] {
		dlo, dhi = min(dlo, x.d), max(dhi, x.d)
		dist = min(dist, capture.LocalTime(abs(int64(x.t-t))))
	}
	slack := capture.LocalTime(slackNS + int64(float64(dist)*driftSlew) + int64(dhi-dlo)/2)
	return t + dlo - slack, t + dhi + slack, true
}

// around is the samples nearest to an instant between k-1 and k, as far as no step of a clock lies between; stepped: one lies there.
func around(s []sample, k int) (from, to int, stepped bool) {
	from, to = max(0, k-near/2), min(len(s), k+near/2)
	first, last := max(0, from-stepSeen), min(len(s), to+stepSeen)
	var lo, hi [near + 2*stepSeen]capture.LocalTime // of the samples from each one on
	for n := last - 1; n >= first; n-- {
		at := n - first
		if lo[at], hi[at] = s[n].d, s[n].d; n+1 < last {
			lo[at], hi[at] = min(lo[at], lo[at+1]), max(hi[at], hi[at+1])
		}
	}
	if hi[0]-lo[0] <= slackNS {
		return from, to, false
	}
	since, dlo, dhi := first, s[first].d, s[first].d // of those before
	for n := first + 1; n < last; n++ {
		at := n - first
		gap, spread := max(lo[at]-dhi, dlo-hi[at]), hi[at]-lo[at]+dhi-dlo
		if n-since >= stepSeen && last-n >= stepSeen && gap > slackNS+spread {
			if n > k {
				return from, min(to, n), stepped
			}
			if stepped = n == k; !stepped {
				from, since, dlo, dhi = max(from, n), n, s[n].d, s[n].d
			}
		}
		dlo, dhi = min(dlo, s[n].d), max(dhi, s[n].d)
	}
	return from, to, stepped
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
