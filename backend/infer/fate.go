package infer

import (
	"sync"

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
				v.Marks[k].set(i, Mark{Fate: FateLocal})
			}
		}
	}
	j := &judge{v: v, class: map[classKey]*classCount{}, passed: &sync.Map{}, cover: map[coverKey]*coverage{}}
	var wg sync.WaitGroup
	wg.Go(j.classes)
	j.owners()
	j.balancers()
	wg.Wait()
	j.askers()
	j.equals()
	for _, s := range v.Segments {
		s.count(v)
	}
	var mu sync.Mutex
	var made [][]madeFrame
	v.parallel(func() func(n int, f *match.Flow) {
		w := &judge{v: v, class: j.class, own: j.own, forwarded: j.forwarded, balanced: j.balanced, ends: j.ends, equal: j.equal, bare: j.bare, narrow: j.narrow, throughout: j.throughout, onePort: j.onePort, passed: j.passed, cover: map[coverKey]*coverage{}}
		return func(n int, f *match.Flow) {
			if w.flow(n, f); len(w.made) > 0 {
				mu.Lock()
				made = append(made, w.made)
				mu.Unlock()
				w.made = nil
			}
		}
	})
	v.missedInstead(made)
	v.parallel(func() func(n int, f *match.Flow) { return j.late })
}

