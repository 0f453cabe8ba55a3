package infer

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/clock"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// segments makes a stretch of each two points that are neighbours on some conversation's path.
func (v *Verdict) segments() {
	type counts struct {
		flows, ended int
		ttl          map[int]int
	}
	by := map[[2]int]*counts{}
	for _, f := range v.Flows {
		done := map[[2]int]bool{}
		for d, p := range f.Path {
			v.neighbours(p, func(a, b int) {
				if v.Rank[a] > v.Rank[b] {
					a, b = b, a
				}
				k := [2]int{a, b}
				if done[k] {
					return
				}
				j := f.Joint(a, b)
				if j == nil || v.Link(a, b) == nil {
					return
				}
				done[k] = true
				n := by[k]
				if n == nil {
					n = &counts{ttl: map[int]int{}}
					by[k] = n
				}
				n.flows++
				if j.Terminated {
					n.ended++
				} else if j.HasTTL[d] {
					n.ttl[abs(j.TTL[d])] += f.Sides[a].Frames()
				}
			})
		}
	}
	maps.DeleteFunc(by, func(k [2]int, _ *counts) bool { return v.missedBetween(k) })
	joined := make([]int, len(v.Caps))
	for i := range joined {
		joined[i] = i
	}
	join := func(a, b int) bool {
		x, y := joined[a], joined[b]
		for i := range joined {
			if joined[i] == y {
				joined[i] = x
			}
		}
		return x != y
	}
	for k := range by {
		join(k[0], k[1])
	}
	for _, k := range v.fronts() {
		// No conversation passes both, but requests do.
		if v.Link(k[0], k[1]) != nil && join(k[0], k[1]) {
			by[k] = &counts{}
		}
	}
	for k, n := range by {
		s := &Segment{A: k[0], B: k[1], Link: v.Link(k[0], k[1]), Flows: n.flows, Terminated: n.ended, Routers: Unknown}
		if len(n.ttl) > 0 {
			s.Routers = mode(n.ttl)
		} else {
			s.Routers = v.routersAroundProxy(s)
		}
		v.Segments = append(v.Segments, s)
	}
	slices.SortFunc(v.Segments, func(x, y *Segment) int {
		if c := cmp.Compare(v.Rank[x.A], v.Rank[y.A]); c != 0 {
			return c
		}
		return cmp.Compare(v.Rank[x.B], v.Rank[y.B])
	})
	for i, s := range v.Segments {
		s.Index, s.passing = i, make([]passing, 0, s.Flows)
		for n, f := range v.Flows {
			if j := f.Joint(s.A, s.B); j != nil && v.adjoins(f, s) {
				s.passing = append(s.passing, passing{n, f, j})
			}
		}
	}
}

// missLeast is how likely it must be that a recorder missed conversations for it to have, where nothing else says that they took
// another way.
const missLeast = 0.01

// missedBetween reports whether two points follow each other on the paths only of such conversations as a third one, which
// passes everything else between them, may have missed: its recorder misses frames, and they have few.
func (v *Verdict) missedBetween(k [2]int) bool {
	l := v.Link(k[0], k[1])
	for b := range v.Caps {
		if v.Rank[b] <= v.Rank[k[0]] || v.Rank[b] >= v.Rank[k[1]] || v.sameRecorder(b, k[0]) || v.sameRecorder(b, k[1]) {
			continue
		}
		// What it missed of conversations that it holds says how much it misses.
		missed := 0
		flows := v.Lookup(l.A)
		l.Each(func(p match.Pair) {
			if f := flows.Flow(p.A); f.Sides[b] != nil {
				missed++
			}
		})
		through := v.Link(k[0], b)
		if missed == 0 || through == nil {
			continue
		}
		share := float64(missed) / float64(int64(missed)+through.N)
		held, around := []int{}, []int{} // packets of each direction of a conversation that passes it, and of those that seem not to
		hops := [2]map[hop]bool{{}, {}}  // of both
		for _, f := range v.Flows {
			for d, p := range f.Path {
				at, to := slices.Index(p, k[0]), slices.Index(p, k[1])
				if at < 0 || to < 0 {
					continue
				}
				n, of := max(f.Sides[k[0]].Count(d), f.Sides[k[1]].Count(d)), 0
				switch {
				case slices.Contains(p, b):
					held = append(held, n)
				case abs(at-to) == 1:
					of, around = 1, append(around, n)
				default:
					continue
				}
				if j := f.Joint(k[0], k[1]); j != nil && j.HasTTL[d] {
					hops[of][hop{d, abs(j.TTL[d])}] = true
				}
			}
		}
		if mayMiss(held, around, share) && within(hops[1], hops[0]) {
			return true
		}
	}
	return false
}

// hop is how many routers a direction passes.
type hop struct{ dir, routers int }

// within reports whether all of x are in y.
func within(x, y map[hop]bool) bool {
	for h := range x {
		if !y[h] {
			return false
		}
	}
	return true
}

