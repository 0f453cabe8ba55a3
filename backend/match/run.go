package match

import (
	"cmp"
	"context"
	"maps"
	"math"
	bits64 "math/bits"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

// Result is the outcome of all steps.
type Result struct {
	Caps      []*flow.Capture
	Flows     []*Flow
	Relations map[[2]int]*Relation // by capture indexes, ascending; absent: the two share no traffic
	Links     []*Link              // neighbouring points
	// FlowOf is the flow of each conversation, by capture and ConvID; nil for none.
	FlowOf [][]*Flow

	Causes []Causation // pairs of frames beside the links that bound the clocks
	// Fronts counts the requests in one capture that another one holds in other words, behind a device that ended them.
	Fronts map[[2]int]int

	// Routers says of each capture whether a router made it of its own packets, on both sides of itself; Translators, whether
	// that one translates addresses.
	Routers, Translators []bool

	// Pieces is, by capture, the first one that the same recorder wrote.
	Pieces []int

	both   []bothSides // by capture
	logged *said       // nil: nothing
	probed []probed    // by the first probe
}

const (
	// certain is the evidence, in bits, from which two conversations are one beyond doubt: a chance of 2^-44 for one
	// pair, 2^-24 still where a million conversations meet a million others in twos.
	certain = 44
	// clear is how many bits the best candidate must be ahead of the next.
	clear = 8
	// likely is the evidence from which two conversations are one if the clocks agree to it; what their agreement tells
	// counts up to timeMost bits.
	likely   = 19
	timeMost = 10
)

// Run joins conversations and orders points; logged is what logs say of translations. Packets of the flows are paired by Packets, once the clocks are known.
func Run(ctx context.Context, caps []*flow.Capture, logged []Translation) (*Result, error) {
	both, routers, translators := make([]bothSides, len(caps)), make([]bool, len(caps)), make([]bool, len(caps))
	parallel(len(caps), func(k int) {
		routers[k] = MarkDuplicates(caps[k])
		both[k] = findBothSides(caps[k])
		translators[k] = float64(len(both[k])) > systematic*float64(len(caps[k].Convs))
		routers[k] = routers[k] || translators[k]
	})
	r := &Result{Caps: caps, Routers: routers, Translators: translators, both: both, logged: newSaid(logged), Relations: map[[2]int]*Relation{}}
	var goOn []Candidate
	r.Pieces, goOn = recorders(caps)
	lvl := commonLevel(caps...)
	heads := allHeaders(caps)
	ks := r.gather(lvl, sampleMask, heads, nil, nil)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	fo := newForest(caps)
	for k, sides := range both {
		for id, o := range sides {
			fo.join(Conv{k, o.of}, Conv{k, id}, o.flip)
		}
	}
	taken := newTaken(caps)
	for i := range goOn {
		r.join(fo, taken, &goOn[i])
	}
	anchors := r.anchor(fo, taken, ks)
	if more := r.closer(fo, lvl, heads, ks); len(more) > 0 {
		ks = more
		anchors = append(anchors, r.anchor(fo, taken, ks)...)
	}
	anchors = append(anchors, r.several(fo, taken, ks, anchors)...)
	anchors = inPairOrder(anchors) // as they lie in memory
	r.relate(caps, anchors)
	r.agreeing(fo, taken, ks)
	alike := r.alike(fo, taken)
	r.twins(fo, taken)
	r.flows(fo)
	r.joints(ks, alike)
	r.order()
	return r, ctx.Err()
}

// gather makes the candidates of all conversations that want says; nil wants all. Those that beside says are looked at
// too, for keys that a wanted one has; nil for none.
func (r *Result) gather(lvl level, mask uint64, heads []map[flow.ConvID]flow.Front, want, beside func(c Conv) bool) []Candidate {
	caps := r.Caps
	lists := make([]*dealt, len(caps))
	of := func(k int, f func(c Conv) bool) func(id flow.ConvID) bool {
		if f == nil {
			return nil
		}
		return func(id flow.ConvID) bool { return f(Conv{k, id}) }
	}
	first := uint32(0)
	for k, c := range caps {
		lists[k] = &dealt{capture: k, first: first, convs: uint32(len(c.Convs))}
		first += lists[k].convs
	}
	parallel(len(caps), func(k int) {
		entries(caps, k, lvl, mask, heads, r.logged, of(k, want), lists[k])
	})
	if beside != nil {
		wanted := &keySet{}
		for _, l := range lists {
			for _, p := range l.share {
				for _, es := range p.chunks {
					for i := range es {
						wanted.add(es[i].key)
					}
				}
			}
		}
		parallel(len(caps), func(k int) {
			lists[k].only = wanted
			entries(caps, k, lvl, mask, heads, r.logged, of(k, beside), lists[k])
		})
	}
	parallel(len(caps), func(k int) { r.both[k].standIn(lists[k]) })
	ks := slices.DeleteFunc(candidates(lists), func(k Candidate) bool { return r.Pieces[k.A.Capture] == r.Pieces[k.B.Capture] })
	r.each(len(ks), func() func(i int) { return func(i int) { r.orient(&ks[i]) } })
	rank(ks)
	return ks
}

// closerMost bounds the packets that make keys when conversations without counterpart are looked at again.
const closerMost = 1 << 22

// closer looks again at the conversations that have no counterpart in some other capture, with keys of all their
// packets: of two captures that overlap little, the sampled keys may have missed what both hold. It gives the
// candidates of both rounds.
func (r *Result) closer(fo *forest, lvl level, heads []map[flow.ConvID]flow.Front, ks []Candidate) []Candidate {
	partners := make([]uint64, len(fo.parent)) // by flow root: captures it is in
	for k, c := range r.Caps {
		for id := range c.Convs {
			root, _ := fo.find(fo.node(Conv{k, flow.ConvID(id)}))
			partners[root] |= 1 << (k & 63)
		}
	}
	all := uint64(1)<<(len(r.Caps)&63) - 1
	lonely := func(c Conv) bool {
		root, _ := fo.find(fo.node(c))
		return partners[root] != all
	}
	sideways := false // a connectionless conversation that is alone may belong to one that is not
	for k, c := range r.Caps {
		for id := range c.Convs {
			sideways = sideways || !exclusive(c.Conv(flow.ConvID(id)).Proto) && lonely(Conv{k, flow.ConvID(id)})
		}
	}
	alone := func(c Conv) bool {
		return lonely(c) || sideways && !exclusive(r.Caps[c.Capture].Conv(c.ID).Proto)
	}
	packets := 0
	for k, c := range r.Caps {
		for id := range c.Convs {
			if alone(Conv{k, flow.ConvID(id)}) {
				packets += c.Count(flow.ConvID(id))
			}
		}
	}
	if packets == 0 {
		return nil
	}
	mask := uint64(0)
	for packets>>bits64.Len64(mask) > closerMost && mask < sampleMask {
		mask = mask<<1 | 1
	}
	if mask >= sampleMask {
		return nil
	}
	var beside func(c Conv) bool
	if sideways {
		beside = func(c Conv) bool { return alone(c) && !lonely(c) }
	}
	more := r.gather(lvl, mask, heads, lonely, beside)
	more = slices.DeleteFunc(more, func(k Candidate) bool { return !lonely(k.A) && !lonely(k.B) }) // seen by half
	// Of candidates of both rounds the second one's, which saw more.
	both := make([]Candidate, 0, len(more)+len(ks))
	for i, j := 0, 0; i < len(more) || j < len(ks); {
		switch c := order(more, i, ks, j); {
		case c <= 0:
			both = append(both, more[i])
			i++
			if c == 0 {
				j++
			}
		default:
			both = append(both, ks[j])
			j++
		}
	}
	rank(both)
	return both
}

// order compares the next candidates of two lists; the end of one comes last.
func order(x []Candidate, i int, y []Candidate, j int) int {
	switch {
	case i == len(x):
		return 1
	case j == len(y):
		return -1
	}
	return byPair(&x[i], &y[j])
}

// parallel runs f(0) … f(n-1) at once.
func parallel(n int, f func(k int)) {
	var wg sync.WaitGroup
	for k := 0; k < n; k++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			f(k)
		}()
	}
	wg.Wait()
}

