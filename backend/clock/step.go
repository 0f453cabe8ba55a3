package clock

import (
	"cmp"
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
)

// A step of a clock moves both envelopes at once, in opposite directions and by the same amount; a change of route moves
// them by different amounts, a queue raises one only.

const (
	stepWindow = 24      // bins on either side whose minima are compared
	stepLeast  = 500_000 // ns: smaller steps hide in what delays vary by
	stepPairs  = 4       // pairs of each direction that a window needs for its minima to say what the path's delay is
	stepLike   = 16      // as many times as large as what both directions differ by is what no route does to both
	stepTimes  = 8       // how far a step must stand out of the usual difference between neighbouring windows
)

// stepsMost bounds the jumps that are looked for.
const stepsMost = 16

// findSteps fills Steps: jumps of B's clock against A's. Whichever of the two steps, the place is one in its own frames: what
// is on its way at that moment is later at the one end and earlier at the other. All of one clock are likelier than some of
// either.
func (e *Estimate) findSteps() {
	best, least := e.search()
	if e.needless(best) {
		best = nil
	}
	e.Steps = best
	if len(best) > 0 && least < -2*resolution {
		best = e.tilted(best, least)
	}
	slices.SortFunc(best, func(x, y Step) int { return cmp.Compare(x.From, y.From) })
	by := int64(0)
	for k := range best {
		by += best[k].size
		best[k].By = by
	}
	e.Steps = best
	slices.SortStableFunc(e.bins, func(x, y bin) int { return cmp.Compare(x.from, y.from) })
}

// tilted looks for steps anew, the drift taken out that these leave. They are found, and their sizes, between packets nearby, and those
// may lie far from each other: what the clock drifts by meanwhile comes on top, and looks like jumps itself. It gives the better ones.
func (e *Estimate) tilted(best []Step, least int64) []Step {
	_, _, parts, _ := e.points()
	rho := slope(parts)
	if math.Abs(rho) > fastest {
		return best
	}
	e.tilt(rho)
	again, left := e.search()
	e.tilt(-rho)
	e.Steps = again
	if _, _, told, _ := drift(e.points()); told && (len(again) < len(best) || left > least) {
		return again
	}
	return best
}

// tilt takes a drift out of all bins.
func (e *Estimate) tilt(rho float64) {
	for k := range e.bins {
		b := &e.bins[k]
		b.f.d -= int64(math.Round(rho * float64(b.f.t)))
		b.r.d += int64(math.Round(rho * float64(b.r.t)))
	}
}

// search finds steps of either clock, or of both, that leave least impossible; and the round trip that they leave, ns.
func (e *Estimate) search() (best []Step, least int64) {
	least = math.MinInt64
	for _, find := range []func(){func() { e.stepsOf(false) }, func() { e.stepsOf(true) }, e.cutUp} {
		e.Steps = nil
		find()
		f, r, _ := e.minima(0, len(e.bins))
		if f+r > least {
			best, least = e.Steps, f+r
		}
		if f+r > -stepLeast {
			break // no contradiction is left
		}
	}
	return best, least
}

// stepsOf looks for steps of one clock, A's or B's, the largest first.
func (e *Estimate) stepsOf(inA bool) {
	inOrder(e.bins, inA)
	for len(e.Steps) < stepsMost {
		at, by := e.biggestJump()
		if at < 0 {
			at, by = e.contradiction()
		}
		if at < 0 || !e.addStep(at, by, inA) {
			return
		}
	}
}

// cutUp looks for steps of either clock from the beginning on: there is one where a frame contradicts all since the last.
func (e *Estimate) cutUp() {
	if e.drifting() {
		return
	}
	var steps []Step
	rest, middle, trip := e.bins, int64(0), int64(-1)
	for {
		n, inA := agreeing(rest)
		f, r, okF, okR := lows(rest[:n])
		before := middle
		switch {
		case okF && okR:
			middle, trip = (f-r)/2, f+r
		case trip < 0:
			return
		case okF:
			middle = f - trip/2
		default:
			middle = trip/2 - r
		}
		if len(steps) > 0 {
			steps[len(steps)-1].size = middle - before
		}
		if n == len(rest) {
			break
		}
		if len(steps) == stepsMost {
			return
		}
		steps = append(steps, stepAt(rest, n, inA))
		rest = rest[n:]
	}
	e.Steps = steps
}

