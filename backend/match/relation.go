package match

import (
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

// Relation is what all certain conversations of two captures say together.
type Relation struct {
	A, B       int
	Anchors    int // conversations joined beyond doubt
	Time       Timeline
	traits     Traits // summed over the anchors
	Terminated int    // anchors whose TCP ends in between
	// addr votes for the side that an address lies on: >0 beyond A, <0 beyond B; nets does so for networks.
	addr, nets ballot
	level      bool // nothing says which capture packets pass first
}

type addrOf struct {
	version uint8
	addr    decode.Addr
}

// A probe looks at probeLimit packets at either end of a flow's list. Where flows are so many that few samples of each are kept, it looks
// at probePerSample for each of those first, at probeLeast at least, and is content where they yield probeEnough pairs and show no device
// that opens connections: so few may seem to (ports used again, of which a recorder missed the begin).
const (
	probeLimit     = 256
	probePerSample = 4
	probeLeast     = 8
	probeEnough    = 16
)

// glance is probe of as few packets as tell what so many samples need.
func (m *matcher) glance(a, b *Side, proto uint8, j *Joint, samples int) (pairs []Pair, ok bool) {
	if m.limit = max(probePerSample*samples, probeLeast); m.limit < probeLimit {
		before := *j
		if pairs, ok = m.probe(a, b, proto, j); !m.more || len(pairs) >= probeEnough && !j.Terminated && !j.SynProxied {
			m.limit = 0
			return pairs, ok
		}
		*j = before
	}
	m.limit = 0
	return m.probe(a, b, proto, j)
}

// probe pairs a few certain packets of a flow at two captures and learns from them: sequence shifts, what the stretch
// keeps, whether TCP ends in between, which way packets travel. ok is false where nothing certain was found.
func (m *matcher) probe(a, b *Side, proto uint8, j *Joint) (pairs []Pair, ok bool) {
	m.loadEnds(a, b)
	t := &j.Traits
	apart := false // the numbers differ in both directions, as far as they are known, and in one for certain
	if proto == flow.ProtoTCP {
		s, known := m.shifts(a, b)
		t.Shift = s
		apart = s[0] != 0 && s[1] != 0
		for d := range s {
			// By payload alone a shift is not certain: bytes that repeat agree in many places.
			if s[d] != 0 && !known[1-d] && initial(a, d) >= 0 && initial(b, d) >= 0 {
				apart = true
			}
		}
	}
	m.learn(proto, t)
	if apart && !t.inPath(m) {
		j.Terminated = true
		pairs = relayed(a, b, nil)
		pairs = firstTransmissions(pairs)
	} else {
		j.SynProxied = proto == flow.ProtoTCP && synProxied(a, b, t)
		if j.SynProxied {
			m.dropHandshake()
			m.learn(proto, t) // of short conversations the handshakes are most
		}
		pairs = m.pairPackets(proto, t, nil)
		if len(pairs) == 0 && j.SynProxied {
			// One capture ends with the handshake: the SYN's number is the initiator's on both sides.
			pairs = opening(a, b, nil)
		}
		if len(pairs) == 0 && proto == flow.ProtoTCP && t.Pairs == 0 && !t.KeepsID && a.kept() && b.kept() {
			// Without any handshake the numbers say nothing; the bytes may.
			if pairs = firstTransmissions(relayedData(a, b)); len(pairs) > 0 {
				j.Terminated = true
			}
		}
	}
	m.direct(j, pairs)
	return pairs, len(pairs) > 0
}

// kept reports whether any payload bytes of a side are at hand.
func (s *Side) kept() bool {
	for _, id := range s.Convs {
		for d := range s.Cap.Convs[id].Data {
			if h := &s.Cap.Convs[id].Data[d]; h.Seen {
				if _, ok := s.Cap.Payload(h.Fact); ok {
					return true
				}
			}
		}
	}
	return false
}

// loadEnds fills the packet lists with the first and the last packets of each side.
func (m *matcher) loadEnds(a, b *Side) {
	m.between(a, b)
	limit := m.limit
	if limit == 0 {
		limit = probeLimit
	}
	a.ends(limit, &m.la)
	b.ends(limit, &m.lb)
	m.more = false
	for d := range m.la {
		m.more = m.more || len(m.la[d]) == 2*limit || len(m.lb[d]) == 2*limit
	}
}

// ends is what packets lists of both directions, or as many as limit of the first and of the last packets of each.
func (s *Side) ends(limit int, into *[2][]uint32) {
	for d := range into {
		into[d] = into[d][:0]
	}
	if len(s.Convs) > 1 {
		for d := range into {
			if l := s.packets(d, into[d]); len(l) > 2*limit {
				into[d] = append(l[:limit], l[len(l)-limit:]...)
			} else {
				into[d] = l
			}
		}
		return
	}
	from, to := s.Cap.Span(s.Convs[0])
	open := 0       // directions of which more are wanted
	var most [2]int // packets of either
	for d := range into {
		if s.Cap.Convs[s.Convs[0]].Packets[d^s.Forward[0]] > 0 {
			most[d] = limit
			open++
		}
	}
	least, behind := to, [2]uint32{to, to} // where the last ones may begin: behind the first ones
	for ; from < to && open > 0; from++ {
		f := s.Cap.At(from)
		if d := f.Dir() ^ s.Forward[0]; len(into[d]) < most[d] && f.Mark&flow.MarkDuplicate == 0 {
			if into[d] = append(into[d], from); len(into[d]) == limit {
				behind[d] = from + 1
				least = min(least, behind[d])
				open--
			}
		}
	}
	open = 0
	for d := range most {
		if most[d] = 0; behind[d] < to {
			most[d] = 2 * limit
			open++
		}
	}
	for i := to; i > least && open > 0; i-- {
		f := s.Cap.At(i - 1)
		if d := f.Dir() ^ s.Forward[0]; i > behind[d] && len(into[d]) < most[d] && f.Mark&flow.MarkDuplicate == 0 {
			if into[d] = append(into[d], i-1); len(into[d]) == most[d] {
				open--
			}
		}
	}
	for d := range into {
		if most[d] > 0 {
			slices.Reverse(into[d][limit:])
		}
	}
}

// inPath reports whether two connections with different sequence numbers are still one: a device that merely rewrites
// numbers keeps what it has no reason to touch.
func (t *Traits) inPath(m *matcher) bool {
	switch {
	case t.IDPairs > 0:
		return t.KeepsID
	case t.Stamped:
		return true
	case t.Pairs == 0:
		return false
	case t.TSPairs > 0:
		return t.KeepsTS // who rewrites numbers leaves the clocks of both ends
	}
	n := min(len(m.la[0])+len(m.la[1]), len(m.lb[0])+len(m.lb[1]))
	return t.KeepsWin && t.Pairs*10 >= n*8
}

// firstTransmissions keeps of several pairs of one frame the first on both sides: retransmissions tell no delay.
func firstTransmissions(ps []Pair) []Pair {
	usedA, usedB := map[uint32]bool{}, map[uint32]bool{}
	var out []Pair
	for _, p := range ps {
		if !usedA[p.A] && !usedB[p.B] {
			usedA[p.A], usedB[p.B] = true, true
			out = append(out, p)
		}
	}
	return out
}

// direct fills Way and TTL of a joint from certain pairs: TTLs count down along the way; where no router lies between,
// the sum of the time differences of both directions has the sign of the order, whatever the clocks' offset.
func (m *matcher) direct(j *Joint, pairs []Pair) {
	var ttl [2]steps
	dt := &m.dt
	dt[0], dt[1] = dt[0][:0], dt[1][:0]
	for _, p := range pairs {
		f, h := m.a.At(p.A), m.b.At(p.B)
		d, known := m.probed(j, p.A)
		if !known {
			continue
		}
		if !f.Is(flow.MarkNoTime) && !h.Is(flow.MarkNoTime) && Causal(p, f, d) {
			dt[d] = append(dt[d], int64(h.Time()-f.Time()))
		}
		if !j.Terminated {
			ttl[d].add(int(f.TTL) - int(h.TTL))
		}
	}
	vote := 0
	for d := range ttl {
		if ttl[d].n > 0 {
			j.TTL[d], j.HasTTL[d] = ttl[d].most(), true
			sign := 1 - 2*d
			if j.TTL[d] > 0 {
				vote += sign
			} else if j.TTL[d] < 0 {
				vote -= sign
			}
		}
	}
	if vote == 0 && len(dt[0]) > 0 && len(dt[1]) > 0 {
		if s := median(dt[0]) - median(dt[1]); s > 0 {
			vote = 1
		} else if s < 0 {
			vote = -1
		}
	}
	switch {
	case vote > 0:
		j.Way = 1
	case vote < 0:
		j.Way = -1
	}
}

// Causal reports whether a pair's later frame exists because of the earlier one. A device that ends TCP may answer a SYN
// before it asks the server, and may close both sides at once. d is the flow's direction that p travels in, f its frame
// at either point.
func Causal(p Pair, f *flow.Fact, d int) bool {
	return p.How != HowLogical || d == 0 && f.Flags()&(decode.SYN|decode.ACK) == decode.SYN
}

// probed is the direction of a pair's packet in place i of A; known is false for one outside of the probed packets.
func (m *matcher) probed(j *Joint, i uint32) (d int, known bool) {
	d = m.sideA.Dir(i)
	return d, !j.Terminated && !j.SynProxied || slices.Contains(m.la[d], i)
}

// steps counts by how much a TTL changes.
type steps struct {
	by     [511]uint32
	n      int
	lo, hi int // of those that occur
}

func (s *steps) add(by int) {
	k := by + 255
	s.by[k]++
	if s.n == 0 {
		s.lo, s.hi = k, k
	}
	s.lo, s.hi = min(s.lo, k), max(s.hi, k)
	s.n++
}

// most is the most frequent step, of equally frequent ones the least.
func (s *steps) most() int {
	at := s.lo
	for k := s.lo; k <= s.hi; k++ {
		if s.by[k] > s.by[at] {
			at = k
		}
	}
	return at - 255
}

func median(v []int64) int64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// samplesMost and samplesLeast bound the number of certain pairs of one flow that the timeline keeps: ends of long flows
// and whatever lies evenly between. With many flows few of each tell enough.
const (
	samplesMost  = 64
	samplesLeast = 2
	samplesAll   = 1 << 15 // of all flows, about
)

// timeSamples are what a probe's pairs say of the clocks.
func (m *matcher) timeSamples(j *Joint, pairs []Pair, most int) []sample {
	out := make([]sample, 0, min(len(pairs), most))
	step := len(pairs)/most + 1
	for k := 0; k < len(pairs); k += step {
		p := pairs[k]
		x, y := m.a.At(p.A), m.b.At(p.B)
		d, known := m.probed(j, p.A)
		if x.Is(flow.MarkNoTime) || y.Is(flow.MarkNoTime) || !known || !Causal(p, x, d) {
			continue
		}
		way := j.Way
		if d == 1 {
			way = -way
		}
		out = append(out, sample{m.a.Frame(p.A), way, x.Time(), y.Time() - x.Time()})
	}
	return out
}

// note adds a probed flow to the relation.
func (r *Relation) note(p *probed) {
	j := p.joint
	r.Anchors++
	r.Time.add(p.samples...)
	if j.Terminated {
		r.Terminated++
	}
	t := &j.Traits
	r.traits.Pairs += t.Pairs
	r.traits.IDPairs += t.IDPairs
	r.traits.SameID += t.SameID
	r.traits.TSPairs += t.TSPairs
	r.traits.SameTS += t.SameTS
}

// ballot votes for the side that addresses lie on: see Relation.addr.
type ballot map[addrOf]int

// vote notes which side the ends of a flow of A and B lie on: the initiator's beyond A where its packets pass A first.
func (l ballot) vote(f *Flow, a, b, way int) {
	x, y := f.Tuple(a), f.Tuple(b)
	l.end(addrOf{x.Version, x.Src}, addrOf{y.Version, y.Src}, way)
	l.end(addrOf{x.Version, x.Dst}, addrOf{y.Version, y.Dst}, -way)
}

// end counts a vote for an end's address at A and at B.
func (l ballot) end(a, b addrOf, way int) {
	if a == b {
		l[a] += 2 * way
		return
	}
	l[a] += way
	l[b] += way
}

// vote is ballot.vote of the relation's own.
func (r *Relation) vote(f *Flow, way int) { r.addr.vote(f, r.A, r.B, way) }

// settle ends a round of votes and samples: it adds up the votes of each network's addresses, and puts samples into the order of frames.
func (r *Relation) settle() {
	parallel(1+len(r.Time.samples), func(k int) {
		if k > 0 {
			r.Time.sort(k - 1)
			return
		}
		r.nets = ballot{}
		for a, n := range r.addr {
			r.nets[network(a.version, a.addr)] += n
		}
	})
}

// guessWay tells which way a flow runs from what is known of its addresses; 0 if nothing is.
func (r *Relation) guessWay(f *Flow) int8 {
	a, b := f.Tuple(r.A), f.Tuple(r.B)
	v := 0
	for _, t := range []flow.Tuple{a, b} {
		v += r.side(t.Version, t.Src) - r.side(t.Version, t.Dst)
	}
	return int8(sign(v))
}

// Sides tells where a tuple's ends lie: +1 beyond A, -1 beyond B, 0 not known. An address that no joined flow has is
// judged by its network (/24, /64).
func (r *Relation) Sides(t flow.Tuple) (src, dst int) {
	return r.side(t.Version, t.Src), r.side(t.Version, t.Dst)
}

func (r *Relation) side(version uint8, a decode.Addr) int {
	if s := sign(r.addr[addrOf{version, a}]); s != 0 {
		return s
	}
	return sign(r.nets[network(version, a)])
}

// network is an address's /24 or /64.
func network(version uint8, a decode.Addr) addrOf {
	if version == 4 {
		a[15] = 0
	} else {
		clear := a[8:]
		for i := range clear {
			clear[i] = 0
		}
	}
	return addrOf{version, a}
}

func sign(v int) int {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}