// judge holds what the fates of one flow say of another's.
type judge struct {
	v     *Verdict
	class map[classKey]*classCount
	own   map[ownKey]*ttls
	// forwarded are the services that a device has in its own name and only translates, balanced the addresses of such with other servers
	// beside those of the other point.
	forwarded map[ownService]bool
	balanced  map[ownKey]bool
	ends      map[endKey]ended
	equal     map[equalKey][]equalFrame
	bare      bool // of some capture's datagrams too few bytes are there to be compared
	// narrow tells of two captures whether the first one holds a single protocol of several that the second one does.
	narrow map[[2]int]bool
	// throughout tells of those whether the first one ran for as long as the second one, though its own first and last frame do not
	// show it: see deliberate.
	throughout map[[2]int]bool
	onePort    map[[2]int]bool        // the first one's capture filter leaves one port of what the second one has
	passed     *sync.Map              // what between found
	cover      map[coverKey]*coverage // of the flow at hand
	buf        []match.Pair
	reach      [2][]*match.Link // steps' room
	made       []madeFrame      // of the flow at hand
	asked      *match.Flow      // works' last one, and what it said
	itWorks    bool
	oneSided   oneSided // stopped's last one, and what it said
	isStopped  bool
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

// side judges the frames of direction d at capture c.
func (j *judge) side(n int, f *match.Flow, c, d int) {
	v := j.v
	down, up, blinds := j.steps(f, c, d)
	made, isMade := j.endedBy(f, c, d)
	links, delivered := v.passed(c, down, up, blinds), Mark{Fate: FateDelivered, Origin: v.origin(f, d)}
	for k, id := range f.Sides[c].Convs {
		dir := d ^ f.Sides[c].Forward[k]
		local := linkLocal(v.Caps[c], id, dir)
		for i := range flow.UpTo(v.Caps[c].Span(id)) {
			x := v.At(c, i)
			if x.Dir() != dir {
				continue
			}
			m := delivered
			switch {
			case x.Is(flow.MarkDuplicate):
				m = Mark{Fate: FateDuplicate}
			case x.Is(flow.MarkLocal) || local:
				m = Mark{Fate: FateLocal}
			case isMade:
				m = made
			case len(links) == 0 || !passedAll(links, c, i):
				m = j.frame(f, c, d, i, down, up, blinds)
			}
			v.Marks[c].set(i, m)
		}
	}
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
			if s.to >= 0 && s.known && !v.matched(c, s.to, i) && v.outsideOf(s.to, c, i) && !v.pieceMatches(c, s.to, i) {
				m.Fate = FateOutside // another one behind it has it
			}
		}
		for _, x := range blinds {
			switch outside := v.outsideOf(x.point, c, i); {
			case x.hides && (!outside || j.hidesThroughout(f, c, x.point)):
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
	if v.inPieces {
		if o := v.piece(s.to, c, i); o != s.to {
			s.to, s.joint = o, f.Joint(c, o)
		}
	}
	seg := v.Segment(c, s.to)
	if seg != nil {
		m.Where = uint8(seg.Index + 1)
	}
	m.Origin = v.origin(f, d)
	jt := s.joint
	made := jt != nil && s.known && (jt.Terminated || jt.SynProxied)
	// A device's own handshake and acknowledgements have no counterpart, whenever the other recorder ran.
	if !(made && v.At(c, i).Len() == 0) && v.outsideOf(s.to, c, i) {
		m.Fate = FateOutside
		if f.Sides[s.to] == nil && j.hidesThroughout(f, c, s.to) {
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
		if k := serviceOf(f, c, s.to); j.forwarded[k] && j.balanced[k.ownKey] {
			// Who merely translates answers nothing itself: another server does. What nobody answers may have gone there too.
			if v.answered(f, c) {
				m.Fate = FateElsewhere
			}
			return Mark{Fate: m.Fate, Origin: m.Origin}, true
		}
		if o, mine := j.owned(f, c, s.to, d); mine {
			m.Fate = o
			if o == FateInjected {
				m.Origin = OriginMiddlebox
			}
			return m, true
		}
		if j.stopped(f, c, d, s.down) {
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
		if v.usualWay(c, i) && v.misses[s.to]() > 0 {
			return Mark{Origin: m.Origin}, true // the recorder before it may have missed it
		}
		if v.usualWay(c, i) {
			j.made = append(j.made, madeFrame{f, c, i, s.to, m.Origin})
		}
		m.Fate, m.Origin = FateInjected, OriginMiddlebox
	}
	return m, true
}

// madeFrame is a frame that the point before did not see, though nothing but that speaks for another sender.
type madeFrame struct {
	flow   *match.Flow
	c      int
	i      uint32
	before int
	origin Origin
}

// missedLeast is of how many conversations a point must lack payload that comes from its side the usual way, for its recorder to have
// missed frames: nobody makes up what ends say to each other.
const missedLeast = 2

// missedInstead takes back that frames were made between two points, where the recorder of the first one misses frames.
func (v *Verdict) missedInstead(made [][]madeFrame) {
	flows := map[[2]int]int{}
	for _, l := range made {
		seen := map[[2]int]bool{}
		for _, x := range l {
			if k := [2]int{x.before, x.c}; v.At(x.c, x.i).Len() > 0 && !seen[k] {
				seen[k] = true
				flows[k]++
			}
		}
	}
	for _, l := range made {
		for _, x := range l {
			if flows[[2]int{x.before, x.c}] >= missedLeast {
				v.Marks[x.c].set(x.i, Mark{Origin: x.origin})
			}
		}
	}
}

// usualWay reports whether a frame has as many routers behind it as others of its direction have, so that nothing speaks for another
// sender.
func (v *Verdict) usualWay(c int, i uint32) bool {
	x := v.At(c, i)
	usual := v.Hops.Usual(c, v.Caps[c].ID(i), x.Dir())
	return usual.known && int(initialOf(x.TTL))-int(x.TTL) == int(usual.hops)
}

// answered reports whether a flow works without passing the other point: both directions carry something.
func (v *Verdict) answered(f *match.Flow, c int) bool {
	s := f.Sides[c]
	return s.Carries(0) && s.Carries(1)
}

// stopped reports whether a device on the way refused, or answered, a conversation that only c saw.
func (j *judge) stopped(f *match.Flow, c, d int, down bool) bool {
	k := oneSided{f, c, d, down}
	if j.oneSided != k { // it is asked for each of its frames, and looks at all of them
		v, no := j.v, int64(-1)
		if down && d == 0 {
			no = v.refusal(f, c)
		}
		j.oneSided = k
		j.isStopped = no >= 0 && v.At(c, uint32(no)).Opt != flow.ErrorByEnd || v.answeredNearer(f, c, d, down)
	}
	return j.isStopped
}

// oneSided is a direction of a conversation that one point saw.
type oneSided struct {
	f    *match.Flow
	c, d int
	down bool
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
			if s.Dir(i) != d || x.Is(flow.MarkError) {
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
				if s.Dir(i) != d {
					continue
				}
				m := v.Marks[c].At(i)
				switch {
				case pass == 0 && m.Fate == FateDelivered:
					return
				case pass == 0 && m.Fate == FateLost:
					lost = m
				case pass == 1 && m.Fate == FateOutside && v.afterEnd(lost, c, i):
					v.Marks[c].set(i, lost)
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