// agreeing is how many bins do not contradict each other, and which clock steps behind them: by the frames of the one that does not,
// what is on its way tells the old and the new time by turns. It leaves the bins in the order of that clock's frames.
func agreeing(bins []bin) (n int, inA bool) {
	var first, next [2]int
	for k, inA := range [2]bool{true, false} {
		inOrder(bins, inA)
		first[k] = consistent(bins)
		next[k] = consistent(bins[first[k]:])
	}
	if next[0] <= next[1] {
		return first[1], false
	}
	inOrder(bins, true)
	return first[0], true
}

// lows are the least differences of both directions over bins, steps not taken out.
func lows(bins []bin) (f, r int64, okF, okR bool) {
	for k := range bins {
		f, r, okF, okR = bins[k].lower(f, r, okF, okR)
	}
	return f, r, okF, okR
}

// consistent is how many bins, from the first on, do not contradict each other; one at least, which may span a jump.
func consistent(bins []bin) int {
	var f, r int64
	okF, okR := false, false
	for k := range bins {
		f, r, okF, okR = bins[k].lower(f, r, okF, okR)
		if k > 0 && okF && okR && f+r < -stepLeast {
			return k
		}
	}
	return len(bins)
}

// lower adds a bin to the least differences of both directions.
func (k *bin) lower(f, r int64, okF, okR bool) (int64, int64, bool, bool) {
	if k.hasF && (!okF || k.f.d < f) {
		f, okF = k.f.d, true
	}
	if k.hasR && (!okR || k.r.d < r) {
		r, okR = k.r.d, true
	}
	return f, r, okF, okR
}

// inOrder sorts bins by the frames of A, or of B.
func inOrder(bins []bin, inA bool) {
	slices.SortStableFunc(bins, func(x, y bin) int { return cmp.Compare(x.place(inA), y.place(inA)) })
}

// stepAt is a step of one clock in front of a bin.
func stepAt(bins []bin, at int, inA bool) Step {
	return Step{From: bins[at].fromB, At: bins[at-1].lastB, behind: bins[at-1].lastF, key: bins[at].place(inA), inA: inA}
}

// place is a bin's place in the frames of A, or of B.
func (k *bin) place(inA bool) capture.FrameNo {
	if inA {
		return k.from
	}
	return k.fromB
}

// behindStep reports whether a bin lies behind a step.
func (k *bin) behindStep(s *Step) bool { return k.place(s.inA) >= s.key }

// addStep notes a step before a bin. It refuses one that explains nothing: a place that has one already, or a size that
// makes the pairs contradict each other more than before.
func (e *Estimate) addStep(at int, by int64, inA bool) bool {
	before, s := e.Steps, stepAt(e.bins, at, inA)
	s.size = by
	if slices.ContainsFunc(before, func(x Step) bool { return x.key == s.key && x.inA == inA }) {
		return false
	}
	f0, r0, _ := e.minima(0, len(e.bins))
	e.Steps = append(slices.Clone(before), s)
	if f1, r1, _ := e.minima(0, len(e.bins)); f1+r1 < min(f0+r0, 0)-resolution {
		e.Steps = before
		return false
	}
	return true
}

// stepBefore is the sum of the steps up to a bin.
func (e *Estimate) stepBefore(b *bin) int64 {
	by := int64(0)
	for k := range e.Steps {
		if s := &e.Steps[k]; b.behindStep(s) {
			by += s.size
		}
	}
	return by
}