// taken remembers which TCP conversations have a counterpart in which capture already: it has one at most.
type taken struct {
	caps []*flow.Capture
	by   [][][]bool // by capture, the other one, and conversation; nil for none of these two
}

func newTaken(caps []*flow.Capture) *taken {
	t := &taken{caps, make([][][]bool, len(caps))}
	for k := range t.by {
		t.by[k] = make([][]bool, len(caps))
	}
	return t
}

// has reports whether a conversation has a counterpart in another capture.
func (t *taken) has(c Conv, other int) bool {
	l := t.by[c.Capture][other]
	return l != nil && l[c.ID]
}

func (t *taken) free(a, b Conv) bool { return !t.has(a, b.Capture) && !t.has(b, a.Capture) }

func (t *taken) take(a, b Conv) {
	for _, p := range [2][2]Conv{{a, b}, {b, a}} {
		l := &t.by[p[0].Capture][p[1].Capture]
		if *l == nil {
			*l = make([]bool, len(t.caps[p[0].Capture].Convs))
		}
		(*l)[p[0].ID] = true
	}
}

// exclusive reports whether a conversation of the protocol has one counterpart at most: a translation may change its
// mapping under a connectionless one.
func exclusive(proto uint8) bool { return proto == flow.ProtoTCP || proto == flow.ProtoSCTP }

