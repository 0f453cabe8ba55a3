package clock

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// Estimate is what the pairs of one link say: B's clock against A's.
type Estimate struct {
	Clock
	AtA     capture.LocalTime // the same instant as Clock.At, on A's clock
	Forward int64             // pairs that travelled from A to B
	Reverse int64
	// MinRTT is the smallest sum of both one-way delays, ns.
	MinRTT int64
	bins   []bin
	t0     capture.LocalTime
	// relayed: some pairs tell of what a proxy did, which may take any time.
	relayed bool
	// hidden: a jump may hide among the pairs, which nothing tells; the offset is then bounded up to until only, by A's clock.
	hidden bool
	until  capture.LocalTime
	// floor is the least time difference of each direction at AtA, infinite for none; it changes by rho and -rho per ns.
	floor [2]float64
	rho   float64
}

// bin holds the fastest packet of each direction among some consecutive frames.
type bin struct {
	from, fromB capture.FrameNo // first frame of A, of B
	f, r        point
	hasF, hasR  bool
	last, lastF capture.FrameNo // last frame of A, and B's frame that it is paired with
	// Times of the first and of the last frame.
	firstA, firstB, lastA, lastB capture.LocalTime
}

// point is a time at A, from the first pair on, and a difference that bounds the offset: forward, B minus A; reverse, A
// minus B. ns.
type point struct{ t, d int64 }

// maxBins bounds the work of the fit; minima of bins keep the envelope and even out bursts.
const maxBins = 2048

// driftSpan is the span, in ns, below which no drift is told: over it a microsecond of noise is a tenth of a ppm.
const driftSpan = 10e9

func estimate(r *match.Result, l *match.Link) *Estimate {
	e := &Estimate{}
	e.collect(r, l, false)
	if e.Forward == 0 || e.Reverse == 0 {
		e = &Estimate{}
		e.collect(r, l, true)
	}
	if len(e.bins) == 0 {
		return nil
	}
	if e.Forward > 0 && e.Reverse > 0 {
		e.findSteps()
	}
	e.fit()
	return e
}

// collect fills the bins from the link's pairs, in the order of A's frames. A large segment's time is that of its first or
// of its last part, depending on who cut or joined it, so re-cut ones are taken only where there is nothing else.
func (e *Estimate) collect(r *match.Result, l *match.Link, recut bool) {
	// Few pairs have a bin each, many share those of a stretch of frames; and of many each core takes a part.
	few, n := l.N <= maxBins, r.Caps[l.A].Len()
	parts := 1
	if !few {
		parts = max(1, runtime.GOMAXPROCS(0))
	}
	out, whole := make([]Estimate, parts), make([]bool, parts)
	var wg sync.WaitGroup
	for k := range out {
		wg.Go(func() {
			whole[k] = out[k].gather(r, l, recut, few, uint32(n*k/parts), uint32(n*(k+1)/parts), parts == 1)
		})
	}
	wg.Wait()
	if slices.Contains(whole, false) {
		out = make([]Estimate, 1)
		out[0].gather(r, l, recut, few, 0, uint32(n), true)
	}
	e.bins = out[0].bins
	for k := range out {
		e.Forward, e.Reverse, e.relayed = e.Forward+out[k].Forward, e.Reverse+out[k].Reverse, e.relayed || out[k].relayed
		if k > 0 {
			for i := range out[k].bins {
				e.bins[i].add(&out[k].bins[i])
			}
		}
	}
	e.settle()
	e.causes(r, l)
}

