package infer

import (
	"slices"

	"github.com/corr-dev/corr/backend/clock"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// classKey is a kind of traffic between two captures that a capture filter could hide: a protocol and the service port as
// capture a sees it, or (port -1, a < b) the protocol as a whole.
type classKey struct {
	a, b  int
	proto uint8
	port  int32
}

type classCount struct{ both, onlyA, onlyB int }

func (j *judge) classOf(a, b int, proto uint8, port int32) *classCount {
	k := classKey{a, b, proto, port}
	n := j.class[k]
	if n == nil {
		n = &classCount{}
		j.class[k] = n
	}
	return n
}

// count is what was counted of a class.
func (j *judge) count(a, b int, proto uint8, port int32) *classCount {
	if n := j.class[classKey{a, b, proto, port}]; n != nil {
		return n
	}
	return &classCount{}
}

// classes counts, for each two related captures, the flows of each class that both, or only one of them, saw.
func (j *judge) classes() {
	for key := range j.v.Relations {
		a, b := key[0], key[1]
		for _, f := range j.v.Flows {
			x, y := f.Sides[a] != nil, f.Sides[b] != nil
			if !x && !y {
				continue
			}
			count := func(n *classCount, x, y bool) {
				switch {
				case x && y:
					n.both++
				case x:
					n.onlyA++
				default:
					n.onlyB++
				}
			}
			count(j.classOf(a, b, f.Proto, -1), x, y)
			// A translation may change the port: each capture counts under its own.
			if x {
				count(j.classOf(a, b, f.Proto, int32(f.Tuple(a).Dport)), x, y)
			}
			if y {
				count(j.classOf(b, a, f.Proto, int32(f.Tuple(b).Dport)), y, x)
			}
		}
	}
	j.narrow = map[[2]int]bool{}
	both, more := map[[2]int]int{}, map[[2]int]int{} // protocols of two captures, and of the second one alone
	for k, n := range j.class {
		if k.port >= 0 {
			continue
		}
		for _, p := range [2]struct {
			pair       [2]int
			mine, only int
		}{{[2]int{k.a, k.b}, n.onlyA, n.onlyB}, {[2]int{k.b, k.a}, n.onlyB, n.onlyA}} {
			switch {
			case n.both > 0 || p.mine > 0:
				both[p.pair]++
			case p.only > 0:
				more[p.pair]++
			}
		}
	}
	j.throughout = map[[2]int]bool{}
	for p, n := range both {
		if n == 1 && more[p] > 0 {
			j.narrow[p], j.throughout[p] = more[p] > 1, j.deliberate(p[0], p[1], false)
		}
	}
	j.ports()
}

// ports finds the pairs of captures of which the first one holds all conversations of one service that the second one has, and none of
// any other: a capture filter for a port, as far as deliberate has it.
func (j *judge) ports() {
	j.onePort = map[[2]int]bool{}
	one, more := map[[2]int]int{}, map[[2]int]int{}
	for k, n := range j.class {
		pair := [2]int{k.b, k.a} // as k.a counts, who is first in this key
		switch {
		case k.port < 0:
		case n.both == 0 && n.onlyA > 0:
			more[pair]++
		case n.both > 0 && n.onlyA > 0:
			one[pair] += 2 // it lacks some
		case n.both > 0:
			one[pair]++
		}
	}
	for p, n := range one {
		j.onePort[p] = n == 1 && more[p] > 0 && j.deliberate(p[0], p[1], true)
	}
}

// chanceMost is the chance below which a recorder's begin and end are not taken for the reason why it holds all of one kind of traffic and
// none of any other.
const chanceMost = 0.1

// deliberate reports whether a capture filter of o hides what c holds of other protocols, or of other ports, even in front of o's first
// frame and behind its last: some of it passed while o was running, or o holds all conversations of one kind from their beginning to
// their end, and a recorder that begins and ends at any time would hardly have met just these.
func (j *judge) deliberate(o, c int, ports bool) bool {
	v := j.v
	first, last := v.ran[o][0], v.ran[o][1]
	before, after := v.ran[c][0], v.ran[c][1]
	whole := float64(after - before)
	front, behind := false, false // something is hidden there
	half := false                 // something was met half-way
	for _, f := range v.Flows {
		if f.Sides[c] == nil || f.Sides[o] == nil && !j.hidden(f, c, o, ports) {
			continue
		}
		for _, id := range f.Sides[c].Convs {
			from, to := v.Caps[c].Span(id)
			if from == to {
				continue
			}
			if f.Sides[o] != nil {
				for _, i := range [2]uint32{from, to - 1} {
					half = half || f.Sides[o].Carries(f.Sides[c].Dir(i)) && !v.matched(c, o, i) && v.outsideOf(o, c, i)
				}
				continue
			}
			begin, ok := v.Time(c, from)
			end, ok2 := v.Time(c, to-1)
			if !ok || !ok2 {
				continue
			}
			if !v.outsideOf(o, c, from) || !v.outsideOf(o, c, to-1) {
				return true
			}
			if begin < first && end > last {
				for i := range flow.UpTo(from, to) {
					if !v.outsideOf(o, c, i) {
						return true
					}
				}
			}
			if end < first {
				before, front = max(before, end), true
			}
			if begin > last {
				after, behind = min(after, begin), true
			}
		}
	}
	if half {
		return false
	}
	chance := 1.
	if front {
		chance *= float64(first-before) / whole
	}
	if behind {
		chance *= float64(after-last) / whole
	}
	return chance < chanceMost
}

// blind is a point whose recorder was not running for as long as another one, or hides a protocol.
type blind struct {
	point int
	hides bool
}

// between reports whether whatever passes two points passes a third one in between, as long as that one's recorder runs and shows
// its protocol: not so on branches of a path.
func (j *judge) between(a, b, x int) bool {
	k := [3]int{min(a, b), max(a, b), x}
	if yes, ok := j.passed.Load(k); ok {
		return yes.(bool)
	}
	some, around := false, false
	for _, f := range j.v.Flows {
		if f.Sides[a] == nil || f.Sides[b] == nil {
			continue
		}
		if f.Sides[x] != nil {
			some = some || slices.ContainsFunc(f.Path[:], func(p []int) bool {
				i, k, n := slices.Index(p, a), slices.Index(p, b), slices.Index(p, x)
				return i >= 0 && k >= 0 && (i < n) == (n < k)
			})
			continue
		}
		from, _ := j.v.Caps[a].Span(f.Sides[a].Convs[0])
		around = around || !j.v.outsideOf(x, a, from) && !j.hides(f, a, x)
	}
	j.passed.Store(k, some && !around)
	return some && !around
}

// onWay reports whether a point lies between two others, or one of them between the other one and it.
func (j *judge) onWay(c, next, x int) bool {
	return next >= 0 && (next == x || j.between(c, next, x) || j.between(c, x, next))
}

// hidden reports whether the other capture shows nothing at all of a flow's protocol, or of its port where ports count,
// although both saw other traffic: its capture filter hides it.
func (j *judge) hidden(f *match.Flow, c, other int, ports bool) bool {
	a, b := min(c, other), max(c, other)
	if !j.works(f) {
		return false
	}
	whole := j.count(a, b, f.Proto, -1)
	port := j.count(c, other, f.Proto, int32(f.Tuple(c).Dport))
	blind := func(n *classCount) bool {
		if n == port {
			return n.both == 0 && n.onlyB == 0 && n.onlyA > 0 // as c counts, who is first in this key
		}
		if other == b {
			return n.both == 0 && n.onlyB == 0 && n.onlyA > 0
		}
		return n.both == 0 && n.onlyA == 0 && n.onlyB > 0
	}
	return blind(whole) || ports && blind(port)
}

// works reports whether a flow reaches its other end, as some point tells, be it another one than that which is looked at, as requests
// and answers may take different ways: both directions carry something, or the end says by ICMP that nobody listens.
func (j *judge) works(f *match.Flow) bool {
	if j.asked != f { // it is asked for each of its frames
		j.asked, j.itWorks = f, j.v.works(f)
	}
	return j.itWorks
}

func (v *Verdict) works(f *match.Flow) bool {
	for c, s := range f.Sides {
		if s == nil {
			continue
		}
		if v.answered(f, c) {
			return true
		}
		for k, id := range s.Convs {
			if s.Cap.Convs[id].Errors[1^s.Forward[k]] == 0 {
				continue
			}
			for i := range flow.UpTo(s.Cap.Span(id)) {
				if x := s.Cap.At(i); x.Is(flow.MarkError) && x.Opt == flow.ErrorByEnd {
					return true
				}
			}
		}
	}
	return false
}

// hides reports whether the other capture's filter leaves a flow out: its protocol, or all ports but one.
func (j *judge) hides(f *match.Flow, c, other int) bool {
	return j.hidden(f, c, other, false) || j.onePort[[2]int{other, c}] && j.hidden(f, c, other, true)
}

// hidesThroughout is hides where the filter, and not when the other recorder ran, says what is not there.
func (j *judge) hidesThroughout(f *match.Flow, c, other int) bool {
	pair := [2]int{other, c}
	return j.throughout[pair] && j.hidden(f, c, other, false) || j.onePort[pair] && j.hidden(f, c, other, true)
}

// narrower reports whether recorder x ran for only a part of the time that recorder c did.
func (v *Verdict) narrower(x, c int) bool {
	return v.outsideOf(x, c, v.Caps[c].FirstFrame()) || v.outsideOf(x, c, v.Caps[c].LastFrame())
}

// outsideOf reports whether the recorder of capture o was not running when frame i of c should have been seen there.
func (v *Verdict) outsideOf(o, c int, i uint32) bool {
	t, ok := v.Time(c, i)
	if !ok || !v.Clocks.Of[o].Known {
		a, ok := v.untimed[[2]int{min(o, c), max(o, c)}]
		if x := v.At(c, i); ok && !x.Is(flow.MarkNoTime) {
			lo, hi := a.Window(x.Time(), o < c)
			return hi < v.Caps[o].First || lo > v.Caps[o].Last
		}
		return false
	}
	first, last := v.ran[o][0], v.ran[o][1]
	e := v.Clocks.Of[o].Error + v.Clocks.Of[c].Error
	// A packet at c passes o up to a round trip, twice the bound, before or after; it may wait in a queue besides.
	from, to := -e, 2*e
	if f := v.Flow(c, i); f != nil {
		if toC, ok := v.Toward(f, f.Sides[c].Dir(i), o, c); ok && toC {
			from = v.slowest(o, c)
		} else if ok {
			to = max(to, v.slowest(c, o))
		}
	}
	return int64(t) < int64(first)+from || int64(t) > int64(last)-to
}

// slowestLook bounds the pairs of a stretch that are looked at for the longest delay.
const slowestLook = 1 << 14

// slowest is the longest time, ns, that a packet took from one neighbouring point to another, of those that one looks at; 0 where
// they are no neighbours.
func (v *Verdict) slowest(from, to int) int64 {
	s := v.Segment(from, to)
	if s == nil {
		return 0
	}
	s.slow.Do(func() {
		v.Travels(s, slowestLook, func(to int, _ clock.RefTime, delay int64) { s.slowest[to] = max(s.slowest[to], delay) })
	})
	return s.slowest[toward(s, from)]
}
