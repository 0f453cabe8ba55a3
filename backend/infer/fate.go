package infer

import (
	"cmp"
	"slices"
	"sync"

	"github.com/corr-dev/corr/backend/clock"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// fates fills Marks. A frame is judged by its neighbours on its conversation's path: a packet without counterpart
// further on was lost, unless the other recorder was not running, its filter hides the whole class, it dropped the
// frame, or a device ended or answered it.
func (v *Verdict) fates() {
	for k, c := range v.Caps {
		for i := range c.Loose() {
			if c.At(i).Is(flow.MarkLocal) {
				v.Marks[k][i].Fate = FateLocal
			}
		}
	}
	j := &judge{v: v, class: map[classKey]*classCount{}, passed: &sync.Map{}, cover: map[coverKey]*coverage{}}
	j.classes()
	j.owners()
	j.askers()
	j.equals()
	for _, s := range v.Segments {
		s.count(v)
	}
	v.parallel(func() func(n int, f *match.Flow) {
		w := &judge{v: v, class: j.class, own: j.own, ends: j.ends, equal: j.equal, bare: j.bare, narrow: j.narrow, throughout: j.throughout, passed: j.passed, cover: map[coverKey]*coverage{}}
		return w.flow
	})
	v.parallel(func() func(n int, f *match.Flow) { return j.late })
}

// judge holds what the fates of one flow say of another's.
type judge struct {
	v     *Verdict
	class map[classKey]*classCount
	own   map[ownKey]bool
	ends  map[endKey]ended
	equal map[equalKey][]equalFrame
	bare  bool // of some capture's datagrams too few bytes are there to be compared
	// narrow tells of two captures whether the first one holds a single protocol of several that the second one does.
	narrow map[[2]int]bool
	// throughout tells of those whether the first one ran for as long as the second one, though its own first and last frame do not
	// show it: see whole.
	throughout map[[2]int]bool
	passed     *sync.Map              // what between found
	cover      map[coverKey]*coverage // of the flow at hand
	buf        []match.Pair
}

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
			j.narrow[p], j.throughout[p] = more[p] > 1, j.whole(p[0], p[1])
		}
	}
}

// whole reports whether a capture filter of o hides whatever c holds of other protocols, even in front of o's first frame and behind
// its last: some of it passed while o was running, or o holds all of TCP, or of UDP, that c does from its beginning to its end.
func (j *judge) whole(o, c int) bool {
	v := j.v
	for _, f := range v.Flows {
		if f.Sides[c] == nil || f.Sides[o] != nil || !j.hidden(f, c, o, false) {
			continue
		}
		if from, to := v.Caps[c].Span(f.Sides[c].Convs[0]); from < to && !v.outsideOf(o, c, from) {
			return true
		}
	}
	outside := func(i uint32) bool { return !v.matched(c, o, i) && v.outsideOf(o, c, i) }
	for _, f := range v.Flows {
		if f.Sides[c] == nil || j.count(min(o, c), max(o, c), f.Proto, -1).both == 0 {
			continue
		}
		if f.Proto != flow.ProtoTCP && f.Proto != flow.ProtoUDP {
			return false
		}
		for _, id := range f.Sides[c].Convs {
			if from, to := v.Caps[c].Span(id); from < to && (outside(from) || outside(to-1)) {
				return false
			}
		}
	}
	return true
}

// flow judges the frames of one flow.
func (j *judge) flow(n int, f *match.Flow) {
	clear(j.cover)
	for c, s := range f.Sides {
		if s == nil {
			continue
		}
		for d := 0; d < 2; d++ {
			if s.Sees(d) {
				j.side(n, f, c, d)
			}
		}
	}
}

// step is a neighbouring point of a frame's path, and why a frame may be missing there.
type step struct {
	to    int // capture, -1 none
	down  bool
	joint *match.Joint
	links []*match.Link // links to all points on that side of the path
	known bool          // the point saw this direction of this flow
}