// gather fills bins from the pairs of A's places from one up to another; all: these are all. It reports false, and fills nothing that is
// of use, if what it finds must be seen together with the pairs of other places.
func (e *Estimate) gather(r *match.Result, l *match.Link, recut, few bool, from, to uint32, all bool) bool {
	a, b := r.Caps[l.A], r.Caps[l.B]
	width := uint32(a.Len()/maxBins + 1)
	if !few {
		e.bins = make([]bin, uint32(a.Len())/width+1)
	}
	together := false
	seenA, seenB := uint32(0), map[uint32]bool{}
	var fl *match.Flow
	var jt *match.Joint
	var side *match.Side
	flows := r.Lookup(l.A)
	l.Within(from, to, func(p match.Pair) {
		if p.How == match.HowOrder || p.How == match.HowResegment && !recut {
			return
		}
		f, h := a.At(p.A), b.At(p.B)
		if f.Is(flow.MarkNoTime) || h.Is(flow.MarkNoTime) {
			return
		}
		if p.How == match.HowRelayed || p.How == match.HowResegment || p.How == match.HowLogical {
			// Of several counterparts only the first transmission tells.
			together = true
			if !all {
				return
			}
			if p.A+1 == seenA || seenB[p.B] {
				return
			}
			seenA, seenB[p.B] = p.A+1, true
			e.relayed = e.relayed || p.How != match.HowResegment
		}
		if x := flows.Flow(p.A); x != fl || jt == nil {
			fl = x
			jt, side = x.Joint(l.A, l.B), x.Sides[l.A]
		}
		if jt == nil || jt.Way == 0 {
			return
		}
		way, d := int(jt.Way), side.Dir(p.A)
		if d == 1 {
			way = -way
		}
		if !match.Causal(p, f, d) {
			return
		}
		n, m := a.Frame(p.A), b.Frame(p.B)
		var k *bin
		if few {
			e.bins = append(e.bins, bin{})
			k = &e.bins[len(e.bins)-1]
		} else {
			k = &e.bins[uint32(n-1)/width]
		}
		k.reach(n, m, f.Time(), h.Time())
		e.note(k, f.Time(), h.Time(), way > 0)
	})
	return all || !together
}

// add adds what pairs behind those of a bin gave.
func (k *bin) add(x *bin) {
	if x.from == 0 {
		return
	}
	if k.from == 0 || x.from < k.from {
		k.from, k.fromB, k.firstA, k.firstB = x.from, x.fromB, x.firstA, x.firstB
	}
	if x.last >= k.last {
		k.last, k.lastF, k.lastA, k.lastB = x.last, x.lastF, x.lastA, x.lastB
	}
	if x.hasF && (!k.hasF || x.f.d < k.f.d) {
		k.f, k.hasF = x.f, true
	}
	if x.hasR && (!k.hasR || x.r.d < k.r.d) {
		k.r, k.hasR = x.r, true
	}
}

// reach makes a bin reach to frame n of A and frame m of B, of these times.
func (k *bin) reach(n, m capture.FrameNo, a, b capture.LocalTime) {
	if k.from == 0 || n < k.from {
		k.from, k.fromB, k.firstA, k.firstB = n, m, a, b
	}
	if n >= k.last {
		k.last, k.lastF, k.lastA, k.lastB = n, m, a, b
	}
}

// settle leaves the bins that hold something, in order, and lets times count from the first one. Where a clock jumped inside of a bin,
// its two directions are of different sides, and it tells nothing.
func (e *Estimate) settle() {
	e.bins = slices.DeleteFunc(e.bins, func(k bin) bool { return k.from == 0 || k.hasF && k.hasR && k.f.d+k.r.d < -stepLeast })
	slices.SortStableFunc(e.bins, func(x, y bin) int { return cmp.Compare(x.from, y.from) })
	if len(e.bins) == 0 {
		return
	}
	k := &e.bins[0]
	e.t0, e.AtA, e.At = k.firstA, k.firstA, k.firstB
	for n := range e.bins {
		e.bins[n].f.t -= int64(e.t0)
		e.bins[n].r.t -= int64(e.t0)
	}
}