// biggestJump finds the bin that the largest step not yet known precedes; -1 if none stands out.
func (e *Estimate) biggestJump() (at int, by int64) {
	n := len(e.bins)
	if n < 4 {
		return -1, 0
	}
	jumps := make([]int64, 0, n)
	f, r, _ := e.minima(0, n)
	impossible := f+r < -stepLeast // then few pairs are enough
	best, at, trip, odd := int64(0), -1, int64(0), int64(0)
	for k := 1; k < n; k++ {
		f0, r0, ok0 := e.minima(max(0, k-stepWindow), k)
		f1, r1, ok1 := e.minima(k, min(n, k+stepWindow))
		if !ok0 || !ok1 {
			continue
		}
		if !impossible && (e.scarce(max(0, k-stepWindow), k) || e.scarce(k, min(n, k+stepWindow))) {
			continue
		}
		df, dr := f1-f0, r1-r0
		step, rtt := (df-dr)/2, (df+dr)/2
		jumps = append(jumps, abs(step))
		if abs(step) > best && abs(rtt)*4 < abs(step) {
			best, at, by, trip, odd = abs(step), k, step, min(f0+r0, f1+r1), abs(rtt)
		}
	}
	// A change of route makes less than half a round trip of it too, but not one way longer by just what it takes from the other.
	if at < 0 || best < stepLeast || best < trip/2 && odd*stepLike > best {
		return -1, 0
	}
	if e.relayed && f+r > -stepLeast { // a busy proxy does it too, so nothing but an impossible round trip tells
		return -1, 0
	}
	// With one step of size s, about 2*stepWindow of the differences see it: the usual one is the median of the rest.
	slices.Sort(jumps)
	usual := jumps[len(jumps)/4]
	if best < stepTimes*usual {
		return -1, 0
	}
	return e.sharpen(at, by)
}

// scarce reports whether bins [from, to) hold few pairs of either direction: their minima may all be those of a queue.
func (e *Estimate) scarce(from, to int) bool {
	f, r := 0, 0
	for i := from; i < to; i++ {
		if e.bins[i].hasF {
			f++
		}
		if e.bins[i].hasR {
			r++
		}
	}
	return f < stepPairs || r < stepPairs
}

// contradiction finds a step where traffic is so sparse in one direction that no window holds both: all pairs together
// then say that a round trip takes less than no time, which no constant offset explains.
func (e *Estimate) contradiction() (at int, by int64) {
	n := len(e.bins)
	f, r, ok := e.minima(0, n)
	if !ok || f+r > -stepLeast || e.drifting() {
		return -1, 0
	}
	// The step lies where the same direction's difference changes most from one pair to the next, of the places that
	// leave no contradiction on either side.
	best, at := int64(0), -1
	last := [2]int64{}
	have := [2]bool{}
	for k := 0; k < n; k++ {
		b := &e.bins[k]
		now := b.f.d - e.stepBefore(b)
		d := 0
		if !b.hasF {
			now, d = -b.r.d-e.stepBefore(b), 1
		}
		if have[d] && abs(now-last[d]) > best {
			f0, r0, ok0 := e.minima(0, k)
			f1, r1, ok1 := e.minima(k, n)
			if ok0 && ok1 && f0+r0 > -stepLeast && f1+r1 > -stepLeast {
				best, at, by = abs(now-last[d]), k, ((f1-f0)-(r1-r0))/2
			}
		}
		last[d], have[d] = now, true
	}
	return at, by
}

// sharpen moves a step to the place near at where the windows on both sides agree on it best: both directions move by the
// same amount, and the least round trip is the same before and after. by is its size as found so far.
func (e *Estimate) sharpen(at int, by int64) (int, int64) {
	least, to, size := int64(1)<<62, at, by
	for k := max(1, at-stepWindow); k < min(len(e.bins), at+stepWindow); k++ {
		f0, r0, ok0 := e.minima(max(0, k-stepWindow), k)
		f1, r1, ok1 := e.minima(k, min(len(e.bins), k+stepWindow))
		if !ok0 || !ok1 {
			continue
		}
		df, dr := f1-f0, r1-r0
		step, rtt := (df-dr)/2, (df+dr)/2
		if (step > 0) != (by > 0) || abs(rtt)*4 >= abs(step) {
			continue
		}
		// A bin on the wrong side makes one side's round trip impossibly small or the step small.
		if cost := abs(rtt) - abs(step) - min(0, f0+r0, f1+r1)*2; cost < least {
			least, to, size = cost, k, step
		}
	}
	return to, size
}

// minima are the least differences of both directions over bins [from, to), known steps taken out.
func (e *Estimate) minima(from, to int) (f, r int64, ok bool) {
	okF, okR := false, false
	for k := from; k < to; k++ {
		b := &e.bins[k]
		by := e.stepBefore(b)
		if b.hasF && (!okF || b.f.d-by < f) {
			f, okF = b.f.d-by, true
		}
		if b.hasR && (!okR || b.r.d+by < r) {
			r, okR = b.r.d+by, true
		}
	}
	return f, r, okF && okR
}

