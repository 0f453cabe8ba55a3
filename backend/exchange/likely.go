package exchange

import (
	"cmp"
	"math"
	"slices"
)

// Many exchanges that look alike at once are told apart by time, as far as time tells: how long a proxy keeps a request,
// an answer, the end of a connection differs little from one to the next, and what it is, is learnt from those that are
// sure. Of all ways to assign the rest, each counts by how likely its times are; a pair is claimed where most of that
// weight falls on it.

// The intervals that are compared, each from an event at one side to its consequence at the other.
const (
	passRequest = iota // request at the front is complete → request at the back begins
	passAnswer         // answer at the back is complete → at the front
	firstAnswer        // answer at the back begins → at the front
	openBack           // front's first request → back's SYN
	closeBack          // the ends of both conversations
	intervals
)

// interval measures interval k of a pair, ns, both clocks as they are; ok is false where one of its ends was not seen.
func interval(k int, f, b *Exchange) (int64, bool) {
	switch k {
	case passRequest:
		return int64(b.Request.latest() - f.Request.End), f.Request.Ended() && b.Request.Begun()
	case passAnswer:
		return int64(b.Answer.End - f.Answer.End), b.Answered && f.Replied() && b.Answer.Ended() && f.Answer.Ended()
	case firstAnswer:
		return int64(b.Answer.Start - f.Answer.Start), b.Answered && f.Answered && !f.Opaque && b.Answer.Begun() && f.Answer.Begun()
	case openBack:
		return int64(b.ConvStart - f.Request.Start), b.ConvStart != 0 && f.First && b.First && f.Request.Begun()
	case closeBack:
		return int64(b.ConvEnd - f.ConvEnd), b.ConvEnd != 0 && f.ConvEnd != 0 && f.Last && b.Last
	}
	return 0, false
}

// usual is what an interval usually is: its median and its spread, ns; spread 0: not known; and what it costs in the mean, nats.
type usual struct{ mid, spread, cost float64 }

const (
	learnLeast   = 5       // pairs from which an interval is learnt
	nearWeight   = 8       // pairs nearest in time that say what is usual just then: a proxy under load keeps all of them longer
	nearMost     = 128     // of so many at most: where more share that weight, none of them tells anything
	spreadLeast  = 100_000 // ns; recorders are no better
	likelyRounds = 6
	likelyMost   = 1 << 17 // pairs that are weighed: a crowd in which each may be many is not told apart by time
	likelyLeast  = 0.8     // share of the weight from which a pair is claimed
	vagueLeast   = 0.9     // the same where times of either were not seen whole: what is not known speaks for nobody
	balanceSteps = 60
)

// learn takes intervals from weighted pairs.
func learn(pairs []weighted, front, back []*Exchange) (out [intervals]usual) {
	for k := range out {
		var l []weightedValue
		total := 0.
		for _, p := range pairs {
			if d, ok := interval(k, front[p.front], back[p.back]); ok && p.weight > 0.001 {
				l = append(l, weightedValue{float64(d), p.weight})
				total += p.weight
			}
		}
		if total < learnLeast {
			continue
		}
		out[k].mid = quantile(l, total/2)
		for i := range l {
			l[i].v = math.Abs(l[i].v - out[k].mid)
		}
		// The median deviation of a normal distribution is 0.67 of its standard deviation.
		out[k].spread = max(spreadLeast, quantile(l, total/2)*1.5)
		for _, x := range l {
			out[k].cost += out[k].of(x.v) * x.w / total
		}
	}
	return out
}

// learnNear learns for each back exchange that pairs hold, from the pairs next to it in time.
func learnNear(pairs []weighted, front, back []*Exchange, all *[intervals]usual) map[int]*[intervals]usual {
	l := slices.DeleteFunc(slices.Clone(pairs), func(w weighted) bool { return w.weight <= 0.001 })
	at := func(w weighted) int64 { return int64(back[w.back].Request.Start) }
	slices.SortStableFunc(l, func(a, b weighted) int { return cmp.Compare(at(a), at(b)) })
	out := map[int]*[intervals]usual{}
	for i, w := range l {
		if out[w.back] != nil {
			continue
		}
		lo, hi, total := i, i+1, l[i].weight
		for total < nearWeight && hi-lo < nearMost && (lo > 0 || hi < len(l)) {
			if hi == len(l) || lo > 0 && at(w)-at(l[lo-1]) <= at(l[hi])-at(w) {
				lo--
				total += l[lo].weight
			} else {
				total += l[hi].weight
				hi++
			}
		}
		us := learn(l[lo:hi], front, back)
		for k := range us {
			if us[k].spread == 0 {
				us[k] = all[k]
			}
		}
		out[w.back] = &us
	}
	return out
}