// note adds a pair to a bin: forward, B's frame exists because of A's. Times count from e.t0.
func (e *Estimate) note(k *bin, a, b capture.LocalTime, forward bool) {
	t, dt := int64(a-e.t0), int64(b-a)
	if forward {
		e.Forward++
		if !k.hasF || dt < k.f.d {
			k.f, k.hasF = point{t, dt}, true
		}
		return
	}
	e.Reverse++
	if !k.hasR || -dt < k.r.d {
		k.r, k.hasR = point{t, -dt}, true
	}
}

// causes adds what requests and answers say across a proxy.
func (e *Estimate) causes(r *match.Result, l *match.Link) {
	for _, c := range r.Causes {
		a, b, forward := c.Cause, c.Effect, true
		if a.Capture != l.A {
			a, b, forward = b, a, false
		}
		if a.Capture != l.A || b.Capture != l.B {
			continue
		}
		x, y := r.Caps[l.A].At(a.Frame), r.Caps[l.B].At(b.Frame)
		if x.Is(flow.MarkNoTime) || y.Is(flow.MarkNoTime) {
			continue
		}
		if len(e.bins) == 0 {
			e.t0, e.AtA, e.At = x.Time(), x.Time(), y.Time()
		}
		e.relayed = true
		e.bins = append(e.bins, bin{from: r.Caps[l.A].Frame(a.Frame), fromB: r.Caps[l.B].Frame(b.Frame), last: r.Caps[l.A].Frame(a.Frame), lastF: r.Caps[l.B].Frame(b.Frame), lastA: x.Time(), lastB: y.Time()})
		e.note(&e.bins[len(e.bins)-1], x.Time(), y.Time(), forward)
	}
	slices.SortStableFunc(e.bins, func(x, y bin) int { return cmp.Compare(x.from, y.from) })
}

// points gives the bins' minima of both directions, steps taken out, and by part between steps as they are: sizes of steps are known
// to some half of a round trip, which a slope must not lean on. span is the time of all parts, ns.
func (e *Estimate) points() (fw, rv []point, parts []part, span int64) {
	last := int64(math.MinInt64)
	for i := range e.bins {
		k := &e.bins[i]
		by := e.stepBefore(k)
		if by != last {
			parts, last = append(parts, part{}), by
		}
		p := &parts[len(parts)-1]
		if k.hasF {
			fw = append(fw, point{k.f.t, k.f.d - by})
			p.way[0] = append(p.way[0], point{k.f.t, k.f.d})
		}
		if k.hasR {
			rv = append(rv, point{k.r.t, k.r.d + by})
			p.way[1] = append(p.way[1], point{k.r.t, k.r.d})
		}
	}
	for k := range parts {
		if from, to := parts[k].span(); from < to {
			span += to - from
		}
	}
	return fw, rv, parts, span
}

// drift is how much faster B's clock runs than A's, as a share, and the error of that, ppm. told: the pairs tell it; moves: it is either
// that, or the clock jumps. Over a short span it is told only where one offset for all of it is impossible.
func drift(fw, rv []point, parts []part, span int64) (rho, err float64, told, moves bool) {
	apart := floor(fw, 0)+floor(rv, 0) < -2*resolution
	if span <= driftSpan && !apart || len(fw)+len(rv) < 16 || len(fw) > 0 && len(fw) < 8 || len(rv) > 0 && len(rv) < 8 {
		return 0, 0, false, false
	}
	rho = slope(parts)
	err = max(driftError(parts, rho), restless(parts, rho))
	most := math.Abs(rho) * 1e6
	// Where nothing else is known that explains it, however little is known of how fast exactly: a drift that oscillators have, or, no step
	// having been found, any that clocks are kept right with.
	if trip := floor(fw, rho) + floor(rv, -rho); apart && (most <= 2*driftMost && trip > -2*resolution || len(parts) == 1 && most <= fastest*1e6 && trip > -stepLeast && floor(fw, 0)+floor(rv, 0) < -stepLeast) {
		return rho, min(err, 2*driftMost+most), true, false
	}
	if most > 2*driftMost {
		// What no two oscillators drift by, and a jump explains as well, is no drift.
		left := calmest(parts)
		moves = left <= 2*driftMost && most-left > max(err, most/10)
	}
	if moves || err > driftMost {
		return 0, 0, false, true
	}
	return rho, err, true, false
}

