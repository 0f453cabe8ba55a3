package infer

import (
	"github.com/corr-dev/corr/backend/match"
)

// step is a neighbouring point of a frame's path, and why a frame may be missing there.
type step struct {
	to    int // capture, -1 none
	down  bool
	joint *match.Joint
	links []*match.Link // links to all points on that side of the path; until the next call
	known bool          // the point saw this direction of this flow
}

// steps finds the next point down and up the path of direction d from capture c, and points of either side that never saw the flow,
// though its ends say that it passes them.
func (j *judge) steps(f *match.Flow, c, d int) (down, up step, blinds []blind) {
	down, up = step{to: -1, down: true, links: j.reach[0][:0]}, step{to: -1, links: j.reach[1][:0]}
	p := j.v.once(f.Path[d], c)
	at := -1
	for k, x := range p {
		if x == c {
			at = k
		}
	}
	for k, x := range p {
		if at < 0 || x == c || !f.Sides[x].Sees(d) && !j.v.passes(c, x, f, d) {
			continue
		}
		s := &down
		if k < at {
			s = &up
		}
		if l := j.v.Link(c, x); l != nil {
			s.links = append(s.links, l)
		}
		if k == at+1 || k == at-1 {
			s.to, s.known, s.joint = x, true, f.Joint(c, x)
		}
	}
	j.reach = [2][]*match.Link{down.links, up.links}
	if down.to < 0 && up.to < 0 {
		j.expect(f, c, d, &down, &up)
	} else if down.to < 0 && !j.complete(f, c, d) {
		j.expectBeyond(f, c, d, &down)
	} else if up.to < 0 && !j.complete(f, c, d) {
		j.expectBeyond(f, c, d, &up)
	}
	for x := range j.v.Caps {
		if f.Sides[x] != nil || j.v.inPieces && j.v.pieceHas(f, x) || j.v.Relations[[2]int{min(c, x), max(c, x)}] == nil || j.v.expected(f, c, x, d) == 0 {
			continue
		}
		next := &down
		if j.v.expected(f, c, x, d) < 0 {
			next = &up
		}
		hides := j.hides(f, c, x)
		if (hides || j.v.narrower(x, c)) && (next.to < 0 || !next.known || j.between(c, next.to, x)) {
			blinds = append(blinds, blind{x, hides})
		}
	}
	return down, up, blinds
}

// complete reports whether a direction was seen wherever the flow was: then its path has no further point.
func (j *judge) complete(f *match.Flow, c, d int) bool {
	for _, s := range f.Sides {
		if s != nil && !s.Sees(d) {
			return false
		}
	}
	return true
}

// expectBeyond looks for a point that saw the flow's other direction only and lies on the wanted side.
func (j *judge) expectBeyond(f *match.Flow, c, d int, s *step) {
	for x, o := range f.Sides {
		if o == nil || o.Sees(d) || x == c || !j.v.passes(c, x, f, d) {
			continue
		}
		jt := f.Joint(c, x)
		if jt == nil || jt.Way == 0 {
			continue
		}
		if (way(jt, c, d) > 0) == s.down {
			s.to, s.joint = x, jt
		}
	}
}

// way is +1 if packets of direction d go from c to the joint's other end.
func way(jt *match.Joint, c, d int) int {
	w := int(jt.Way)
	if c == jt.B {
		w = -w
	}
	if d == 1 {
		w = -w
	}
	return w
}

// expect finds where a flow's direction that no other point saw should have been seen.
func (j *judge) expect(f *match.Flow, c, d int, down, up *step) {
	v := j.v
	for x := range v.Caps {
		if v.sameRecorder(x, c) || v.Relations[[2]int{min(c, x), max(c, x)}] == nil {
			continue
		}
		if o := f.Sides[x]; o != nil {
			// That point saw the other direction.
			jt := f.Joint(c, x)
			if jt == nil || jt.Way == 0 || !v.passes(c, x, f, d) {
				continue
			}
			if way(jt, c, d) > 0 {
				down.to, down.joint = x, jt
			} else {
				up.to, up.joint = x, jt
			}
			continue
		}
		w := v.expected(f, c, x, d)
		s := down
		if w < 0 {
			s = up
		}
		if w != 0 && (s.to < 0 || v.near(c, x) < v.near(c, s.to)) {
			s.to = x
		}
	}
}

// near is how far two points lie apart in path order.
func (v *Verdict) near(a, b int) int { return abs(v.Rank[a] - v.Rank[b]) }

// expected tells whether packets of direction d, seen at c, should pass x: +1 after c, -1 before, 0 if not known.
func (v *Verdict) expected(f *match.Flow, c, x, d int) int {
	rel := v.Relations[[2]int{min(c, x), max(c, x)}]
	t := f.Tuple(c)
	src, dst := rel.Sides(t)
	if d == 1 {
		src, dst = dst, src
	}
	if c > x {
		src, dst = -src, -dst
	}
	switch {
	case src > 0 && dst < 0:
		return 1
	case src < 0 && dst > 0:
		return -1
	}
	return 0
}

// passes reports whether any flow's packets that travel like direction d of f from c to x were seen at both.
func (v *Verdict) passes(c, x int, f *match.Flow, d int) bool {
	s := v.Segment(c, x)
	if s == nil {
		return false
	}
	jt := f.Joint(c, x)
	if jt == nil {
		return true
	}
	toB := way(jt, c, d) > 0 == (c == s.A)
	return s.seen(toB)
}

// passed lists the links of which a counterpart over each says that a frame of c was delivered, whatever else may be known; nil where
// there is no such list.
func (v *Verdict) passed(c int, down, up step, blinds []blind) (out []*match.Link) {
	if len(blinds) > 0 {
		return nil
	}
	for _, s := range []step{down, up} {
		if s.to < 0 {
			continue
		}
		l := v.Link(c, s.to)
		if !s.known || l == nil {
			return nil
		}
		out = append(out, l)
	}
	return out
}

// passedAll reports whether a frame of c has a counterpart over each of some links, none of them one in meaning only.
func passedAll(ls []*match.Link, c int, i uint32) bool {
	for _, l := range ls {
		if how := l.HowOf(c, i); how == match.HowNone || how == match.HowLogical {
			return false
		}
	}
	return true
}

// matched reports whether a frame of c has a counterpart at another point.
func (v *Verdict) matched(c, other int, i uint32) bool {
	l := v.Link(c, other)
	return l != nil && l.Has(c, i)
}

// count fills travel: how many directions of flows pass both ends each way.
func (s *Segment) count(v *Verdict) {
	for _, f := range v.Flows {
		for d, p := range f.Path {
			v.neighbours(p, func(a, b int) {
				switch {
				case !f.Sides[a].Sees(d) || !f.Sides[b].Sees(d):
					// that a direction may pass there says nothing
				case a == s.A && b == s.B:
					s.travel[0]++
				case a == s.B && b == s.A:
					s.travel[1]++
				}
			})
		}
	}
}

// seen reports whether packets that travel toward B (or, false, toward A) ever passed both ends.
func (s *Segment) seen(toB bool) bool {
	if toB {
		return s.travel[0] > 0
	}
	return s.travel[1] > 0
}
