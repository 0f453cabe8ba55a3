package compose

import (
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/clock"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/model"
)

// samplesMost bounds the delays kept for a stretch and direction: a systematic sample of more gives the same quantiles
// to a part in some thousand.
const samplesMost = 1 << 16

// binsMost is the number of points of a plot over time.
const binsMost = 60

type sample struct{ at, delay int64 }

// delays fills a stretch's one-way delays and losses, and gives the residuals of the clock of its follower.
func (in *Input) delays(s *infer.Segment, m *model.Segment) (residuals []model.Residual) {
	var all [2][]sample // toward B, toward A
	in.Travels(s, samplesMost, func(to int, at clock.RefTime, delay int64) { all[to] = append(all[to], sample{int64(at), delay}) })
	e := in.PairError(s.A, s.B)
	m.Delay.Forward, m.Delay.Reverse = distribution(all[0], e), distribution(all[1], e)
	m.Lost.Forward = model.Loss{Sent: s.Sent[0], Lost: s.Lost[0], Series: in.lossSeries(s.LostAt[0])}
	m.Lost.Reverse = model.Loss{Sent: s.Sent[1], Lost: s.Lost[1], Series: in.lossSeries(s.LostAt[1])}
	c := in.follower(s)
	peer := s.A + s.B - c
	for d, l := range all {
		// Forward packets reach B later than A.
		sign := int64(1)
		if (d == 0) != (c == s.B) {
			sign = -1
		}
		for _, x := range thinned(l) {
			residuals = append(residuals, model.Residual{TimeNS: x.at, Delta: sign * x.delay, Forward: d == 0, Peer: in.Points[peer].Name})
		}
	}
	return residuals
}

// follower is the end of a stretch whose clock is compared to the other's: B, unless that is the reference.
func (in *Input) follower(s *infer.Segment) int {
	if s.B == in.Clocks.Ref {
		return s.A
	}
	return s.B
}

// residualBins is how many parts of the time have residuals of their own.
const residualBins = 100

// thinned keeps of some samples, for each part of the time, the fastest one, which the clocks are fitted to, and the first one, for how
// far the others scatter.
func thinned(l []sample) []sample {
	var out []sample
	for _, p := range parts(l, residualBins) {
		first, least := p.samples[0], p.samples[0]
		for _, x := range p.samples[1:] {
			if x.before(first) {
				first = x
			}
			if x.delay < least.delay || x.delay == least.delay && x.at < least.at {
				least = x
			}
		}
		out = append(out, least)
		if least != first {
			out = append(out, first)
		}
	}
	return out
}

// before tells samples of one part apart.
func (x sample) before(y sample) bool { return x.at < y.at || x.at == y.at && x.delay < y.delay }

// part is what left in a part of the time, in no order.
type part struct {
	begin   int64
	samples []sample
}

// parts puts samples into equal parts of their time, n to 2n of them, and gives those that hold any.
func parts(l []sample, n uint64) []part {
	if len(l) == 0 {
		return nil
	}
	lo, hi := l[0].at, l[0].at
	for _, x := range l {
		lo, hi = min(lo, x.at), max(hi, x.at)
	}
	width := max(uint64(hi-lo)/n, 1) // clocks may lie further apart than an int64 holds
	ends := make([]int, uint64(hi-lo)/width+1)
	for _, x := range l {
		ends[uint64(x.at-lo)/width]++
	}
	at := 0
	for k, n := range ends {
		ends[k], at = at, at+n // where it begins, for now
	}
	sorted := make([]sample, len(l))
	for _, x := range l {
		k := uint64(x.at-lo) / width
		sorted[ends[k]] = x
		ends[k]++
	}
	var out []part
	from := 0
	for k, to := range ends {
		if to > from {
			out = append(out, part{lo + int64(uint64(k)*width), sorted[from:to]})
		}
		from = to
	}
	return out
}

// lossSeries is a stretch's loss over time; nil for none.
func (in *Input) lossSeries(n *[infer.LostBins]int64) []model.LossPoint {
	if n == nil {
		return nil
	}
	width := float64(in.Whole[1]-in.Whole[0]) / infer.LostBins
	var out []model.LossPoint
	for k, x := range n {
		out = append(out, model.LossPoint{TimeNS: int64(in.Whole[0]) + int64(float64(k)*width), Lost: x, Seconds: width / 1e9})
	}
	return out
}

// distribution sums up delays; nil for none.
func distribution(l []sample, e int64) *model.Delay {
	if len(l) == 0 || e < 0 {
		return nil
	}
	d := make([]int64, len(l))
	for i, x := range l {
		d[i] = x.delay
	}
	slices.Sort(d)
	q := func(p float64) float64 { return float64(d[int(math.Ceil(p*float64(len(d))))-1]) / 1e9 }
	out := &model.Delay{MinS: float64(d[0]) / 1e9, MedianS: q(0.5), P99S: q(0.99), MaxS: float64(d[len(d)-1]) / 1e9, ErrorS: float64(e) / 1e9, Packets: int64(len(l))}
	for _, p := range parts(l, binsMost) {
		d = d[:0]
		for _, x := range p.samples {
			d = append(d, x.delay)
		}
		slices.Sort(d)
		out.Series = append(out.Series, model.DelayPoint{TimeNS: p.begin, MinS: float64(d[0]) / 1e9, MedianS: float64(d[len(d)/2]) / 1e9,
			MaxS: float64(d[len(d)-1]) / 1e9, Packets: int64(len(d))})
	}
	return out
}

// visited is the number of frames after which the store hears of the visits.
const visited = 1 << 12

// throughput counts a capture's traffic over time.
func (in *Input) throughput(c int) []model.RatePoint {
	src := in.Caps[c]
	if !in.Clocks.Of[c].Known || src.Last <= src.First {
		return nil
	}
	width := max(int64(src.Last-src.First)/binsMost, 1e6)
	bins := make([]model.RatePoint, int64(src.Last-src.First)/width+1)
	k, from := int64(0), int64(0) // the last frame's bin: the next one is mostly of its conversation, and not much later
	for i := uint32(0); i < uint32(src.Len()); i++ {
		if i%visited == 0 {
			src.Store.Visit(visited)
		}
		f := src.At(i)
		if f.Is(flow.MarkNoTime) {
			continue
		}
		if since := int64(f.Time() - src.First); since < from || since-from >= width {
			k = since / width
			from = k * width
		}
		if k >= 0 && k < int64(len(bins)) {
			bins[k].Frames++
			bins[k].Bytes += int64(src.FrameLen(i))
		}
	}
	first := src.FirstFrame()
	began := in.when(c, first) - int64(src.At(first).Time()-src.First)
	for k := range bins {
		bins[k].TimeNS, bins[k].Seconds = began+int64(k)*width, float64(width)/1e9
	}
	return bins
}