// fit finds offset and drift from the bins' minima.
func (e *Estimate) fit() {
	fw, rv, parts, span := e.points()
	rho, err, told, moves := drift(fw, rv, parts, span)
	if told {
		e.DriftPPM, e.DriftError, e.HasDrift = rho*1e6, err, true
		if len(parts) > 1 && floor(fw, rho)+floor(rv, -rho) < 0 && e.resize(parts, rho) {
			fw, rv, parts, _ = e.points()
		}
	}
	minF, minR := floor(fw, rho), floor(rv, -rho)
	e.floor, e.rho = [2]float64{minF, minR}, rho
	if len(fw) == 0 || len(rv) == 0 {
		return
	}
	e.MinRTT = max(0, int64(minF+minR))
	e.Offset = int64(math.Round((minF - minR) / 2))
	bound := max(0, (minF+minR)/2)
	if len(parts) > 1 {
		// The offset is that before the first step. What lies behind leans on the step's size, which is not known as well.
		if l := e.inFront(rho); !math.IsInf(trip(l), 0) {
			bound = max(bound, l[0]-float64(e.Offset), l[1]+float64(e.Offset))
		} else if first := &parts[0]; len(first.way[0]) > 0 && len(first.way[1]) > 0 {
			bound = max(bound, floor(first.way[0], rho)-float64(e.Offset), floor(first.way[1], -rho)+float64(e.Offset))
		}
	}
	front, until := e.divided(rho)
	f, r := front[0], front[1]
	if e.hidden = f+r > 0; e.hidden {
		e.until = until
	}
	if moves {
		// Whether the clock drifts or jumps is not known, so only what lies near this instant tells of it.
		if nearF, nearR := e.near(0); nearF+nearR > f+r {
			f, r = nearF, nearR
		}
	}
	if f+r > 0 {
		e.Offset, bound = int64(math.Round((f-r)/2)), max(bound, (f+r)/2)
	}
	e.Error = int64(math.Ceil(bound)) + resolution
	// Less than no time, and no step explains it: the bound is worth nothing.
	e.Known = minF+minR > -float64(stepLeast)
}

// drifting reports whether a drift such as clocks have explains what no one offset does.
func (e *Estimate) drifting() bool {
	fw, rv, parts, _ := e.points()
	rho := slope(parts)
	return math.Abs(rho) <= fastest && floor(fw, rho)+floor(rv, -rho) > -stepLeast
}

// needless reports whether one drift leaves nothing impossible and so many steps tell no more: where there is one, the drift must be
// one that oscillators have, or what lies on either side of any place must show it too.
func (e *Estimate) needless(steps []Step) bool {
	if e.Steps = nil; len(steps) == 0 {
		return false
	}
	fw, rv, parts, span := e.points()
	rho, _, told, _ := drift(fw, rv, parts, span)
	if !told || math.Abs(rho) > fastest || floor(fw, rho)+floor(rv, -rho) <= -2*resolution {
		return false
	}
	return len(steps) > 1 || math.Abs(rho)*1e6 <= 2*driftMost || calmest(parts) > 2*driftMost
}

// resize makes the steps as large as what lies between them says, the drift taken out. It reports whether it could.
func (e *Estimate) resize(parts []part, rho float64) bool {
	if len(parts) != len(e.Steps)+1 {
		return false
	}
	var middle []float64
	for _, x := range parts {
		f, r := floor(x.way[0], rho), floor(x.way[1], -rho)
		if math.IsInf(f+r, 0) {
			return false
		}
		middle = append(middle, (f-r)/2)
	}
	by := int64(0)
	for k := range e.Steps {
		s := &e.Steps[k]
		s.size = int64(math.Round(middle[k+1] - middle[k]))
		by += s.size
		s.By = by
	}
	return true
}

