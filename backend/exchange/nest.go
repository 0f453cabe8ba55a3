package exchange

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
)

const (
	// headerSlack is how many bytes a proxy adds to or takes from a message's header, and what TLS says beside it
	// (session tickets: RFC 8446 §4.6.1).
	headerSlack = 700
	// packedSlack is what packed header fields take more where they are written out: servers refuse heads above some 8 kB.
	packedSlack = 8 << 10
	// foreignSlack is the same where nothing is added: what the bounds of padded records leave open.
	foreignSlack = 16
	// patience is how long, ns, a proxy may take to pass something on where nothing bounds it.
	patience = 120e9
	// candidatesMost bounds the pairs that are looked at for an unknown offset.
	candidatesMost = 2 << 20
)

// nesting is a back exchange that may be what a front exchange became, and the offsets (clock behind the proxy minus
// clock in front, ns) at which it lies inside of it.
type nesting struct {
	front, back int
	lo, hi      int64
}

// compatible reports whether a back exchange can be what a front exchange became. named: the clients that headers name are
// those in front.
func compatible(f, b *Exchange, named bool) bool {
	if f.Key != b.Key || (f.Key == "") != (b.Key == "") {
		return false
	}
	if f.Key != "" {
		return true
	}
	if f.foreign() && !b.Opaque && !b.Cut || b.foreign() && !f.Opaque && !f.Cut {
		return false // readable on both sides and no HTTP: bytes that a proxy passed on would be the same
	}
	if named && len(b.Forwarded) > 0 && !slices.Contains(b.Forwarded, f.Client) {
		return false
	}
	if b.Answered && !f.Answered {
		return false
	}
	if f.Name != "" && b.Name != "" && !sameRequest(f.Name, b.Name) {
		return false
	}
	slack := int64(headerSlack)
	if f.foreign() || b.foreign() {
		slack = foreignSlack
	}
	more := func(packed bool) int64 {
		if packed {
			return packedSlack
		}
		return 0
	}
	if !near(&f.Request, &b.Request, slack+more(b.Packed), slack+more(f.Packed)) {
		return false
	}
	return !b.Answered || near(&f.Answer, &b.Answer, slack+more(b.Packed), slack+more(f.Packed))
}

// foreign reports whether an exchange is readable and no HTTP: whoever wraps it in TLS adds no header to it. Of a request that was
// missed nothing tells.
func (e *Exchange) foreign() bool {
	return e.Name == "" && !e.Opaque && !e.Cut && e.Request.Seen() && !e.Request.Holes
}

// sameBytes reports whether the same bytes may be on both sides. Of cut frames only sizes tell: TLS adds to them.
func sameBytes(f, b *Exchange) bool {
	if f.Cut || b.Cut {
		if f.Request.Most != b.Request.Most || f.Answered && b.Answered && f.Answer.Most != b.Answer.Most {
			return false
		}
	}
	return f.open() && b.open()
}

// open reports whether what carries an exchange can have the same bytes elsewhere: no TLS of a connection's own.
func (e *Exchange) open() bool { return !e.Opaque && !e.TLS }

// sameRequest compares request lines: the same method, and the same target but for a prefix that the proxy added or took
// off.
func sameRequest(a, b string) bool {
	m, s, _ := strings.Cut(a, " ")
	n, t, _ := strings.Cut(b, " ")
	return m == n && (strings.HasSuffix(s, t) || strings.HasSuffix(t, s))
}

// near reports whether two parts can have the same size but for so many bytes that x has more, or y. Of one with holes it is
// not known how much was in them.
func near(x, y *Part, xMore, yMore int64) bool {
	return (y.Holes || x.Least <= y.Most+xMore) && (x.Holes || y.Least <= x.Most+yMore)
}