// anchor joins what is beyond doubt.
func (r *Result) anchor(fo *forest, tk *taken, ks []Candidate) []Candidate {
	together := r.together(ks)
	opposed := make([]bool, len(ks))
	r.each(len(ks), func() func(i int) {
		return func(i int) { opposed[i] = ks[i].Score >= certain && r.opposed(&ks[i]) }
	})
	best := byScore(ks, certain)
	out := make([]Candidate, 0, len(best))
	for _, i := range best {
		k := &ks[i]
		if opposed[i] || k.Margin < clear && !r.sideways(k) || k.Score-k.Soft < certain && !together[[2]int{k.A.Capture, k.B.Capture}] {
			continue
		}
		if r.join(fo, tk, k) {
			out = append(out, *k)
		}
	}
	return out
}

// together finds the pairs of captures whose conversations may be joined by readable text alone: what two servers of one
// service send to two clients is alike too. Either several such joins agree on the clocks, or neither capture goes with
// any other by harder evidence, so that they are no branches of one path.
func (r *Result) together(ks []Candidate) map[[2]int]bool {
	hard, soft := map[int]bool{}, map[[2]int][]int64{}
	direct := map[[2]int]bool{}
	for i := range ks {
		k := &ks[i]
		p := [2]int{k.A.Capture, k.B.Capture}
		switch {
		case k.Score-k.Soft >= certain && k.Margin >= clear:
			hard[p[0]], hard[p[1]], direct[p] = true, true, true
		case k.Score >= certain && k.Margin >= clear:
			soft[p] = append(soft[p], r.distance(k))
		}
	}
	out := map[[2]int]bool{}
	for p, l := range soft {
		_, n := middle(l)
		switch {
		case direct[p], len(l) >= someLeast && n*10 >= len(l)*nearly, len(l) < someLeast && n == len(l) && !hard[p[0]] && !hard[p[1]]:
			out[p] = true
		}
	}
	return out
}

// sideways reports whether a candidate's rival is no rival: connectionless conversations of which several go with one.
func (r *Result) sideways(k *Candidate) bool {
	return !exclusive(r.Caps[k.A.Capture].Conv(k.A.ID).Proto) && k.Kinds&(1<<evIPID|1<<evSegment|1<<evQUIC) != 0
}

// accept joins two conversations unless something speaks against it.
func (r *Result) accept(fo *forest, tk *taken, k *Candidate) bool {
	return !r.opposed(k) && r.join(fo, tk, k)
}

// join joins two conversations unless either has a counterpart already.
func (r *Result) join(fo *forest, tk *taken, k *Candidate) bool {
	if exclusive(r.Caps[k.A.Capture].Conv(k.A.ID).Proto) {
		if !tk.free(k.A, k.B) || fo.overlap(k.A, k.B) {
			return false
		}
		tk.take(k.A, k.B)
	}
	fo.join(k.A, k.B, k.Flip)
	return true
}