// resolution is what timestamps of a microsecond cut off, ns.
const resolution = 1000

// floor is the least height of the points above a line through the origin with slope rho.
func floor(p []point, rho float64) float64 {
	m := math.Inf(1)
	for _, x := range p {
		m = min(m, float64(x.d)-rho*float64(x.t))
	}
	return m
}

// part is what lies between two steps of the clock: points of both directions.
type part struct{ way [2][]point }

// slope minimises the summed height of all points over the lines that touch them from below, one for each part and
// direction, with slopes rho and -rho (the linear programme of Moon, Skelly and Towsley, for both directions at once). The
// sum is convex in rho.
func slope(parts []part) float64 {
	n := [2]int{}
	for _, x := range parts {
		n[0], n[1] = n[0]+len(x.way[0]), n[1]+len(x.way[1])
	}
	cost := func(rho float64) float64 {
		c := 0.
		for _, x := range parts {
			for d, l := range x.way {
				r := rho
				if d == 1 {
					r = -rho
				}
				m := floor(l, r)
				for _, p := range l {
					c += (float64(p.d) - r*float64(p.t) - m) / float64(n[d])
				}
			}
		}
		return c
	}
	lo, hi := -1e-3, 1e-3
	for k := 0; k < 80; k++ {
		a, b := lo+(hi-lo)/3, hi-(hi-lo)/3
		if cost(a) < cost(b) {
			hi = b
		} else {
			lo = a
		}
	}
	return (lo + hi) / 2
}

// driftMost is the error, ppm, from which an estimate tells no more than that common oscillators keep within 50 ppm.
const driftMost = 50

// driftError bounds the slope's error, ppm. Of n delays that exceed the least one by h in the mean (taken for exponential),
// the lowest of a third lies h/(n/3) above the true line in the mean; a line that touches such points in the first and
// the last third of the time errs by twice that over two thirds of it. Three times as much is said, for delays are not
// exponential. Delays that follow each other, as a queue's do, count for fewer: n (1-r)/(1+r) where neighbours correlate by r.
// The best one of all parts and directions counts.
func driftError(parts []part, rho float64) float64 {
	best := math.Inf(1)
	for _, x := range parts {
		best = min(best, lineError(x.way[0], rho), lineError(x.way[1], -rho))
	}
	return best * 1e6
}

// restless is three times as far as the slope moves, ppm, where any third of the time between steps is left out: delays that rise and fall
// slowly look like drift as long as one has not seen them do both. What is left must span half of the time. Where it does not, for packets
// come in bursts, it is by how much both directions together change from one half of the time to the other, per time.
func restless(parts []part, rho float64) float64 {
	worst := 0.
	for third := range int64(3) {
		var left []part
		span, whole := int64(0), int64(0)
		for _, x := range parts {
			from, to := x.span()
			lo, hi := from+(to-from)/3*third, from+(to-from)/3*(third+1)
			var p part
			for d, l := range x.way {
				for _, y := range l {
					if y.t < lo || y.t > hi {
						p.way[d] = append(p.way[d], y)
					}
				}
			}
			left = append(left, p)
			if from, to := p.span(); from < to {
				span = max(span, to-from)
			}
			whole = max(whole, to-from)
		}
		if span*2 >= whole {
			worst = max(worst, 3*math.Abs(slope(left)-rho))
		} else {
			worst = max(worst, lopsided(parts, rho))
		}
	}
	return worst * 1e6
}

// lopsided is by how much the least delays of both directions together change from the first half of the longest time between steps to
// the second, per time: as much as a delay of one direction alone may have changed. Infinite where either half lacks a direction.
func lopsided(parts []part, rho float64) float64 {
	var x part
	from, to := int64(0), int64(0)
	for k := range parts {
		if a, b := parts[k].span(); b-a > to-from {
			x, from, to = parts[k], a, b
		}
	}
	before, after := x.cut(from + (to-from)/2)
	trips := [2]float64{}
	for k, p := range [2]part{before, after} {
		trips[k] = floor(p.way[0], rho) + floor(p.way[1], -rho)
	}
	if math.IsInf(trips[0], 0) || math.IsInf(trips[1], 0) {
		return math.Inf(1)
	}
	return (math.Abs(trips[0]-trips[1]) + 2*resolution) / float64(to-from)
}