// nest bounds the offsets at which b lies inside of f: a request is passed on after it began to come, an answer is
// complete at the front after it was at the back.
func nest(f, b *Exchange) (lo, hi int64, ok bool) {
	hi = int64(b.Request.latest() - f.Request.Start)
	lo = hi - patience
	switch {
	case !f.Answered || !f.Answer.Ended() && f.Answer.Seen(): // it went on for as long as nobody knows
	case b.Answered && b.Answer.Seen():
		lo = max(lo, int64(b.Answer.End-f.Answer.End))
	case b.Answered:
		lo = max(lo, int64(b.Answer.Start-f.Answer.End))
	default:
		lo = max(lo, int64(b.Request.Start-f.Answer.End))
	}
	return lo, hi, lo <= hi
}

// nestings lists all pairs that fit at some offset in [lo, hi]; many: there are more than are looked at.
func nestings(front, back []*Exchange, named bool, mark []int, lo, hi int64) (out []nesting, many bool) {
	ix := newIndex(back)
	says := map[int][]int32{} // by front exchange, those behind whose header names it: whatever they ask for
	for j, i := range mark {
		if i >= 0 {
			says[i] = append(says[i], int32(j))
		}
	}
	for i, f := range front {
		l := ix.candidates(f, lo, hi)
		if more := says[i]; len(more) > 0 {
			l = append(l, more...)
			slices.Sort(l)
			l = slices.Compact(l)
		}
		for _, j := range l {
			if m := mark[j]; m >= 0 && m != i || m < 0 && !compatible(f, back[j], named) {
				continue
			}
			if l, h, ok := nest(f, back[j]); ok && l <= hi+slack && h >= lo-slack {
				if out = append(out, nesting{i, int(j), l, h}); len(out) > candidatesMost {
					return nil, true
				}
			}
		}
	}
	return out, false
}

// rare lists the exchanges that ask for what few others do, as many as can be looked at: where a crowd asks for the same, they tell the
// offset.
func rare(front, back []*Exchange) (f, b []*Exchange) {
	type group struct {
		key         string
		front, back int
	}
	groups, unnamed := map[string]*group{}, [2]int{}
	for n, l := range [2][]*Exchange{front, back} {
		for _, e := range l {
			k, ok := asked(e)
			if !ok {
				unnamed[n]++
				continue
			}
			g := groups[k]
			if g == nil {
				g = &group{key: k}
				groups[k] = g
			}
			if n == 0 {
				g.front++
			} else {
				g.back++
			}
		}
	}
	all := slices.Collect(maps.Values(groups))
	slices.SortFunc(all, func(x, y *group) int {
		return cmp.Or(cmp.Compare(x.front*x.back, y.front*y.back), cmp.Compare(x.key, y.key))
	})
	left, n, m := candidatesMost, 0, 0
	for _, g := range all {
		if left -= g.front * g.back; left < 0 {
			delete(groups, g.key)
			continue
		}
		n, m = n+g.front, m+g.back
	}
	// Of which nothing tells what is asked, may be any.
	left = candidatesMost - unnamed[0]*(m+unnamed[1]) - unnamed[1]*n
	of := func(l []*Exchange) (out []*Exchange) {
		for _, e := range l {
			if k, ok := asked(e); ok && groups[k] != nil || !ok && left >= 0 {
				out = append(out, e)
			}
		}
		return out
	}
	return of(front), of(back)
}

// anyOffset is a range that every offset is in.
const anyOffset = int64(1) << 61

// index finds the back exchanges that a front one may have become without a look at all of them.
type index struct {
	back   []*Exchange
	groups map[string][]int32 // by what is asked, in the order of time
	rest   []int32            // of which nothing tells what is asked, likewise
	all    []int32            // likewise
	buf    []int32
}