func abs(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}

// divided looks for a jump that is possible and that nothing tells: one that makes both directions together seem much faster than they
// are on either side of it, because each was fastest on another side. It gives the least differences in front of it, which bound the
// first frame's offset whether the clock jumped or not, and A's time of the first pair behind; zero where no place looks like that.
func (e *Estimate) divided(rho float64) (front [2]float64, at capture.LocalTime) {
	front, at = e.dividedIn(e.bins, rho)
	// What is on its way at a jump of the other clock lies on the other side of it there.
	inB := slices.Clone(e.bins)
	slices.SortStableFunc(inB, func(x, y bin) int { return cmp.Compare(x.fromB, y.fromB) })
	if x, t := e.dividedIn(inB, rho); trip(x) > trip(front) {
		front, at = x, t
	}
	if e.until == 0 {
		return front, at
	}
	// A jump hides in a clock that this one leans on.
	x := noLows
	for i := range e.bins {
		if e.bins[i].firstA < e.until {
			x = e.lower(x, &e.bins[i], rho)
		}
	}
	if t := trip(x); !math.IsInf(t, 0) && t > trip(front) {
		return x, e.until
	}
	return front, at
}

// dividedIn is divided with the bins in one clock's order.
func (e *Estimate) dividedIn(bins []bin, rho float64) (front [2]float64, at capture.LocalTime) {
	after := make([][2]float64, len(bins)+1)
	after[len(bins)] = noLows
	for k := len(bins) - 1; k >= 0; k-- {
		after[k] = e.lower(after[k+1], &bins[k], rho)
	}
	before, widest := noLows, 0.
	for k := range bins {
		x, y := before, after[k]
		if least := min(trip(x), trip(y)); !math.IsInf(trip(x)+trip(y), 0) && least > widest {
			df, dr := y[0]-x[0], y[1]-x[1]
			// Half of a jump is what the offset errs by: above half a round trip that is more than the bound, less on lopsided ways.
			if math.Abs(df+dr)*4 < math.Abs(df-dr) && trip(after[0])*3 < least*2 {
				widest, front, at = least, x, bins[k].firstA
			}
		}
		before = e.lower(before, &bins[k], rho)
	}
	return front, at
}

// inFront are the least differences, ns, of what lies in front of the first step for certain: what may lie behind it as well, for all
// that contradicts it, says nothing of the time before.
func (e *Estimate) inFront(rho float64) [2]float64 {
	s := &e.Steps[0]
	bins := slices.Clone(e.bins)
	inOrder(bins, s.inA)
	at := slices.IndexFunc(bins, func(k bin) bool { return k.behindStep(s) })
	if at < 0 {
		at = len(bins)
	}
	behind, k := noLows, at
	for i := at; i < len(bins); i++ {
		behind = e.lower(behind, &bins[i], rho)
	}
	for ; k > 0; k-- {
		b := bins[k-1] // as it is if the clock had stepped before
		b.f.d, b.r.d = b.f.d-s.size, b.r.d+s.size
		if behind = e.lower(behind, &b, rho); trip(behind) <= -stepLeast {
			break
		}
	}
	front := noLows
	for i := range bins[:k] {
		front = e.lower(front, &bins[i], rho)
	}
	return front
}

// noLows are lows of nothing.
var noLows = [2]float64{math.Inf(1), math.Inf(1)}

// lower adds a bin to the least differences of both directions, ns, infinite for none; steps and a drift of rho are taken out.
func (e *Estimate) lower(l [2]float64, b *bin, rho float64) [2]float64 {
	by := float64(e.stepBefore(b))
	if b.hasF {
		l[0] = min(l[0], float64(b.f.d)-by-rho*float64(b.f.t))
	}
	if b.hasR {
		l[1] = min(l[1], float64(b.r.d)+by+rho*float64(b.r.t))
	}
	return l
}

// trip is the round trip that the least differences of both directions come to.
func trip(l [2]float64) float64 { return l[0] + l[1] }
