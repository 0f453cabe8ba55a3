package match

import (
	"cmp"
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
)

// sample is one certain pair of frames of two captures.
type sample struct {
	n    capture.FrameNo   // frame of A
	way  int8              // +1: travelled from A to B, -1: from B to A, 0: not known
	t, d capture.LocalTime // time at A; time at B minus time at A
}

// moment is when a frame of A was captured. Its number says which of two moments it is that A's clock gives one time, having jumped back.
type moment struct {
	n capture.FrameNo
	t capture.LocalTime
}

// moment is when the frame in place i was captured.
func (r *Result) moment(c int, i uint32) moment {
	return moment{r.Caps[c].Frame(i), r.Caps[c].At(i).Time()}
}

// Timeline is a coarse relation of two captures' clocks, good enough to tell neighbours in time from strangers: the
// certain pairs themselves, without a model, so that a clock that drifts or steps does no harm. Package clock makes the
// fine one.
type Timeline struct {
	samples [3][]sample // by way+1, in the order of A's frames
}

const (
	near      = 24        // samples around a moment that bound it
	slackNS   = 4_000_000 // what two packets' delays may differ by beyond the samples' own spread
	stepSeen  = 4         // samples on either side of a step that show it: they differ by more than those of one side do
	driftSlew = 5e-4      // how fast two clocks may part between samples: 500 ppm, NTP's limit of slewing
)

func (tl *Timeline) add(s ...sample) {
	for _, x := range s {
		tl.samples[x.way+1] = append(tl.samples[x.way+1], x)
	}
}

// sort puts the samples of one way, by way+1, into the order of frames.
func (tl *Timeline) sort(k int) {
	slices.SortFunc(tl.samples[k], func(x, y sample) int { return cmp.Or(cmp.Compare(x.n, y.n), cmp.Compare(x.d, y.d)) })
}

// Apart bounds when at B's clock what is at A's clock at a time passes there, and the other way round, by all samples: enough where the
// clocks themselves can't be told apart from the way, as of packets that only go one way.
type Apart struct {
	lo, hi   capture.LocalTime // B's time of a packet minus A's
	from, to capture.LocalTime // times at A that samples are of
}

// Apart sums up the samples; ok is false without any.
func (tl *Timeline) Apart() (a Apart, ok bool) {
	for _, l := range tl.samples {
		for _, s := range l {
			if !ok {
				a, ok = Apart{s.d, s.d, s.t, s.t}, true
			}
			a = Apart{min(a.lo, s.d), max(a.hi, s.d), min(a.from, s.t), max(a.to, s.t)}
		}
	}
	return a, ok
}

// Window bounds the time at B of what is at A at time t, or, back, the time at A of what is at B then.
func (a Apart) Window(t capture.LocalTime, back bool) (lo, hi capture.LocalTime) {
	lo, hi, at := a.lo, a.hi, t
	if back {
		lo, hi, at = -a.hi, -a.lo, t-a.lo
	}
	slack := capture.LocalTime(slackNS + float64(max(0, a.from-at, at-a.to))*driftSlew + float64(a.hi-a.lo)/2)
	return t + lo - slack, t + hi + slack
}

// nearest is a moment at time t: by the sample that is nearest to it.
func (tl *Timeline) nearest(t capture.LocalTime) moment {
	at, best := moment{1, t}, int64(math.MaxInt64)
	for _, l := range tl.samples {
		for _, s := range l {
			if by := abs(int64(s.t - t)); by < best {
				at.n, best = s.n, by
			}
		}
	}
	return at
}

func (tl *Timeline) len() int {
	return len(tl.samples[0]) + len(tl.samples[1]) + len(tl.samples[2])
}

// window bounds the time at B of what was at A at a moment. way 0 takes both ways together.
func (tl *Timeline) window(at moment, way int8) (lo, hi capture.LocalTime, ok bool) {
	join := func(s []sample) {
		if len(s) == 0 {
			return
		}
		w := bound(around(s, at.n), at.t)
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

// windows is window of either way, in parts, ascending: where a clock steps, and it is not known whether before or after, it is one of
// several, and not in between.
func (tl *Timeline) windows(at moment) []span {
	var all []span
	for _, s := range tl.samples {
		if s = around(s, at.n); len(s) > 0 {
			all = parts(all, s, at.t)
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

// parts bounds what was at A at time t by samples; apart, those that a step lies between.
func parts(out []span, s []sample, t capture.LocalTime) []span {
	whole := bound(s, t)
	if whole.to-whole.from <= 3*slackNS {
		return append(out, whole)
	}
	s = slices.Clone(s)
	slices.SortFunc(s, func(x, y sample) int { return cmp.Compare(x.d, y.d) })
	for n := stepSeen; n+stepSeen <= len(s); n++ {
		if spread := s[len(s)-1].d - s[n].d + s[n-1].d - s[0].d; s[n].d-s[n-1].d > slackNS+spread {
			return parts(parts(out, s[:n], t), s[n:], t)
		}
	}
	return append(out, whole)
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

// around is the samples nearest to a frame of A, as far as no step of a clock lies between.
func around(s []sample, frame capture.FrameNo) []sample {
	k, _ := slices.BinarySearchFunc(s, frame, func(x sample, n capture.FrameNo) int { return cmp.Compare(x.n, n) })
	from, to := max(0, k-near/2), min(len(s), k+near/2)
	if len(s) == 0 {
		return nil
	}
	first, last := max(0, from-stepSeen), min(len(s), to+stepSeen)
	least, most := s[first].d, s[first].d
	for _, x := range s[first:last] {
		least, most = min(least, x.d), max(most, x.d)
	}
	if most-least <= slackNS {
		return s[from:to]
	}
	return beside(s, k, from, to, first, last)
}

// beside is what is left of the samples in [from, to) where a step lies between some of those in [first, last) and what is between k-1
// and k.
func beside(s []sample, k, from, to, first, last int) []sample {
	var lo, hi [near + 2*stepSeen]capture.LocalTime // of the samples from each one on
	for n := last - 1; n >= first; n-- {
		at := n - first
		if lo[at], hi[at] = s[n].d, s[n].d; n+1 < last {
			lo[at], hi[at] = min(lo[at], lo[at+1]), max(hi[at], hi[at+1])
		}
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