func newIndex(back []*Exchange) *index {
	ix := &index{back: back, groups: map[string][]int32{}, all: make([]int32, len(back))}
	for j := range ix.all {
		ix.all[j] = int32(j)
	}
	slices.SortStableFunc(ix.all, func(x, y int32) int { return cmp.Compare(back[x].Request.latest(), back[y].Request.latest()) })
	for _, j := range ix.all {
		if k, ok := asked(back[j]); ok {
			ix.groups[k] = append(ix.groups[k], j)
		} else {
			ix.rest = append(ix.rest, j)
		}
	}
	return ix
}

// asked is what two exchanges that are compatible have in common if both have it: a query's key, or what stands behind the last slash of
// an HTTP request's target, of which a proxy changes the front.
func asked(e *Exchange) (key string, ok bool) {
	if e.Key != "" {
		return "k" + e.Key, true
	}
	_, target, _ := strings.Cut(e.Name, " ")
	if k := strings.LastIndexByte(target, '/'); k >= 0 {
		return "t" + target[k:], true
	}
	return "", false
}

// candidates lists them in the order of back, those that can nest in f at an offset in [lo, hi].
func (ix *index) candidates(f *Exchange, lo, hi int64) []int32 {
	ix.buf = ix.buf[:0]
	key, ok := asked(f)
	if !ok {
		ix.within(ix.all, f, lo, hi)
	} else {
		ix.within(ix.groups[key], f, lo, hi)
		ix.within(ix.rest, f, lo, hi)
	}
	slices.Sort(ix.buf)
	return ix.buf
}

// within adds those of a list whose time fits: a request is passed on behind the front one's begin, and before its answer is complete.
func (ix *index) within(l []int32, f *Exchange, lo, hi int64) {
	at := func(t int64) int {
		k, _ := slices.BinarySearchFunc(l, t, func(j int32, t int64) int { return cmp.Compare(int64(ix.back[j].Request.latest()), t) })
		return k
	}
	from, to := 0, len(l)
	if lo > -anyOffset {
		from = at(int64(f.Request.Start) + lo - slack)
	}
	if hi < anyOffset {
		until := int64(f.Request.Start) + patience
		if f.Answered && (f.Answer.Ended() || !f.Answer.Seen()) { // see nest
			until = min(until, int64(f.Answer.End))
		}
		to = max(from, at(until+hi+slack+1))
	}
	ix.buf = append(ix.buf, l[from:to]...)
}

// What an offset must explain to be believed.
const (
	nestedLeast = 4   // back exchanges that nest
	chanceNats  = 8.  // by how much it is less likely by chance than the best of as many random offsets
	rivalNats   = 4.  // and than the best offset elsewhere, and
	rivalShare  = .7  // by so much less that one: what repeats itself agrees with itself at other times, too
	nestedShare = 3   // one in so many of those that the front capture would have held
	looseShare  = 10  // all but one in so many, where most requests' answers can't be told
	chanceLeast = .02 // a rate of chance below this is not measured
	tolerated   = 30  // one in so many pairs may be wrong
)

// nested counts back exchanges that nest, and those that the front capture would have held.
type nested struct{ in, held int }

