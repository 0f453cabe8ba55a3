package compose

import (
	"cmp"
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

// delays fills a stretch's one-way delays and losses, and the residuals of the clock at that end which is not the reference.
func (in *Input) delays(s *infer.Segment, m *model.Segment, caps []model.Capture) {
	var all [2][]sample // toward B, toward A
	in.Travels(s, samplesMost, func(to int, at clock.RefTime, delay int64) { all[to] = append(all[to], sample{int64(at), delay}) })
	e := in.PairError(s.A, s.B)
	m.Delay.Forward, m.Delay.Reverse = distribution(all[0], e), distribution(all[1], e)
	m.Lost.Forward = model.Loss{Sent: s.Sent[0], Lost: s.Lost[0], Series: in.lossSeries(s.LostAt[0])}
	m.Lost.Reverse = model.Loss{Sent: s.Sent[1], Lost: s.Lost[1], Series: in.lossSeries(s.LostAt[1])}
	c, peer := s.B, s.A
	if c == in.Clocks.Ref {
		c, peer = peer, c
	}
	for d, l := range all {
		// Forward packets reach B later than A.
		sign := int64(1)
		if (d == 0) != (c == s.B) {
			sign = -1
		}
		for _, x := range thinned(l) {
			caps[c].Clock.Residuals = append(caps[c].Clock.Residuals, model.Residual{TimeNS: x.at, Delta: sign * x.delay, Forward: d == 0, Peer: in.Points[peer].Name})
		}
	}
}

// residualBins is how many parts of the time have residuals of their own.
const residualBins = 100

// thinned keeps of some samples in the order of time, for each part of the time, the fastest one, which the clocks are
// fitted to, and the first one, for how far the others scatter.
func thinned(l []sample) []sample {
	if len(l) == 0 {
		return nil
	}
	lo, width := l[0].at, max((l[len(l)-1].at-l[0].at)/residualBins, 1)
	var out []sample
	for i := 0; i < len(l); {
		k, least := i, i
		for ; k < len(l) && (l[k].at-lo)/width == (l[i].at-lo)/width; k++ {
			if l[k].delay < l[least].delay {
				least = k
			}
		}
		out = append(out, l[least])
		if least != i {
			out = append(out, l[i])
		}
		i = k
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
	slices.SortFunc(l, func(x, y sample) int { return cmp.Or(cmp.Compare(x.at, y.at), cmp.Compare(x.delay, y.delay)) })
	lo, hi := l[0].at, l[len(l)-1].at
	width := max((hi-lo)/binsMost, 1)
	for i := 0; i < len(l); {
		bin := (l[i].at - lo) / width
		var in []int64
		k := i
		for ; k < len(l) && (l[k].at-lo)/width == bin; k++ {
			in = append(in, l[k].delay)
		}
		slices.Sort(in)
		out.Series = append(out.Series, model.DelayPoint{TimeNS: lo + bin*width, MinS: float64(in[0]) / 1e9, MedianS: float64(in[len(in)/2]) / 1e9,
			MaxS: float64(in[len(in)-1]) / 1e9, Packets: int64(len(in))})
		i = k
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
	for i := uint32(0); i < uint32(src.Len()); i++ {
		if i%visited == 0 {
			src.Store.Visit(visited)
		}
		f := src.At(i)
		if k := int64(f.Time()-src.First) / width; !f.Is(flow.MarkNoTime) && k >= 0 && k < int64(len(bins)) {
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