// relate builds the relations of capture pairs from their anchors.
func (r *Result) relate(caps []*flow.Capture, anchors []Candidate) {
	done := make([]probed, len(anchors))
	most := min(max(samplesAll/max(len(anchors), 1), samplesLeast), samplesMost)
	var mu sync.Mutex
	var votes []map[[2]int]ballot // of each worker
	r.each(len(anchors), func() func(i int) {
		m, mine := &matcher{}, map[[2]int]ballot{}
		mu.Lock()
		votes = append(votes, mine)
		mu.Unlock()
		return func(i int) {
			done[i] = r.probeAnchor(m, anchors[i], most)
			if j := done[i].joint; j != nil && j.Way != 0 {
				k := [2]int{j.A, j.B}
				if mine[k] == nil {
					mine[k] = ballot{}
				}
				mine[k].vote(done[i].flow, j.A, j.B, int(j.Way))
			}
		}
	})
	for _, l := range votes {
		for k, b := range l {
			rel := r.relation(k[0], k[1])
			if len(rel.addr) < len(b) {
				rel.addr, b = b, rel.addr
			}
			for end, n := range b {
				rel.addr[end] += n
			}
		}
	}
	r.straighten(done)
	r.level(done, most)
	samples := map[*Relation]*[3]int{}
	for i := range done {
		if p := &done[i]; p.joint != nil {
			rel := r.relation(p.joint.A, p.joint.B)
			if samples[rel] == nil {
				samples[rel] = new([3]int)
			}
			for _, s := range p.samples {
				samples[rel][s.way+1]++
			}
		}
	}
	for rel, n := range samples {
		for k := range n {
			rel.Time.samples[k] = make([]sample, 0, n[k])
		}
	}
	for i := range done {
		p := &done[i]
		if p.joint == nil {
			continue
		}
		r.relation(p.joint.A, p.joint.B).note(p)
		p.samples = nil
	}
	r.probed = slices.DeleteFunc(done, func(p probed) bool { return p.joint == nil })
	settle := slices.Collect(maps.Values(r.Relations))
	parallel(len(settle), func(k int) { settle[k].settle() })
}

// straighten turns connections across a device that ends them the way that most between the same hosts go, as relations know it: of one
// during which a clock was set the times alone may say the contrary.
func (r *Result) straighten(done []probed) {
	var turned []*probed
	for i := range done {
		if p := &done[i]; p.joint != nil && p.joint.Terminated {
			if w := r.relation(p.joint.A, p.joint.B).guessWay(p.flow); w != 0 && w == -p.joint.Way {
				turned = append(turned, p)
			}
		}
	}
	for _, p := range turned {
		p.joint.Way = -p.joint.Way
		r.relation(p.joint.A, p.joint.B).vote(p.flow, 2*int(p.joint.Way))
		for k := range p.samples {
			p.samples[k].way = -p.samples[k].way
		}
	}
}

// level orders two captures of which nothing says which one packets pass first: neither TTL nor time, as of two recorders at one place. What
// lies nearer to the first one's initiators is taken for the side of the first capture; delays are nothing either way.
func (r *Result) level(done []probed, most int) {
	var m *matcher
	for i := range done {
		p := &done[i]
		if p.joint == nil || p.joint.Way != 0 {
			continue
		}
		rel := r.relation(p.joint.A, p.joint.B)
		if len(rel.addr) > 0 && !rel.level {
			continue // others say it
		}
		rel.level = true
		way := rel.guessWay(p.flow)
		if way == 0 {
			way = 1
		}
		if m == nil {
			m = &matcher{}
		}
		j := *p.joint
		pairs, ok := m.glance(p.flow.Sides[j.A], p.flow.Sides[j.B], p.flow.Proto, &j, most)
		if !ok {
			continue
		}
		j.Way, p.joint.Way = way, way
		p.samples = m.timeSamples(&j, pairs, most)
		rel.vote(p.flow, int(way))
	}
}

