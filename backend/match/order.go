package match

import (
	"cmp"
	"runtime"
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

func workers() int { return max(1, runtime.GOMAXPROCS(0)) }

// order finds each flow's path in each direction.
func (r *Result) order() {
	r.each(len(r.Flows), func() func(i int) {
		return func(i int) {
			for d := range r.Flows[i].Path {
				r.Flows[i].Path[d] = r.Flows[i].path(d)
			}
		}
	})
	r.complete()
}

const (
	wayLeast = 3 // conversations that show the way that all between two hosts take
	wayFew   = 4 // packets of a direction that may all have been lost, or missed
)

// way names the conversations of two hosts that the same points hold: all of them take one way in each direction, as far as
// they don't show others.
type way struct {
	points   uint64
	src, dst decode.Addr // at the first of these
}

// points is the most captures that paths are completed of.
const points = 64

// wayOf is a conversation's way.
func (f *Flow) wayOf() (w way) {
	first := -1
	for c, s := range f.Sides {
		if s != nil {
			if w.points |= 1 << c; first < 0 {
				first = c
			}
		}
	}
	t := f.Tuple(first)
	w.src, w.dst = t.Src, t.Dst
	return w
}

// pathTaken is a path and how many conversations take it.
type pathTaken struct {
	path []int
	n    int
}

// complete puts points into paths whose few packets were lost in front of them, or missed there: points that hold the conversation's
// other direction, and that most others between the same hosts pass. Between two points alone there is nothing to choose from.
func (r *Result) complete() {
	if len(r.Caps) < 3 || len(r.Caps) > points {
		return
	}
	seen := map[way]*[2][]pathTaken{}
	for _, f := range r.Flows {
		if f.Alone() {
			continue
		}
		k := f.wayOf()
		l := seen[k]
		if l == nil {
			l = &[2][]pathTaken{}
			seen[k] = l
		}
		for d, p := range f.Path {
			if len(p) == 0 {
				continue
			}
			at := slices.IndexFunc(l[d], func(x pathTaken) bool { return slices.Equal(x.path, p) })
			if at < 0 {
				at = len(l[d])
				l[d] = append(l[d], pathTaken{path: p})
			}
			l[d][at].n++
		}
	}
	for _, f := range r.Flows {
		if f.Alone() {
			continue
		}
		l := seen[f.wayOf()]
		for d, p := range f.Path {
			if whole := usual(l[d]); len(p) > 0 && whole != nil && f.fewOf(d) {
				f.Path[d] = whole
				for _, c := range whole {
					if !f.Sides[c].Sees(d) {
						f.Presumed[d] |= 1 << c
					}
				}
			}
		}
	}
}

// usual is the path that most conversations of one way take, nil for none: all others are parts of it, or it of them.
func usual(l []pathTaken) []int {
	var most pathTaken
	all := 0
	for _, x := range l {
		if all += x.n; x.n > most.n {
			most = x
		}
	}
	if most.n < wayLeast || 2*most.n < all {
		return nil
	}
	for _, x := range l {
		if !subsequence(x.path, most.path) && !subsequence(most.path, x.path) {
			return nil
		}
	}
	return most.path
}

// fewOf reports whether a direction has few packets wherever it was seen.
func (f *Flow) fewOf(d int) bool {
	return !slices.ContainsFunc(f.Sides, func(s *Side) bool { return s != nil && s.Count(d) > wayFew })
}

// subsequence reports whether all of x are in y, in the same order.
func subsequence(x, y []int) bool {
	for _, c := range y {
		if len(x) > 0 && x[0] == c {
			x = x[1:]
		}
	}
	return len(x) == 0
}

// Sees reports whether any packet of direction d was captured on a side, ICMP errors about the conversation included.
func (s *Side) Sees(d int) bool {
	for k, id := range s.Convs {
		if s.Cap.Convs[id].Packets[d^s.Forward[k]] > 0 {
			return true
		}
	}
	return false
}

// Carries reports whether any packet of the conversation itself, not only ICMP errors about it, was captured in
// direction d.
func (s *Side) Carries(d int) bool { return s.Count(d) > 0 }

// Count is how many packets of the conversation itself, ICMP errors about it left out, were captured in direction d.
func (s *Side) Count(d int) int {
	n := 0
	for k, id := range s.Convs {
		in := &s.Cap.Convs[id]
		x := d ^ s.Forward[k]
		n += int(in.Packets[x]) - int(in.Errors[x])
	}
	return n
}

// before is +1 if packets of flow direction d pass a before b, -1 if after, 0 if not known.
func (f *Flow) before(a, b, d int) int {
	flip := 1
	if a > b {
		a, b, flip = b, a, -1
	}
	for _, j := range f.Joints {
		if j.A == a && j.B == b {
			w := int(j.Way) * flip
			if d == 1 {
				w = -w
			}
			// A direction's own TTLs say more of it than both directions together: routes may differ.
			if j.HasTTL[d] && j.TTL[d] != 0 && !j.Terminated {
				w = sign(j.TTL[d]) * flip
			}
			return w
		}
	}
	return 0
}

// asksNothing reports whether all that was captured of a direction are TCP acknowledgements of one number: nobody answers those,
// so that no answer says nothing of its way. A recorder that begins or ends at the edge of a connection sees such.
func (s *Side) asksNothing(d int) bool {
	ack, any := uint32(0), false
	for k, id := range s.Convs {
		in := &s.Cap.Convs[id]
		if x := d ^ s.Forward[k]; in.Packets[x] > fewAcks || in.Flags[x]&(decode.SYN|decode.FIN) != 0 || in.Bytes[x] > 0 || s.Cap.Conv(id).Proto != flow.ProtoTCP {
			return false
		}
		for i := range flow.UpTo(s.Cap.Span(id)) {
			f := s.Cap.At(i)
			if f.Mark&(flow.MarkError|flow.MarkLater) != 0 || s.Dir(i) != d {
				continue
			}
			if any && f.Ack != ack {
				return false
			}
			ack, any = f.Ack, true
		}
	}
	return any
}

// fewAcks is how many acknowledgements asksNothing looks at.
const fewAcks = 8

// path orders the captures that saw direction d, or can't tell: each before those that more of the others come after.
func (f *Flow) path(d int) []int {
	at := make([]int, 0, len(f.Sides))
	for k, s := range f.Sides {
		if s != nil && (s.Sees(d) || s.asksNothing(1-d)) {
			at = append(at, k)
		}
	}
	if len(at) < 2 {
		return at
	}
	var few [8]int
	wins := few[:]
	if len(f.Sides) > len(few) {
		wins = make([]int, len(f.Sides))
	}
	for _, x := range at {
		for _, y := range at {
			if x != y {
				wins[x] += f.before(x, y, d)
			}
		}
	}
	slices.SortStableFunc(at, func(x, y int) int { return cmp.Compare(wins[y], wins[x]) })
	return at
}

// Order lists the captures from the client end of most conversations to the server end; where paths branch, parallel
// ones follow each other in the order given.
func (r *Result) Order() []int {
	n := len(r.Caps)
	net := make([][]int, n)
	for i := range net {
		net[i] = make([]int, n)
	}
	for _, f := range r.Flows {
		for d, p := range f.Path {
			for i := range p {
				for _, y := range p[i+1:] {
					x := p[i]
					if f.before(x, y, d) == 0 {
						continue
					}
					if d == 1 {
						x, y = y, x
					}
					net[x][y]++
					net[y][x]--
				}
			}
		}
	}
	for k, n := range r.Fronts {
		if net[k[0]][k[1]] == 0 {
			net[k[0]][k[1]], net[k[1]][k[0]] = n, -n
		}
	}
	left := make([]int, n)
	for i := range left {
		left[i] = i
	}
	var out []int
	for len(left) > 0 {
		best, bestIn, bestNet := 0, 1<<62, 0
		for k, x := range left {
			in, sum := 0, 0
			for _, y := range left {
				if net[y][x] > 0 {
					in++
				}
				sum += net[x][y]
			}
			if in < bestIn || in == bestIn && sum > bestNet && in > 0 {
				best, bestIn, bestNet = k, in, sum
			}
		}
		out = append(out, left[best])
		left = slices.Delete(left, best, best+1)
	}
	return out
}