type weighted struct {
	front, back int
	weight      float64
}

type weightedValue struct{ v, w float64 }

// quantile sorts l and gives the value below which weight w lies.
func quantile(l []weightedValue, w float64) float64 {
	slices.SortFunc(l, func(a, b weightedValue) int { return cmp.Or(cmp.Compare(a.v, b.v), cmp.Compare(a.w, b.w)) })
	for _, x := range l {
		if w -= x.w; w <= 0 {
			return x.v
		}
	}
	return l[len(l)-1].v
}

// of is what a deviation from the median costs, nats: a Cauchy distribution, whose tails allow a proxy its moods.
func (u *usual) of(deviation float64) float64 {
	x := deviation / u.spread
	return math.Log1p(x * x)
}

// cost of a pair in nats, over all intervals. One that was not seen whole costs as much as those of others do in the mean.
func cost(us *[intervals]usual, f, b *Exchange) float64 {
	c := 0.
	for k, u := range us {
		if u.spread == 0 {
			continue
		}
		if d, ok := interval(k, f, b); ok {
			c += u.of(float64(d) - u.mid)
		} else {
			c += u.cost
		}
	}
	return c
}

// likely claims what is left and told apart by time.
func (p *plan) likely(byBack [][]int) {
	used := p.used()
	var pairs []weighted
	for j, l := range byBack {
		if p.to[j] >= 0 {
			continue
		}
		for _, c := range l {
			if !used[c] {
				pairs = append(pairs, weighted{c, j, 0})
			}
		}
	}
	if len(pairs) == 0 || len(pairs) > likelyMost {
		return
	}
	var sure []weighted
	for j, i := range p.to {
		if i >= 0 && p.sure[j] >= 90 && p.back[j].Answered {
			sure = append(sure, weighted{i, j, 1})
		}
	}
	var near map[int]*[intervals]usual
	for range likelyRounds {
		p.balance(pairs, near)
		known := append(slices.Clone(sure), pairs...)
		all := learn(known, p.front, p.back)
		near = learnNear(known, p.front, p.back, &all)
	}
	slices.SortStableFunc(pairs, func(a, b weighted) int { return cmp.Compare(b.weight, a.weight) })
	for _, w := range pairs {
		if w.weight < likelyLeast {
			break
		}
		if f, b := p.front[w.front], p.back[w.back]; w.weight < vagueLeast && (f.holed() || b.holed()) {
			continue
		}
		if p.to[w.back] < 0 && !used[w.front] {
			p.to[w.back], p.sure[w.back] = w.front, min(89, int(w.weight*90))
			used[w.front] = p.back[w.back].Answered
		}
	}
}

// balance sets the pairs' weights: starting from the likelihood of their times, rows and columns are scaled by turns until
// each exchange's weights sum to one, which approaches the share of all assignments that hold the pair (Sinkhorn and
// Knopp, 1967). An exchange in front may have no counterpart; one behind that costs more than strayCost has none here.
func (p *plan) balance(pairs []weighted, near map[int]*[intervals]usual) {
	const strayCost = 14 // nats
	byBack, byFront, least := make([]float64, len(p.back)), make([]float64, len(p.front)), make([]float64, len(p.back))
	for j := range least {
		least[j] = math.Inf(1)
	}
	for k := range pairs {
		w := &pairs[k]
		w.weight = 0
		if us := near[w.back]; us != nil {
			w.weight = cost(us, p.front[w.front], p.back[w.back])
		}
		least[w.back] = min(least[w.back], w.weight)
	}
	stray := make([]float64, len(p.back)) // 0 of those that no pair has
	for k := range pairs {
		w := &pairs[k]
		w.weight = math.Exp(least[w.back] - w.weight)
		stray[w.back] = math.Exp(least[w.back] - strayCost)
	}
	for range balanceSteps {
		copy(byBack, stray)
		for k := range pairs {
			byBack[pairs[k].back] += pairs[k].weight
		}
		for k := range pairs {
			pairs[k].weight /= byBack[pairs[k].back]
		}
		for j := range stray {
			if stray[j] > 0 {
				stray[j] /= byBack[j]
			}
		}
		clear(byFront)
		for k := range pairs {
			byFront[pairs[k].front] += pairs[k].weight
		}
		for k := range pairs {
			if s := byFront[pairs[k].front]; s > 1 {
				pairs[k].weight /= s
			}
		}
	}
}