// probed is what a probe of two conversations found; joint is nil for nothing.
type probed struct {
	a, b    Conv
	flow    *Flow // of these two alone
	joint   *Joint
	samples []sample
}

func (r *Result) probeAnchor(m *matcher, k Candidate, most int) (p probed) {
	f := newFlow(r.Caps, []member{{k.A, false}, {k.B, k.Flip}})
	j := &Joint{A: k.A.Capture, B: k.B.Capture, Rival: Conv{Capture: -1}}
	pairs, ok := m.glance(f.Sides[j.A], f.Sides[j.B], f.Proto, j, most)
	if !ok {
		return p
	}
	return probed{k.A, k.B, f, j, m.timeSamples(j, pairs, most)}
}

// each calls f(0) … f(n-1) on all cores; every worker gets a function of its own.
func (r *Result) each(n int, make func() func(i int)) {
	const chunk = 32
	var next atomic.Int64
	parallel(workers(), func(int) {
		f := make()
		for {
			from := int(next.Add(chunk)) - chunk
			if from >= n {
				return
			}
			for i := from; i < min(from+chunk, n); i++ {
				f(i)
			}
		}
	})
}

// agreeing joins candidates with less evidence whose packets fit the clocks of both captures.
func (r *Result) agreeing(fo *forest, tk *taken, ks []Candidate) {
	ends := map[*Relation]*hosts{}
	open := func(k *Candidate) bool {
		rel := r.relationOf(k)
		if rel == nil || k.Score >= certain && k.Margin >= clear {
			return false
		}
		proto := r.Caps[k.A.Capture].Conv(k.A.ID).Proto
		if exclusive(proto) && !tk.free(k.A, k.B) || fo.same(k.A, k.B) {
			return false
		}
		// Each of the two goes better with another; one that only goes on under a new mapping does not.
		return exclusive(proto) || k.Wide >= 0
	}
	// What the packets say is asked for many at once, of which a few are taken meanwhile.
	for order := byScore(ks, likely-timeMost); len(order) > 0; {
		var next []*Candidate
		for len(order) > 0 && len(next) < agreeingAtOnce {
			if k := &ks[order[0]]; open(k) {
				next = append(next, k)
			}
			order = order[1:]
		}
		scores := make([]float64, len(next))
		r.each(len(next), func() func(i int) {
			m := &matcher{}
			return func(i int) { scores[i] = r.timely(m, next[i]) }
		})
		for i, k := range next {
			score := scores[i]
			if score == 0 || !open(k) {
				continue
			}
			if !exclusive(r.Caps[k.A.Capture].Conv(k.A.ID).Proto) {
				// What one datagram says under a new mapping is little: that both ends are the same is the rest.
				rel := r.relationOf(k)
				h := ends[rel]
				if h == nil {
					h = r.hosts(fo, rel.A, rel.B)
					ends[rel] = h
				}
				score += h.tuples(r.tuple(k.A, false), r.tuple(k.B, k.Flip))
			}
			if score >= likely {
				r.accept(fo, tk, k)
			}
		}
	}
}

// agreeingAtOnce is how many candidates agreeing looks at between those that it takes.
const agreeingAtOnce = 512

// relationOf is what is known of a candidate's captures; nil for nothing.
func (r *Result) relationOf(k *Candidate) *Relation {
	return r.Relations[[2]int{k.A.Capture, k.B.Capture}]
}

// timely is a candidate's score with what its packets' times add to it; 0 if they contradict the clocks, or it has no pair of packets.
func (r *Result) timely(m *matcher, k *Candidate) float64 {
	rel, proto := r.relationOf(k), r.Caps[k.A.Capture].Conv(k.A.ID).Proto
	if !rel.atOnce(r, k) {
		return 0
	}
	f := newFlow(r.Caps, []member{{k.A, false}, {k.B, k.Flip}})
	j := &Joint{A: k.A.Capture, B: k.B.Capture}
	pairs, ok := m.probe(f.Sides[j.A], f.Sides[j.B], f.Proto, j)
	if !ok && !exclusive(proto) && m.few() { // of datagrams that a wire doubles none is alone
		pairs = m.pairPackets(f.Proto, &j.Traits, rel.either(r))
		ok = len(pairs) > 0
	}
	if !ok || !rel.agrees(m, pairs) || exclusive(proto) && k.Margin < clear && !j.identity(pairs) {
		return 0
	}
	return k.Score + rel.timeBits(m, pairs)
}