// mayMiss reports whether a recorder that misses a share of all frames may have missed directions of conversations, of so many
// packets, wholly, where it holds others of held.
func mayMiss(held, missed []int, share float64) bool {
	slices.Sort(held)
	for _, n := range missed {
		like, _ := slices.BinarySearch(held, n+1) // those that are as short
		if float64(like+1)*math.Pow(share, float64(n)) < missLeast {
			return false
		}
	}
	return true
}

// fronts lists the captures of which one holds requests of the other, most requests first.
func (v *Verdict) fronts() (out [][2]int) {
	for k := range v.Fronts {
		out = append(out, k)
	}
	slices.SortFunc(out, func(x, y [2]int) int {
		return cmp.Or(cmp.Compare(v.Fronts[y], v.Fronts[x]), cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]))
	})
	for i, k := range out {
		if v.Rank[k[0]] > v.Rank[k[1]] {
			out[i] = [2]int{k[1], k[0]}
		}
	}
	return out
}

// other is the segment's other end.
func (s *Segment) other(c int) int {
	if c == s.A {
		return s.B
	}
	return s.A
}

// arriving is the direction of a flow whose packets reach point c from point from; -1 if none does.
func arriving(f *match.Flow, c, from int) int {
	for d, p := range f.Path {
		i, k := slices.Index(p, from), slices.Index(p, c)
		if i >= 0 && k > i {
			return d
		}
	}
	return -1
}

// routersAroundProxy counts the routers on both sides of a device that ends TCP: what the frames that it sent itself
// passed on their way to each point. The device itself is none.
func (v *Verdict) routersAroundProxy(s *Segment) int {
	at := [2]map[int]int{{}, {}}
	type way struct{ k, c, d int }
	times := map[*match.Flow]map[way]int{} // a conversation carries many requests
	count := func(k, c int, f *match.Flow, d int) {
		if times[f] == nil {
			times[f] = map[way]int{}
		}
		times[f][way{k, c, d}]++
	}
	sum := func(k, c int, f *match.Flow, d, n int) {
		for i := range flow.UpTo(f.Sides[c].Cap.Span(f.Sides[c].Convs[0])) {
			x := v.At(c, i)
			if f.Sides[c].Dir(i) == d && x.Mark&(flow.MarkError|flow.MarkLater) == 0 {
				at[k][int(initialOf(x.TTL))-int(x.TTL)] += n
			}
		}
	}
	for k, c := range []int{s.A, s.B} {
		for _, f := range v.Flows {
			if j := f.Joint(s.A, s.B); j != nil && j.Terminated {
				count(k, c, f, arriving(f, c, s.other(c)))
			}
		}
		for i := range v.Exchanges.Claims {
			x := &v.Exchanges.Claims[i]
			front, back := x.Front.Conv, x.Back.Conv
			if c == front.Capture && s.other(c) == back.Capture {
				count(k, c, v.FlowOf[c][front.ID], 1)
			} else if c == back.Capture && s.other(c) == front.Capture {
				count(k, c, v.FlowOf[c][back.ID], 0)
			}
		}
	}
	for f, ws := range times {
		for w, n := range ws {
			sum(w.k, w.c, f, w.d, n)
		}
	}
	if len(at[0]) == 0 || len(at[1]) == 0 {
		return Unknown
	}
	return mode(at[0]) + mode(at[1])
}

func mode(m map[int]int) int {
	best, at := -1, 0
	for x, n := range m {
		if n > best || n == best && x < at {
			best, at = n, x
		}
	}
	return at
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}

// Travels calls fn for packets that passed a stretch, most of them at the most, evenly drawn: to is 0 toward B, 1 toward A, at
// when it left, delay how long it took, ns. Copies and what a proxy passed on are left out; nothing is told where clocks are
// not related.
func (v *Verdict) Travels(s *Segment, most int64, fn func(to int, at clock.RefTime, delay int64)) {
	if !v.Clocks.Of[s.A].Known || !v.Clocks.Of[s.B].Known {
		return
	}
	step := int(s.Link.N/most) + 1
	left := step // to the next one that is taken
	flows := v.Lookup(s.A)
	s.Link.Each(func(p match.Pair) {
		if left--; left > 0 {
			return
		}
		if left = step; p.How == match.HowRelayed || p.How == match.HowLogical {
			return
		}
		a, b := p.A, p.B
		if s.Link.A != s.A {
			a, b = b, a
		}
		x := v.At(s.A, a)
		f := flows.Flow(a)
		if f == nil || x.Mark&(flow.MarkError|flow.MarkDuplicate|flow.MarkNoTime) != 0 {
			return
		}
		ta, _ := v.Time(s.A, a)
		tb, _ := v.Time(s.B, b)
		if v.Clocks.Jumped(s.A, s.B, int64(tb-ta)) {
			return
		}
		if toB, ok := v.Toward(f, f.Sides[s.A].Dir(a), s.A, s.B); ok && toB {
			fn(0, ta, int64(tb-ta))
		} else if ok {
			fn(1, tb, int64(ta-tb))
		}
	})
}