// jumpPlaces is into how many stretches of equal time a part is cut to look for jumps between them.
const jumpPlaces = 16

// calmest is the least drift, ppm, that is left where the clock may have jumped once more: a jump too small to be told looks like drift.
func calmest(parts []part) float64 {
	least := math.Inf(1)
	for k := range parts {
		from, to := parts[k].span()
		for n := int64(1); n < jumpPlaces; n++ {
			before, after := parts[k].cut(from + (to-from)/jumpPlaces*n)
			least = min(least, math.Abs(slope(slices.Concat(parts[:k], []part{before, after}, parts[k+1:]))))
		}
	}
	return least * 1e6
}

// cut parts a part at a time.
func (p *part) cut(at int64) (before, after part) {
	for d, l := range p.way {
		k, _ := slices.BinarySearchFunc(l, at, func(x point, at int64) int { return cmp.Compare(x.t, at) })
		before.way[d], after.way[d] = l[:k], l[k:]
	}
	return before, after
}

// span is the time of a part's first and last point.
func (p *part) span() (from, to int64) {
	from, to = math.MaxInt64, math.MinInt64
	for _, l := range p.way {
		for _, x := range l {
			from, to = min(from, x.t), max(to, x.t)
		}
	}
	return from, to
}

// lineError is driftError of one line.
func lineError(l []point, rho float64) float64 {
	if len(l) < 8 {
		return math.Inf(1)
	}
	n := float64(len(l))
	m, h, t := floor(l, rho), 0., 0.
	height := func(k int) float64 { return float64(l[k].d) - rho*float64(l[k].t) - m }
	for k := range l {
		h += height(k) / n
		t += float64(l[k].t) / n
	}
	v, own, next := 0., 0., 0.
	for k := range l {
		v += (float64(l[k].t) - t) * (float64(l[k].t) - t) / n
		own += (height(k) - h) * (height(k) - h)
		if k > 0 {
			next += (height(k) - h) * (height(k-1) - h)
		}
	}
	span := math.Sqrt(12 * v) // of times spread evenly with that variance
	if span == 0 {
		return math.Inf(1)
	}
	if own > 0 {
		r := min(max(next/own, 0), 1)
		n = max(1, n*(1-r)/(1+r))
	}
	return (9*h/n + 2*resolution) / span
}

// inverse is A's clock against B's.
func (e *Estimate) inverse() Clock {
	c := e.Clock
	c.At, c.Offset, c.DriftPPM = e.AtA, -e.Offset, -e.DriftPPM
	c.Steps = nil
	for k := range e.Steps {
		s := &e.Steps[k]
		behind, at := e.lastA(s)
		c.Steps = append(c.Steps, Step{From: e.frameA(s), At: at, size: -s.size, behind: behind})
	}
	slices.SortStableFunc(c.Steps, func(x, y Step) int { return cmp.Compare(x.From, y.From) })
	by := int64(0)
	for k := range c.Steps {
		by += c.Steps[k].size
		c.Steps[k].By = by
	}
	return c
}

func (e *Estimate) frameA(s *Step) capture.FrameNo {
	for i := range e.bins {
		if e.bins[i].behindStep(s) {
			return e.bins[i].from
		}
	}
	return 0
}

// lastA is A's last frame in front of a step, and its time.
func (e *Estimate) lastA(s *Step) (capture.FrameNo, capture.LocalTime) {
	n, t := capture.FrameNo(0), e.AtA
	for i := range e.bins {
		k := &e.bins[i]
		if k.behindStep(s) {
			break
		}
		n, t = k.last, k.lastA
	}
	return n, t
}