// atOnce reports whether two conversations are in the same time, as far as the clocks are known.
func (rel *Relation) atOnce(r *Result, k *Candidate) bool {
	a, b := r.Caps[k.A.Capture], r.Caps[k.B.Capture]
	from, to := a.Span(k.A.ID)
	since, until := b.Span(k.B.ID)
	first, last := a.At(from), a.At(to-1)
	begin, end := b.At(since), b.At(until-1)
	if (first.Mark|last.Mark|begin.Mark|end.Mark)&flow.MarkNoTime != 0 {
		return true
	}
	lo, _, ok := rel.Time.window(r.moment(k.A.Capture, from), 0)
	_, hi, ok2 := rel.Time.window(r.moment(k.A.Capture, to-1), 0)
	return !ok || !ok2 || end.Time() >= lo-relayPatience && begin.Time() <= hi+relayPatience
}

// fewProbed is how many packets a conversation has at most that are paired by the clocks where none of them is alone.
const fewProbed = 4

// few reports whether one of the two conversations at hand has so few packets.
func (m *matcher) few() bool {
	return min(len(m.la[0])+len(m.la[1]), len(m.lb[0])+len(m.lb[1])) <= fewProbed
}

// either bounds the time at B of what is in a place of A, whichever way it travels.
func (rel *Relation) either(r *Result) Window {
	return func(i uint32, _ int) (lo, hi capture.LocalTime, ok bool) {
		return rel.Time.window(r.moment(rel.A, i), 0)
	}
}

// identity reports whether pairs rest on more than equal bytes.
func (j *Joint) identity(ps []Pair) bool {
	for _, p := range ps {
		if p.How == HowIdentity {
			return true
		}
	}
	return false
}

func (f *forest) same(a, b Conv) bool {
	x, _ := f.find(f.node(a))
	y, _ := f.find(f.node(b))
	return x == y
}

// relayPatience is how far, ns, what a proxy passes on may lie from where the clocks expect it: it waits for slow readers.
const relayPatience = 1_000_000_000

// agrees reports whether nearly all pairs lie where the timeline expects them.
func (r *Relation) agrees(m *matcher, pairs []Pair) bool {
	in, all := 0, 0
	for _, p := range pairs {
		f, h := m.a.At(p.A), m.b.At(p.B)
		if f.Is(flow.MarkNoTime) || h.Is(flow.MarkNoTime) || p.How == HowLogical {
			continue
		}
		all++
		room := capture.LocalTime(0)
		if p.How == HowRelayed {
			room = relayPatience
		}
		if slices.ContainsFunc(r.Time.windows(moment{m.a.Frame(p.A), f.Time()}), func(w span) bool { return h.Time() >= w.from-room && h.Time() <= w.to+room }) {
			in++
		}
	}
	return all == 0 || in*10 >= all*9
}

// timeBits is what agreement in time tells: how much of the captures' common span the window leaves.
func (r *Relation) timeBits(m *matcher, pairs []Pair) float64 {
	common := float64(min(m.a.Last-m.a.First, m.b.Last-m.b.First))
	left := 0.
	for _, w := range r.Time.windows(moment{m.a.Frame(pairs[0].A), m.a.At(pairs[0].A).Time()}) {
		left += float64(w.to - w.from)
	}
	if left <= 0 || common <= 0 {
		return 0
	}
	return max(0, min(timeMost, math.Log2(common/left)))
}

// reach is how far, in bytes, the captured parts of one TCP stream may lie apart for its numbers to tell that it is one:
// by chance two streams lie so near with a probability of 2^-9, in both directions 2^-18.
const reach = 1 << 22

