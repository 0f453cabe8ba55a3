package match

import (
	"cmp"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

// fastAhead is how many packets the in-step pass looks ahead on either side, over lost and reordered ones; what it
// can't bring into step, the grouped passes pair.
const fastAhead = 6

func (m *matcher) between(a, b *Side) {
	m.a, m.b, m.sideA = a.Cap, b.Cap, a
	m.lvl = commonLevel(a.Cap, b.Cap)
	m.optsCut = a.Cap.OptionsCut || b.Cap.OptionsCut
	m.short = max(a.cut(), b.cut())
	m.versions = a.Cap.Tuple(a.Convs[0], 0).Version != b.Cap.Tuple(b.Convs[0], 0).Version
}

// pairPackets pairs the packets of one flow at two points whose sequence numbers differ by constants at most. w is nil
// before the clocks are known: then only what is certain without them is paired. The result is valid until the next
// call.
func (m *matcher) pairPackets(proto uint8, t *Traits, w Window) []Pair {
	m.out, m.moreA, m.moreB = m.out[:0], nil, nil
	m.anyWay = true // see copies
	defer func() { m.anyWay = false }()
	for d := 0; d < 2; d++ {
		m.pairDirection(proto, t, d, w)
	}
	return m.out
}

// pairDirection adds the pairs of one direction to m.out; restA and restB hold what stays alone.
func (m *matcher) pairDirection(proto uint8, t *Traits, d int, w Window) {
	start := len(m.out)
	m.openA, m.openB = m.openA[:0], m.openB[:0]
	m.inStep(proto, t, d)
	m.inGroups(proto, t, d, w, true)
	m.inGroups(proto, t, d, w, false)
	if proto == flow.ProtoTCP && m.short != cutNot {
		return // where payload begins is not known
	}
	if proto == flow.ProtoTCP {
		if m.shifted(t, d) {
			m.rewritten(t, d, w)
		}
		m.stamped(t, d, w, m.out[start:])
		m.resegmented(t, d, w)
	}
	m.fragments(t, d, w)
	m.refragmented(d, w)
	m.rewritten(t, d, w)
	if proto == flow.ProtoUDP && speaksSIP(m.a, m.sideA.Convs[0]) {
		m.transactions(t, d, w)
	}
}

// howEither marks two packets of which it is certain that nothing else is either's counterpart, but not that the other is.
const howEither How = 255

func (m *matcher) pair(a, b uint32, how How) { m.out = append(m.out, Pair{a, b, how}) }

// inStep walks both lists together and pairs packets that name themselves: by an IP identification that the stretch
// keeps. The rest goes to restA and restB.
func (m *matcher) inStep(proto uint8, t *Traits, d int) {
	x, y := m.la[d], m.lb[d]
	m.restA, m.restB = m.restA[:0], m.restB[:0]
	if !t.KeepsID {
		m.restA, m.restB = append(m.restA, x...), append(m.restB, y...)
		return
	}
	i, j := 0, 0
	for i < len(x) && j < len(y) {
		if m.same(x[i], y[j], proto, t, d) {
			m.pair(x[i], y[j], HowIdentity)
			i++
			j++
			continue
		}
		di, dj := m.resync(x[i:], y[j:], proto, t, d)
		m.restA = append(m.restA, x[i:i+di]...)
		m.restB = append(m.restB, y[j:j+dj]...)
		i += di
		j += dj
	}
	m.restA, m.restB = append(m.restA, x[i:]...), append(m.restB, y[j:]...)
}

// resync says how many packets to set aside on each side so that the next ones are the same; one on each side if
// nothing near fits.
func (m *matcher) resync(x, y []uint32, proto uint8, t *Traits, d int) (di, dj int) {
	for k := 1; k <= fastAhead; k++ {
		for l := 0; l <= k; l++ {
			if k < len(x) && l < len(y) && m.same(x[k], y[l], proto, t, d) {
				return k, l
			}
			if l < len(x) && k < len(y) && m.same(x[l], y[k], proto, t, d) {
				return l, k
			}
		}
	}
	return 1, 1
}

// same reports whether two packets name themselves as one.
func (m *matcher) same(a, b uint32, proto uint8, t *Traits, d int) bool {
	f, h := m.a.At(a), m.b.At(b)
	if f.IPID == 0 || f.IPID != h.IPID || f.Len() != h.Len() && m.short == cutNot || f.Mark&(flow.MarkLater|flow.MarkError) != h.Mark&(flow.MarkLater|flow.MarkError) {
		return false
	}
	if (f.Mark|h.Mark)&flow.MarkOptionsCut != 0 {
		if t.otherSending(f, h) {
			return false
		}
	} else if t.KeepsTS && (f.TSval != h.TSval || f.Opt != h.Opt) {
		return false
	}
	if t.KeepsWin && f.Window != h.Window {
		return false
	}
	x, y := m.content(f, proto, t.Shift[d], t.Shift[1-d])
	x2, y2 := m.content(h, proto, 0, 0)
	return x == x2 && y == y2
}

// inGroups pairs what restA and restB hold by equal keys, first narrow ones (all that the stretch keeps), then wide
// ones (what no device changes). Equal packets of one key are told apart by time, once the clocks are known.
func (m *matcher) inGroups(proto uint8, t *Traits, d int, w Window, strict bool) {
	if len(m.restA) == 0 || len(m.restB) == 0 {
		return
	}
	m.group(m.restA, m.restB, proto, t, d, strict)
	m.eachGroup(func(x, y []grouped, take func(a, b uint32, how How)) {
		m.oneGroup(x, y, proto, t, d, w, strict, take)
	})
}

// eachGroup hands on the packets of each key that groups holds, those of A and those of B, and takes out of what is left those that
// are taken.
func (m *matcher) eachGroup(f func(x, y []grouped, take func(a, b uint32, how How))) {
	used := map[uint64]bool{}
	take := func(a, b uint32, how How) {
		switch {
		case how == howEither && m.anyWay: // a probe leaves no marks
		case how == howEither:
			m.a.At(a).Mark |= flow.MarkEither
			m.b.At(b).Mark |= flow.MarkEither
		default:
			m.pair(a, b, how)
		}
		used[uint64(a)] = true
		used[uint64(b)|1<<32] = true
	}
	g := m.groups
	for i := 0; i < len(g); {
		j, split := i+1, i
		for j < len(g) && g[j].key == g[i].key {
			j++
		}
		for split < j && g[split].side == 0 {
			split++
		}
		f(g[i:split], g[split:j], take)
		i = j
	}
	m.restA = drop(m.restA, used, 0)
	m.restB = drop(m.restB, used, 1<<32)
}

func drop(l []uint32, used map[uint64]bool, side uint64) []uint32 {
	if len(used) == 0 {
		return l
	}
	k := 0
	for _, i := range l {
		if !used[uint64(i)|side] {
			l[k] = i
			k++
		}
	}
	return l[:k]
}

// oneGroup pairs the packets of one key.
func (m *matcher) oneGroup(x, y []grouped, proto uint8, t *Traits, d int, w Window, strict bool, take func(a, b uint32, how How)) {
	if len(x) == 0 || len(y) == 0 {
		return
	}
	if !strict && t.KeepsID {
		// Where identifications survive, two packets that both carry one and differ in it are two packets.
		x, y = m.withoutOwnID(x, y)
		if len(x) == 0 || len(y) == 0 {
			return
		}
	}
	if len(x) == 1 && len(y) == 1 {
		how := HowUnique
		if f := m.a.At(x[0].i); strict && t.KeepsID && f.IPID != 0 {
			how = HowIdentity
		}
		if (w == nil || (m.speaks(x[0].i, proto) || t.sameSending(m.a.At(x[0].i), m.b.At(y[0].i))) && m.near(x[0].i, y[0].i, d, w, aloneNS) || m.inWindow(x[0].i, y[0].i, d, w)) && !m.otherWay(x[0].i, y[0].i, t, d) && !t.otherSending(m.a.At(x[0].i), m.b.At(y[0].i)) {
			take(x[0].i, y[0].i, how)
		}
		return
	}
	if w == nil {
		return
	}
	// With one identification, packets are copies of each other; and so are datagrams, segments that would be acknowledged, and those with
	// one timestamp of ends that acknowledge selectively, where more come than were sent: a sender waits before it repeats itself, and
	// what it says to segments that come meanwhile differs in the blocks that it names (RFC 2018 §4, RFC 2883 §4).
	f := m.a.At(x[0].i)
	named, speaks := strict && t.KeepsID && f.IPID != 0, m.speaks(x[0].i, proto) || proto == flow.ProtoTCP && (f.Len() > 0 || f.Flags()&(decode.SYN|decode.FIN) != 0 || strict && t.KeepsTS && f.Is(flow.MarkTS) && m.sideA.selective())
	m.copies = [2]bool{named || speaks && (m.anyWay || !m.fromA), named || speaks && (m.anyWay || m.fromA)}
	if m.speaks(x[0].i, proto) && m.heldUp(x, y, d, w, take) {
		return
	}
	if labels := m.labels(x, y, t, d); labels != nil {
		m.labelled(x, y, labels, d, w, take)
		return
	}
	m.byTime(x, y, d, w, take)
}

// selective reports whether both ends said that they acknowledge selectively.
func (s *Side) selective() bool {
	in := &s.Cap.Convs[s.Convs[0]]
	return in.SYN >= 0 && in.SYNACK >= 0 && s.Cap.Handshakes[in.SYN].SACKPerm && s.Cap.Handshakes[in.SYNACK].SACKPerm
}

// heldUp pairs a datagram and copies of it that all came beyond the window, as one that is alone may: see aloneNS.
func (m *matcher) heldUp(x, y []grouped, d int, w Window, take func(a, b uint32, how How)) bool {
	if min(len(x), len(y)) > 1 || len(x) > 1 && !m.copies[0] || len(y) > 1 && !m.copies[1] {
		return false
	}
	for _, p := range x {
		for _, q := range y {
			if m.inWindow(p.i, q.i, d, w) || !m.near(p.i, q.i, d, w, aloneNS) {
				return false
			}
		}
	}
	for i, p := range x {
		for j, q := range y {
			how := howEither
			if i+j == 0 {
				how = HowOrder // a copy comes after what it is of
			}
			take(p.i, q.i, how)
		}
	}
	return true
}

// label tells packets of one key apart: what a packet of A has when it comes to B, and one of B has.
type label struct {
	ttl    uint8
	tsval  uint32
	length uint32
}

// labels gives the labels of the packets of one key, by side; nil where nothing tells them apart. Of packets with equal content some
// may be a device's own: they have another way behind them. Where the snaplen cut options or headers, keys lack what is in them.
func (m *matcher) labels(x, y []grouped, t *Traits, d int) func(g grouped, side int) label {
	stamped := m.optsCut && t.KeepsTS
	for side, l := range [2][]grouped{x, y} {
		c := [2]*flow.Capture{m.a, m.b}[side]
		stamped = stamped && !slices.ContainsFunc(l, func(g grouped) bool { return !c.At(g.i).Is(flow.MarkTS) })
	}
	if !t.HasStep[d] && !t.HasLonger[d] && !stamped {
		return nil
	}
	return func(g grouped, side int) (l label) {
		c := [2]*flow.Capture{m.a, m.b}[side]
		f := c.At(g.i)
		if t.HasStep[d] {
			if l.ttl = f.TTL; side == 0 {
				l.ttl -= uint8(t.Step[d])
			}
		}
		if t.HasLonger[d] {
			if l.length = c.FrameLen(g.i); side == 0 {
				l.length += uint32(t.Longer[d])
			}
		}
		if stamped {
			l.tsval = f.TSval
		}
		return l
	}
}

// labelled pairs the packets of one key that have the same label.
func (m *matcher) labelled(x, y []grouped, of func(g grouped, side int) label, d int, w Window, take func(a, b uint32, how How)) {
	lists := map[label]*[2][]grouped{}
	var labels []label
	for side, l := range [2][]grouped{x, y} {
		for _, g := range l {
			k := of(g, side)
			if lists[k] == nil {
				lists[k] = new([2][]grouped)
				labels = append(labels, k)
			}
			lists[k][side] = append(lists[k][side], g)
		}
	}
	for _, k := range labels {
		if p := lists[k]; len(p[0]) > 0 && len(p[1]) > 0 {
			m.byTime(p[0], p[1], d, w, take)
		}
	}
}

// otherWay reports whether two packets of which nothing but numbers speaks, neither payload nor identification, come
// from different senders: a device on the way answered in the peer's name.
func (m *matcher) otherWay(a, b uint32, t *Traits, d int) bool {
	f, h := m.a.At(a), m.b.At(b)
	return t.HasStep[d] && f.Len() == 0 && f.IPID == 0 && h.IPID == 0 && f.Is(flow.MarkTCP) && f.Flags()&decode.SYN == 0 && int8(f.TTL-h.TTL) != t.Step[d]
}

// otherSending reports whether two packets differ in what their sender changes from one sending to the next and the stretch
// keeps: its clock (RFC 7323), or what it acknowledges selectively (RFC 2018). One may be the other's retransmission.
func (t *Traits) otherSending(f, h *flow.Fact) bool {
	if f.Is(flow.MarkTS) && h.Is(flow.MarkTS) {
		return t.KeepsTS && f.TSval != h.TSval
	}
	return t.KeepsOpt && (f.Mark|h.Mark)&flow.MarkOptionsCut == 0 && f.Is(flow.MarkTCP) && h.Is(flow.MarkTCP) && f.Opt != h.Opt
}

// sameSending reports whether timestamps show that two segments are one sending: a sender that repeats itself waits for longer
// than its clock's tick (RFC 7323 §5.4, RFC 6298), and what it acknowledges within one differs in more than the time.
func (t *Traits) sameSending(f, h *flow.Fact) bool {
	return t.KeepsTS && f.Is(flow.MarkTS) && h.Is(flow.MarkTS) && f.TSval == h.TSval && (f.Len() > 0 || f.Opt == h.Opt)
}

// withoutOwnID leaves out packets of a group that carry an identification of their own.
func (m *matcher) withoutOwnID(x, y []grouped) (p, q []grouped) {
	for _, g := range x {
		if m.a.At(g.i).IPID == 0 {
			p = append(p, g)
		}
	}
	for _, g := range y {
		if m.b.At(g.i).IPID == 0 {
			q = append(q, g)
		}
	}
	return p, q
}

// aloneNS is how far, ns, beyond the window a packet may have come that no other one of its conversation is like: a queue
// may hold it for longer than its neighbours, but a sender that repeats a datagram waits about as long.
const aloneNS = 500_000_000

// speaks reports whether a packet is a datagram of enough bytes to be no other's.
func (m *matcher) speaks(a uint32, proto uint8) bool {
	f := m.a.At(a)
	return proto != flow.ProtoTCP && f.Len() >= flow.HeadTier && m.lvl.hash(f) != 0
}

func (m *matcher) inWindow(a, b uint32, d int, w Window) bool { return m.near(a, b, d, w, 0) }

// near reports whether two packets can be one by the time, or are at most more ns further apart.
func (m *matcher) near(a, b uint32, d int, w Window, more capture.LocalTime) bool {
	f, h := m.a.At(a), m.b.At(b)
	if f.Is(flow.MarkNoTime) || h.Is(flow.MarkNoTime) {
		return true
	}
	lo, hi, ok := w(a, d)
	return !ok || h.Time() >= lo-more && h.Time() <= hi+more
}

// byTime pairs equal packets in the order of time: an alignment of two ascending lists that pairs as many as the window
// allows and, among those, strays least from the middle of the window. What a packet that stays alone could be as well is
// claimed for neither.
func (m *matcher) byTime(x, y []grouped, d int, w Window, take func(a, b uint32, how How)) {
	const tooMany = 1 << 22       // cells; beyond it only equal counts in order are paired
	either := inTime(m.a, x, nil) // records of a file may stand out of the order of time
	if either = inTime(m.b, y, either); either != nil {
		sure := take
		take = func(a, b uint32, how How) {
			if either[m.a.At(a)] || either[m.b.At(b)] {
				how = howEither
			}
			sure(a, b, how)
		}
	}
	if len(x) == len(y) && m.allInWindow(x, y, d, w) {
		for i := range x {
			take(x[i].i, y[i].i, HowOrder)
		}
		return
	}
	if len(x)*len(y) > tooMany {
		m.byTimeGreedy(x, y, d, w, take)
		return
	}
	m.align(x, y, d, w, take)
}

// inTime sorts equal packets by time. Of records with one time the file's order tells which was first, if it keeps to the
// order of time around them; else their identifications, where they count up; what nothing tells is added to either.
func inTime(c *flow.Capture, l []grouped, either map[*flow.Fact]bool) map[*flow.Fact]bool {
	slices.SortStableFunc(l, func(x, y grouped) int { return cmp.Compare(c.At(x.i).Time(), c.At(y.i).Time()) })
	for i := 0; i < len(l); {
		j, displaced, counts := i+1, false, true
		for first := c.At(l[i].i); j < len(l) && c.At(l[j].i).Time() == first.Time(); j++ {
			f := c.At(l[j].i)
			displaced = displaced || !steady(c, l[j-1].i, l[j].i)
			counts = counts && f.IPID != 0 && first.IPID != 0 && f.IPID != first.IPID && idsNear(f.IPID, first.IPID)
		}
		if run := l[i:j]; displaced && counts {
			slices.SortStableFunc(run, func(x, y grouped) int { return int(int16(c.At(x.i).IPID - c.At(y.i).IPID)) })
		} else if displaced {
			if either == nil {
				either = map[*flow.Fact]bool{}
			}
			for _, g := range run {
				either[c.At(g.i)] = true
			}
		}
		i = j
	}
	return either
}

// idSteps is how many identifications a sender may have given to others between two packets of a burst.
const idSteps = 64

func idsNear(a, b uint16) bool { d := int16(a - b); return d <= idSteps && d >= -idSteps }

// steady reports whether all records of a conversation from one to another of the same time have that time, as far as a look
// tells.
func steady(c *flow.Capture, from, to uint32) bool {
	const look = 256
	f := c.At(from)
	_, end := c.Span(c.ID(from))
	for i := from + 1; i < min(to, from+look, end); i++ {
		if c.At(i).Time() != f.Time() {
			return false
		}
	}
	return true
}

func (m *matcher) allInWindow(x, y []grouped, d int, w Window) bool {
	for i := range x {
		if !m.inWindow(x[i].i, y[i].i, d, w) {
			return false
		}
	}
	return true
}

// byTimeGreedy gives each packet of A the first free packet of B inside its window, where that is the only one.
func (m *matcher) byTimeGreedy(x, y []grouped, d int, w Window, take func(a, b uint32, how How)) {
	j := 0
	for i := range x {
		lo, hi, ok := w(x[i].i, d)
		if !ok {
			return
		}
		for j < len(y) && m.b.At(y[j].i).Time() < lo {
			j++
		}
		if j == len(y) {
			return
		}
		if m.b.At(y[j].i).Time() > hi {
			continue
		}
		take(x[i].i, y[j].i, HowOrder)
		j++
	}
}

// align finds the cheapest alignment: pairs cost their distance from the middle of the window, a packet left alone
// costs the window's half width, so that a pair inside the window beats two lone ones.
func (m *matcher) align(x, y []grouped, d int, w Window, take func(a, b uint32, how How)) {
	n, k := len(x), len(y)
	cost := make([]int64, (n+1)*(k+1))
	const never = int64(1) << 61
	pairCost := func(i, j int) (c, alone int64) {
		h := m.b.At(y[j].i)
		lo, hi, ok := w(x[i].i, d)
		if !ok {
			return never, 1
		}
		half := int64(hi-lo)/2 + 1
		if h.Time() < lo || h.Time() > hi {
			return never, half
		}
		return abs(int64(h.Time()) - int64(lo+(hi-lo)/2)), half
	}
	_, alone := pairCost(0, 0)
	at := func(i, j int) *int64 { return &cost[i*(k+1)+j] }
	for i := 1; i <= n; i++ {
		*at(i, 0) = int64(i) * alone
	}
	for j := 1; j <= k; j++ {
		*at(0, j) = int64(j) * alone
	}
	for i := 1; i <= n; i++ {
		for j := 1; j <= k; j++ {
			best := min(*at(i-1, j), *at(i, j-1)) + alone
			if c, _ := pairCost(i-1, j-1); c != never {
				best = min(best, *at(i-1, j-1)+c)
			}
			*at(i, j) = best
		}
	}
	var pairs [][2]int
	pairedX, pairedY := make([]bool, n), make([]bool, k)
	for i, j := n, k; i > 0 && j > 0; {
		c, _ := pairCost(i-1, j-1)
		switch {
		case c != never && *at(i, j) == *at(i-1, j-1)+c:
			i--
			j--
			pairs = append(pairs, [2]int{i, j})
			pairedX[i], pairedY[j] = true, true
		case *at(i, j) == *at(i-1, j)+alone:
			i--
		default:
			j--
		}
	}
	// What stays alone may be either of two, if it is no copy; and as one it is no other packet's counterpart.
	within := func(i, j int) bool {
		c, _ := pairCost(i, j)
		return c != never
	}
	// A copy comes after what it is of.
	for at, n := range [2]int{n, k} {
		if !m.copies[at] {
			continue
		}
		paired, from := [2][]bool{pairedX, pairedY}[at], 0
		for q := len(pairs) - 1; q >= 0; q-- {
			p := &pairs[q]
			for e := from; e < min(p[at], n); e++ {
				if o := *p; !paired[e] {
					if o[at] = e; within(o[0], o[1]) {
						paired[p[at]], paired[e] = false, true
						*p = o
						break
					}
				}
			}
			from = p[at] + 1
		}
	}
	for _, p := range pairs {
		how := HowOrder
		for i := range x {
			if !pairedX[i] && within(i, p[1]) {
				if !m.copies[0] {
					how = howEither
				}
				take(x[i].i, y[p[1]].i, howEither)
			}
		}
		for j := range y {
			if !pairedY[j] && within(p[0], j) {
				if !m.copies[1] {
					how = howEither
				}
				take(x[p[0]].i, y[j].i, howEither)
			}
		}
		take(x[p[0]].i, y[p[1]].i, how)
	}
}

func abs(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}