// blind is a point whose recorder was not running for as long as another one, or hides a protocol.
type blind struct {
	point int
	hides bool
}

// side judges the frames of direction d at capture c.
func (j *judge) side(n int, f *match.Flow, c, d int) {
	v := j.v
	down, up, blinds := j.steps(f, c, d)
	made, isMade := j.endedBy(f, c, d)
	for k, id := range f.Sides[c].Convs {
		dir := d ^ f.Sides[c].Forward[k]
		local := linkLocal(v.Caps[c], id, dir)
		for i := range flow.UpTo(v.Caps[c].Span(id)) {
			x := v.At(c, i)
			if x.Dir() != dir {
				continue
			}
			m := &v.Marks[c][i]
			switch {
			case x.Is(flow.MarkDuplicate):
				m.Fate = FateDuplicate
				continue
			case x.Is(flow.MarkLocal) || local:
				m.Fate = FateLocal
				continue
			}
			if isMade {
				*m = made
				continue
			}
			*m = j.frame(f, c, d, i, down, up, blinds)
		}
	}
}

// steps finds the next point down and up the path of direction d from capture c, and points of either side that never saw the flow,
// though its ends say that it passes them.
func (j *judge) steps(f *match.Flow, c, d int) (down, up step, blinds []blind) {
	down, up = step{to: -1, down: true}, step{to: -1}
	p := f.Path[d]
	at := -1
	for k, x := range p {
		if x == c {
			at = k
		}
	}
	for k, x := range p {
		if at < 0 || x == c {
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
	if down.to < 0 && up.to < 0 {
		j.expect(f, c, d, &down, &up)
	} else if down.to < 0 && !j.complete(f, c, d) {
		j.expectBeyond(f, c, d, &down)
	} else if up.to < 0 && !j.complete(f, c, d) {
		j.expectBeyond(f, c, d, &up)
	}
	for x := range j.v.Caps {
		if f.Sides[x] != nil || j.v.Relations[[2]int{min(c, x), max(c, x)}] == nil || j.v.expected(f, c, x, d) == 0 {
			continue
		}
		next := &down
		if j.v.expected(f, c, x, d) < 0 {
			next = &up
		}
		hides := j.hidden(f, c, x, false)
		if (hides || j.v.narrower(x, c)) && (next.to < 0 || !next.known || j.between(c, next.to, x)) {
			blinds = append(blinds, blind{x, hides})
		}
	}
	return down, up, blinds
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
		around = around || !j.v.outsideOf(x, a, from) && !j.hidden(f, a, x, false)
	}
	j.passed.Store(k, some && !around)
	return some && !around
}

// onWay reports whether a point lies between two others, or one of them between the other one and it.
func (j *judge) onWay(c, next, x int) bool {
	return next >= 0 && (next == x || j.between(c, next, x) || j.between(c, x, next))
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
		if x == c || v.Relations[[2]int{min(c, x), max(c, x)}] == nil {
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

// matched reports whether a frame of c has a counterpart at another point.
func (v *Verdict) matched(c, other int, i uint32) bool {
	l := v.Link(c, other)
	var space [1]match.Pair
	return l != nil && len(l.Peers(c, i, space[:0])) > 0
}

// count fills travel: how many directions of flows pass both ends each way.
func (s *Segment) count(v *Verdict) {
	for _, f := range v.Flows {
		for _, p := range f.Path {
			for k := 0; k+1 < len(p); k++ {
				if p[k] == s.A && p[k+1] == s.B {
					s.travel[0]++
				} else if p[k] == s.B && p[k+1] == s.A {
					s.travel[1]++
				}
			}
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

// frame judges one frame.
func (j *judge) frame(f *match.Flow, c, d int, i uint32, down, up step, blinds []blind) Mark {
	v := j.v
	hasDown, logicalDown := j.has(down, c, i)
	hasUp, logicalUp := j.has(up, c, i)
	if down.to >= 0 && down.known && (!hasDown || logicalDown) {
		if m, ok := j.missing(f, c, d, i, down); ok {
			return m
		}
	}
	if up.to >= 0 && up.known && (!hasUp || logicalUp) {
		if m, ok := j.missing(f, c, d, i, up); ok {
			return m
		}
	}
	if hasDown || hasUp {
		m := Mark{Fate: FateDelivered, Origin: v.origin(f, d)}
		for _, s := range []step{down, up} {
			if s.to >= 0 && s.known && v.outsideOf(s.to, c, i) && !v.matched(c, s.to, i) {
				m.Fate = FateOutside // another one behind it has it
			}
		}
		for _, x := range blinds {
			switch outside := v.outsideOf(x.point, c, i); {
			case x.hides && (!outside || j.throughout[[2]int{x.point, c}]):
				m.Fate = FateFiltered
				return m
			case outside:
				m.Fate = FateOutside
			}
		}
		return m
	}
	for _, x := range blinds {
		if !x.hides && v.outsideOf(x.point, c, i) && !j.onWay(c, down.to, x.point) && !j.onWay(c, up.to, x.point) {
			return Mark{Fate: FateOutside, Origin: v.origin(f, d)} // it may have taken that branch
		}
	}
	for _, s := range []step{down, up} {
		if s.to >= 0 {
			if m, ok := j.missing(f, c, d, i, s); ok {
				return m
			}
		}
	}
	return j.nowhere(f, c)
}

// has reports whether a frame has a counterpart on a side of its path, and whether that is one in meaning only.
func (j *judge) has(s step, c int, i uint32) (has, logical bool) {
	for _, l := range s.links {
		if !l.Has(c, i) {
			continue
		}
		j.buf = l.Peers(c, i, j.buf)
		for _, p := range j.buf {
			if p.How != match.HowLogical {
				return true, false
			}
			has, logical = true, true
		}
	}
	return has, logical
}

// nowhere judges a frame of a flow that no other point saw and none is known to expect.
func (j *judge) nowhere(f *match.Flow, c int) Mark {
	if len(j.v.Relations) == 0 {
		return Mark{}
	}
	seen := 0
	for _, s := range f.Sides {
		if s != nil {
			seen++
		}
	}
	if seen > 1 || f.Sides[c].Sees(0) && f.Sides[c].Sees(1) {
		// It lives without passing any other point.
		return Mark{Fate: FateElsewhere}
	}
	return Mark{}
}

// missing says why a frame of c, in direction d, has no counterpart at s.to; ok is false if nothing is amiss there.
func (j *judge) missing(f *match.Flow, c, d int, i uint32, s step) (m Mark, ok bool) {
	v := j.v
	seg := v.Segment(c, s.to)
	if seg != nil {
		m.Where = uint8(seg.Index + 1)
	}
	m.Origin = v.origin(f, d)
	jt := s.joint
	made := jt != nil && s.known && (jt.Terminated || jt.SynProxied)
	// A device's own handshake and acknowledgements have no counterpart, whenever the other recorder ran.
	if !(made && v.At(c, i).Len == 0) && v.outsideOf(s.to, c, i) {
		m.Fate = FateOutside
		if f.Sides[s.to] == nil && j.throughout[[2]int{s.to, c}] && j.hidden(f, c, s.to, false) {
			m.Fate = FateFiltered
		}
		return Mark{Fate: m.Fate, Origin: m.Origin}, true
	}
	if v.untold(f, c, i, s.to) {
		return Mark{Origin: m.Origin}, true
	}
	if made {
		if s.down {
			m.Fate = FateConsumed
		} else {
			m.Fate, m.Origin = FateInjected, OriginMiddlebox
		}
		return m, true
	}
	if f.Sides[s.to] == nil {
		// A translator's address is its own and that of all behind it: of two recorders of which one has no TCP at all, or no
		// UDP, that one leaves it out.
		if (f.Proto == flow.ProtoTCP || f.Proto == flow.ProtoUDP || j.narrow[[2]int{s.to, c}]) && j.hidden(f, c, s.to, false) {
			return Mark{Fate: FateFiltered, Origin: m.Origin}, true
		}
		if j.maybe(f, c, i, s.to) {
			return Mark{Origin: m.Origin}, true
		}
		if o, mine := j.owned(f, c, s.to, d); mine {
			m.Fate = o
			if o == FateInjected {
				m.Origin = OriginMiddlebox
			}
			return m, true
		}
		no := int64(-1)
		if s.down && d == 0 {
			no = v.refusal(f, c)
		}
		if no >= 0 && v.At(c, uint32(no)).Opt != flow.ErrorByEnd || v.answeredNearer(f, c, d, s.down) {
			if m.Fate = FateConsumed; !s.down {
				m.Fate, m.Origin = FateInjected, OriginMiddlebox
			}
			return m, true
		}
		if j.hidden(f, c, s.to, true) {
			return Mark{Fate: FateFiltered, Origin: m.Origin}, true
		}
		if v.answered(f, c) {
			return Mark{Fate: FateElsewhere, Origin: m.Origin}, true
		}
		if m.Fate = FateLost; !s.down {
			m = v.onlyHere(f, c, d, m)
		}
		return m, true
	}
	if v.At(c, i).Is(flow.MarkEither) || j.bare && j.maybe(f, c, i, s.to) {
		return Mark{Origin: m.Origin}, true // its counterpart is one of several
	}
	switch passed, either := j.dropped(f, c, d, i, s); {
	case either:
		return Mark{Origin: m.Origin}, true
	case passed, !s.down && j.continues(c, i, s):
		return Mark{Fate: FateDelivered, Origin: m.Origin}, true
	}
	m.Fate = FateLost
	if !s.down {
		if v.usualWay(c, i) && v.leaks[s.to]() {
			return Mark{Origin: m.Origin}, true // the recorder before it may have missed it
		}
		m.Fate, m.Origin = FateInjected, OriginMiddlebox
	}
	return m, true
}

// usualWay reports whether a frame has as many routers behind it as others of its direction have, so that nothing speaks for another
// sender.
func (v *Verdict) usualWay(c int, i uint32) bool {
	x := v.At(c, i)
	usual := v.Hops.Usual(c, x.ID(), x.Dir())
	return usual.known && int(initialOf(x.TTL))-int(x.TTL) == int(usual.hops)
}

// untold reports whether the snaplen of either capture took what would tell a frame's counterpart from others.
func (v *Verdict) untold(f *match.Flow, c int, i uint32, other int) bool {
	x := v.At(c, i)
	switch {
	case x.LacksQuote(f.Proto):
		return true
	case x.Is(flow.MarkLater) && (f.Proto == flow.ProtoTCP || f.Proto == flow.ProtoUDP) && !v.Caps[c].Conv(x.ID()).HasPorts:
		return true // a fragment whose first one was not there before it: whose it is, is not known
	case x.Is(flow.MarkError):
		return v.Caps[c].QuotesCut || v.Caps[other].QuotesCut
	case f.Proto == flow.ProtoTCP && x.IPID == 0 && x.Mark&flow.MarkLater == 0:
		return x.Short() || f.Sides[other] != nil && f.Sides[other].Short()
	case f.Proto == flow.ProtoUDP && x.IPID == 0:
		return bare(v.Caps[c]) || bare(v.Caps[other])
	}
	return false
}

// bare reports whether the snaplen left too little of a capture's datagrams for them to be compared.
func bare(c *flow.Capture) bool { return c.AnyCut[1] && !c.MinHead[1] }

// equalKey is what a datagram carries, as a capture holds it.
type equalKey struct {
	capture   int
	len, hash uint32
}

type equalFrame struct {
	at clock.RefTime
	of *match.Flow
}

const (
	equalMost  = 1 << 20       // datagrams of conversations without counterpart that are remembered
	equalReach = 1_000_000_000 // ns between what may be one datagram
	equalLook  = 64            // equal datagrams in reach that are looked at
)

// equals collects the datagrams of conversations that have no counterpart at some other point.
func (j *judge) equals() {
	j.equal = map[equalKey][]equalFrame{}
	for _, c := range j.v.Caps {
		j.bare = j.bare || bare(c)
	}
	defer func() {
		for _, l := range j.equal {
			slices.SortFunc(l, func(x, y equalFrame) int { return cmp.Compare(x.at, y.at) })
		}
	}()
	n := 0
	for _, f := range j.v.Flows {
		if f.Proto != flow.ProtoUDP || !slices.Contains(f.Sides, nil) {
			continue
		}
		for c, s := range f.Sides {
			if s == nil {
				continue
			}
			for _, id := range s.Convs {
				for i := range flow.UpTo(s.Cap.Span(id)) {
					x := s.Cap.At(i)
					at, ok := j.v.Time(c, i)
					if !ok || x.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate) != 0 {
						continue
					}
					if n++; n > equalMost {
						return
					}
					k := j.equalTo(c, x)
					j.equal[k] = append(j.equal[k], equalFrame{at, f})
				}
			}
		}
	}
}

// equalTo is the key of datagrams at a capture that may be x.
func (j *judge) equalTo(c int, x *flow.Fact) equalKey {
	if j.bare {
		return equalKey{c, x.Len, 0}
	}
	return equalKey{c, x.Len, x.Head}
}

// maybe reports whether the other point holds a datagram with the same bytes at about the same time, of a conversation without
// counterpart here: it may be this one behind a translation, and nothing tells whether it is.
func (j *judge) maybe(f *match.Flow, c int, i uint32, other int) bool {
	if f.Proto != flow.ProtoUDP {
		return false
	}
	x := j.v.At(c, i)
	at, ok := j.v.Time(c, i)
	if !ok {
		return false
	}
	l := j.equal[j.equalTo(other, x)]
	k, _ := slices.BinarySearchFunc(l, at-equalReach, func(e equalFrame, t clock.RefTime) int { return cmp.Compare(e.at, t) })
	return slices.ContainsFunc(l[k:min(len(l), k+equalLook)], func(e equalFrame) bool { return e.of.Sides[c] == nil && e.at <= at+equalReach })
}

// answered reports whether a flow works without passing the other point: both directions carry something.
func (v *Verdict) answered(f *match.Flow, c int) bool {
	s := f.Sides[c]
	return s.Carries(0) && s.Carries(1)
}

// answeredNearer reports whether all answers of a conversation that only c saw passed fewer routers than what the other
// end sends elsewhere: a device on the way gave them in its name.
func (v *Verdict) answeredNearer(f *match.Flow, c, d int, down bool) bool {
	if down {
		d = 1 - d
	}
	s := f.Sides[c]
	n := 0
	for _, id := range s.Convs {
		for i := range flow.UpTo(s.Cap.Span(id)) {
			x := s.Cap.At(i)
			if s.Dir(x) != d || x.Is(flow.MarkError) {
				continue
			}
			usual := v.Hops.Usual(c, id, x.Dir())
			if own := int(initialOf(x.TTL)) - int(x.TTL); !usual.known || own >= int(usual.hops) {
				return false
			}
			n++
		}
	}
	return n > 0
}

// onlyHere judges a frame that comes from another point's side, of a conversation that this other point never saw.
func (v *Verdict) onlyHere(f *match.Flow, c, d int, m Mark) Mark {
	m.Fate, m.Origin = FateInjected, OriginMiddlebox
	return m
}

// hidden reports whether the other capture shows nothing at all of a flow's protocol, or of its port where ports count,
// although both saw other traffic: its capture filter hides it.
func (j *judge) hidden(f *match.Flow, c, other int, ports bool) bool {
	a, b := min(c, other), max(c, other)
	if !j.v.answered(f, c) {
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

// narrower reports whether recorder x ran for only a part of the time that recorder c did.
func (v *Verdict) narrower(x, c int) bool {
	return v.outsideOf(x, c, v.Caps[c].FirstFrame()) || v.outsideOf(x, c, v.Caps[c].LastFrame())
}

// outsideOf reports whether the recorder of capture o was not running when frame i of c should have been seen there.
func (v *Verdict) outsideOf(o, c int, i uint32) bool {
	t, ok := v.Time(c, i)
	if !ok || !v.Clocks.Of[o].Known {
		return false
	}
	first, last := v.ran[o][0], v.ran[o][1]
	e := v.Clocks.Of[o].Error + v.Clocks.Of[c].Error
	// A packet at c passes o up to a round trip, twice the bound, before or after; it may wait in a queue besides.
	from, to := -e, 2*e
	if f := v.Flow(c, v.At(c, i)); f != nil {
		if toC, ok := v.Toward(f, f.Sides[c].Dir(v.At(c, i)), o, c); ok && toC {
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

// late mends what was taken for outside: a conversation whose packets were being lost while the other recorder ran goes
// on being lost after its last frame.
func (j *judge) late(n int, f *match.Flow) {
	for c, s := range f.Sides {
		if s == nil {
			continue
		}
		for d := 0; d < 2; d++ {
			j.lateDirection(c, s, d)
		}
	}
}

// lateDirection mends one direction of which nothing ever arrived.
func (j *judge) lateDirection(c int, s *match.Side, d int) {
	v := j.v
	lost := Mark{}
	for pass := 0; pass < 2; pass++ {
		for _, id := range s.Convs {
			for i := range flow.UpTo(v.Caps[c].Span(id)) {
				if s.Dir(v.At(c, i)) != d {
					continue
				}
				m := &v.Marks[c][i]
				switch {
				case pass == 0 && m.Fate == FateDelivered:
					return
				case pass == 0 && m.Fate == FateLost:
					lost = *m
				case pass == 1 && m.Fate == FateOutside && v.afterEnd(lost, c, i):
					*m = lost
				}
			}
		}
		if lost.Fate != FateLost {
			return
		}
	}
}

// afterEnd reports whether a frame lies behind the end of the capture at the far end of a stretch.
func (v *Verdict) afterEnd(m Mark, c int, i uint32) bool {
	if m.Where == 0 {
		return false
	}
	o := v.Segments[m.Where-1].other(c)
	t, ok := v.Time(c, i)
	return ok && v.Clocks.Of[o].Known && t > v.ran[o][1]
}

// origin is the end that a direction's packets come from.
func (v *Verdict) origin(f *match.Flow, d int) Origin {
	if (v.Initiator(f) == "client") == (d == 0) {
		return OriginClient
	}
	return OriginServer
}

// linkLocal reports whether what goes in one direction of a conversation never leaves the link: link-local and limited broadcast addresses
// (RFC 5771 §4, RFC 919, RFC 4291 §2.5.6 and §2.7).
func linkLocal(c *flow.Capture, id flow.ConvID, dir int) bool {
	t := c.Tuple(id, dir)
	return localAddr(t.Version, t.Dst) || localAddr(t.Version, t.Src)
}

func localAddr(version uint8, a decode.Addr) bool {
	if version == 4 {
		return a[12] == 224 && a[13] == 0 && a[14] == 0 || a[12] == 255 && a[13] == 255 && a[14] == 255 && a[15] == 255 || a[12] == 169 && a[13] == 254
	}
	return a[0] == 0xfe && a[1]&0xc0 == 0x80 || a[0] == 0xff && a[1]&0x0f <= 2
}