// twins joins conversations with the same addresses and ports of which two related captures hold different parts: no
// packet is in both, but the sequence numbers lie near each other, or, where TCP is ended in between, both opened at once.
func (r *Result) twins(fo *forest, tk *taken) {
	type tuple struct {
		flow.Tuple
		proto uint8
	}
	for _, key := range r.related() {
		rel := r.Relations[key]
		ended := rel.Terminated*2 > rel.Anchors
		a, b := key[0], key[1]
		lone := func(c, other int) map[tuple][]Conv {
			out := map[tuple][]Conv{}
			for id := range r.Caps[c].Convs {
				cv := Conv{c, flow.ConvID(id)}
				if _, stoodFor := r.both[c][cv.ID]; tk.has(cv, other) || stoodFor || r.Caps[c].Conv(cv.ID).Proto != flow.ProtoTCP {
					continue
				}
				k := tuple{r.Caps[c].Tuple(cv.ID, r.Caps[c].ClientDir(cv.ID)), flow.ProtoTCP}
				out[k] = append(out[k], cv)
			}
			return out
		}
		x, y := lone(a, b), lone(b, a)
		var firsts []tuple
		for k, l := range x {
			if len(l) == 1 && len(y[k]) == 1 {
				firsts = append(firsts, k)
			}
		}
		slices.SortFunc(firsts, func(p, q tuple) int { return cmp.Compare(x[p][0].ID, x[q][0].ID) })
		for _, k := range firsts {
			l, m := x[k], y[k]
			flip := r.Caps[a].ClientDir(l[0].ID) != r.Caps[b].ClientDir(m[0].ID)
			if ended && !flip && rel.together(r, l[0], m[0]) || !ended && r.adjacent(l[0], m[0], flip) {
				r.accept(fo, tk, &Candidate{A: l[0], B: m[0], Flip: flip})
			}
		}
	}
}

// together reports whether two conversations opened at one time by the clocks of both captures: a device that ends TCP
// keeps no number, and the bytes that it passed on may be what a recorder missed.
func (r *Relation) together(res *Result, a, b Conv) bool {
	syn := func(c Conv) (moment, bool) {
		src := res.Caps[c.Capture]
		at := src.Convs[c.ID].SYN
		if at < 0 {
			return moment{}, false
		}
		i := src.Handshakes[at].Fact
		return res.moment(c.Capture, i), !src.At(i).Is(flow.MarkNoTime)
	}
	x, ok := syn(a)
	y, ok2 := syn(b)
	lo, hi, ok3 := r.Time.window(x, 0)
	return ok && ok2 && ok3 && y.t >= lo-relayPatience && y.t <= hi+relayPatience
}

// related lists the pairs of captures that have a relation, ascending.
func (r *Result) related() [][2]int {
	out := make([][2]int, 0, len(r.Relations))
	for k := range r.Relations {
		out = append(out, k)
	}
	slices.SortFunc(out, func(p, q [2]int) int { return cmp.Or(p[0]-q[0], p[1]-q[1]) })
	return out
}

// adjacent reports whether the sequence numbers of two conversations lie near each other in every direction that both
// captures hold, one at least.
func (r *Result) adjacent(a, b Conv, flip bool) bool {
	seq := func(c Conv, d int) (uint32, bool) {
		src := r.Caps[c.Capture]
		for i := range flow.UpTo(src.Span(c.ID)) {
			if f := src.At(i); f.Dir() == d && f.Mark&(flow.MarkError|flow.MarkLater) == 0 && f.Flags()&decode.RST == 0 {
				return f.Seq, true
			}
		}
		return 0, false
	}
	n := 0
	for d := 0; d < 2; d++ {
		e := d
		if flip {
			e = 1 - d
		}
		x, ok := seq(a, d)
		y, ok2 := seq(b, e)
		if !ok || !ok2 {
			continue
		}
		if df := int32(y - x); df > reach || df < -reach {
			return false
		}
		n++
	}
	return n > 0
}

// window bounds the time at B of what is in a place of A, in flow direction d, from the captures' certain pairs.
func (r *Result) window(j *Joint) Window {
	rel := r.Relations[[2]int{j.A, j.B}]
	if rel == nil {
		return nil
	}
	return func(i uint32, d int) (lo, hi capture.LocalTime, ok bool) {
		way := j.Way
		if d == 1 {
			way = -way
		}
		return rel.Time.window(r.moment(j.A, i), way)
	}
}