// offset is the range of offsets at which the back exchanges nest into front ones best: many of those that the front
// capture would have held, beyond what chance explains. The measure is the likelihood ratio of the share that nests
// against the share that nests at any offset (Kullback and Leibler, 1951). ok is false where that may be chance, or
// where another offset is about as good.
func offset(ns []nesting, front, back []*Exchange) (lo, hi int64, share nested, ok bool) {
	if len(ns) == 0 {
		return 0, 0, share, false
	}
	type event struct {
		at   int64
		open bool
		back int
		from int  // the front exchange it nests in
		held bool // the front capture would have held it; else: it nests
	}
	var es []event
	for _, n := range ns {
		es = append(es, event{n.lo, true, n.back, n.front, false}, event{n.hi, false, n.back, n.front, false})
	}
	first, last := front[0].Request.Start, front[0].Request.Start
	for _, f := range front {
		first, last = min(first, f.Request.Start), max(last, f.Request.Start, f.Answer.End)
	}
	for j, b := range back {
		// The front capture would have held what became b where b lies between the first request and the last answer there.
		lo, hi := int64(max(b.Request.Start, b.Answer.End)-last), int64(b.Request.Start-first)
		if lo <= hi {
			es = append(es, event{lo, true, j, 0, true}, event{hi, false, j, 0, true})
		}
	}
	slices.SortFunc(es, func(a, b event) int {
		if c := cmp.Compare(a.at, b.at); c != 0 {
			return c
		}
		if a.open != b.open {
			if a.open {
				return -1
			}
			return 1
		}
		return cmp.Or(a.back-b.back, a.from-b.from)
	})
	type place struct {
		lo, hi   int64
		in, held int
	}
	nests, isHeld := make([]int, len(back)), make([]bool, len(back))
	hosts, hosting := make([]int, len(front)), 0 // a front exchange becomes one behind, so few of them explain few
	var places []place
	in, held := 0, 0
	inArea, heldArea := 0., 0.
	for k, e := range es {
		if isHeld[e.back] && nests[e.back] > 0 {
			in--
		}
		switch {
		case e.held && e.open:
			held, isHeld[e.back] = held+1, true
		case e.held:
			held, isHeld[e.back] = held-1, false
		case e.open:
			nests[e.back]++
			if hosts[e.from]++; hosts[e.from] == 1 {
				hosting++
			}
		default:
			nests[e.back]--
			if hosts[e.from]--; hosts[e.from] == 0 {
				hosting--
			}
		}
		if isHeld[e.back] && nests[e.back] > 0 {
			in++
		}
		if k+1 < len(es) && es[k+1].at > e.at || e.open && k+1 < len(es) && !es[k+1].open {
			next := es[k+1].at
			places = append(places, place{e.at, next, min(in, hosting), held})
			inArea += float64(min(in, hosting)) * float64(next-e.at)
			heldArea += float64(held) * float64(next-e.at)
		}
	}
	chance := min(0.9, max(chanceLeast, inArea/max(1, heldArea)))
	score := func(p place) float64 {
		n, share := float64(p.held), 0.
		if n > 0 {
			share = float64(p.in) / n
		}
		if share <= chance {
			return 0
		}
		s := share * math.Log(share/chance)
		if share < 1 {
			s += (1 - share) * math.Log((1-share)/(1-chance))
		}
		return n * s
	}
	best, at := 0., -1
	for k, p := range places {
		if s := score(p); s > best {
			best, at = s, k
		}
	}
	if at < 0 {
		return 0, 0, share, false
	}
	from, to := at, at
	for from > 0 && score(places[from-1]) > best/2 {
		from--
	}
	for to+1 < len(places) && score(places[to+1]) > best/2 {
		to++
	}
	rival := 0.
	for k, p := range places {
		if k < from || k > to {
			rival = max(rival, score(p))
		}
	}
	p := places[at]
	// A wrong pair that happens to nest at the edge of what all right ones allow must not decide.
	least := p.in - 1 - p.in/tolerated
	for from = at; from > 0 && places[from-1].in >= least; from-- {
	}
	for to = at; to+1 < len(places) && places[to+1].in >= least; to++ {
	}
	needed := math.Log(float64(len(places))) + chanceNats
	if p.in*2 < p.held {
		needed *= 2 // the same test run at another time agrees in much, too
	}
	good := p.in >= nestedLeast && p.in*nestedShare >= p.held && best >= needed && best-rival >= rivalNats && rival <= rivalShare*best
	if among(front)*2 > len(front) {
		// What asks several things at once and is answered at any time nests at many offsets.
		good = good && p.in*looseShare >= p.held*(looseShare-1)
	}
	return places[from].lo, places[to].hi, nested{p.in, p.held}, good
}

// among counts the exchanges whose answers can't be told.
func among(l []*Exchange) (n int) {
	for _, e := range l {
		if e.Among {
			n++
		}
	}
	return n
}
