package match

import (
	"cmp"
	bits64 "math/bits"
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

// learnFrom is the number of packets per direction that traits are learnt from; a flow that both captures hold only in
// part may need more, so it doubles until some are found.
const learnFrom = 64

// shifts finds what must be added to A's sequence numbers to get B's, and in which directions something tells; 0 where
// nothing does.
func (m *matcher) shifts(a, b *Side) (s [2]uint32, known [2]bool) {
	for d := 0; d < 2; d++ {
		if x, y, both := initial(a, d), initial(b, d), true; both {
			if x >= 0 && y >= 0 {
				s[d], known[d] = uint32(y)-uint32(x), true
			}
		}
	}
	for d := 0; d < 2; d++ {
		if !known[d] {
			s[d], known[d] = m.shiftByPayload(a, b, d)
		}
	}
	return s, known
}

// initial is the initial sequence number of direction d, -1 unseen.
func initial(s *Side, d int) int64 {
	for k, id := range s.Convs {
		in := &s.Cap.Convs[id]
		at := in.SYN
		if d == 1 {
			at = in.SYNACK
		}
		if at >= 0 {
			f := s.Cap.At(s.Cap.Handshakes[at].Fact)
			if f.Dir()^s.Forward[k] == d {
				return int64(f.Seq)
			}
		}
	}
	return -1
}

// shiftSure is the number of segments that must agree in a difference for no more to be asked.
const shiftSure = 8

// shiftByPayload takes the most frequent difference between the sequence numbers of segments with the same bytes.
func (m *matcher) shiftByPayload(a, b *Side, d int) (uint32, bool) {
	for _, n := range []int{learnFrom / 2, 4 * learnFrom} {
		m.bodies[0] = bodies(a, d, n, m.lvl, m.bodies[0][:0])
		m.bodies[1] = bodies(b, d, n, m.lvl, m.bodies[1][:0])
		x, y := m.bodies[0], m.bodies[1]
		if len(x) == 0 || len(y) == 0 {
			break
		}
		count := map[uint32]int{}
		best, at := 0, uint32(0)
		for i, j := 0, 0; i < len(x) && j < len(y); {
			switch {
			case x[i].key < y[j].key:
				i++
			case x[i].key > y[j].key:
				j++
			default:
				// Bytes that a stream repeats agree with each of their kind: all differences count, and none is the likeliest.
				p, q := equalBodies(x[i:]), equalBodies(y[j:])
				for _, f := range x[i : i+min(p, repeats)] {
					for _, h := range y[j : j+min(q, repeats)] {
						df := h.seq - f.seq
						count[df]++
						if n := count[df]; n > best || n == best && df == 0 {
							best, at = n, df
						}
					}
				}
				i, j = i+p, j+q
			}
		}
		if best >= shiftSure && len(count) == 1 || n == 4*learnFrom {
			return at, best > 0
		}
	}
	return 0, false
}

// repeats is how many segments with the same bytes are compared with as many of the other side.
const repeats = 8

// equalBodies is how many segments at the head of a list have the same bytes; there is at least one.
func equalBodies(l []body) int {
	n := 1
	for n < len(l) && l[n].key == l[0].key {
		n++
	}
	return n
}

// body is a data segment by its bytes.
type body struct {
	key uint64
	seq uint32
	n   uint32 // in the order of frames
}

// bodies adds the first n data segments of a direction to an empty list, equal ones together.
func bodies(s *Side, d, n int, lvl level, out []body) []body {
	for k, id := range s.Convs {
		dir := d ^ s.Forward[k]
		for i := range flow.UpTo(s.Cap.Span(id)) {
			f := s.Cap.At(i)
			if len(out) == n {
				break
			}
			if f.Dir() == dir && f.Len() > 0 && f.Mark&(flow.MarkDuplicate|flow.MarkError|flow.MarkLater) == 0 && lvl.of(f) != levelNone {
				out = append(out, body{uint64(f.Len())<<32 | lvl.hash(f), f.Seq, uint32(len(out))})
			}
		}
	}
	slices.SortFunc(out, func(x, y body) int { return cmp.Or(cmp.Compare(x.key, y.key), cmp.Compare(x.n, y.n)) })
	return out
}

// stepLeast is the number of certain packets from which the TTL's step is known.
const stepLeast = 3

// stepVote counts the first few different steps of the TTL.
type stepVote struct {
	step  [4]int8
	n     [4]int
	total int
}

func (v *stepVote) add(step int8) {
	v.total++
	for k := range v.n {
		if v.n[k] == 0 || v.step[k] == step {
			v.step[k] = step
			v.n[k]++
			return
		}
	}
}

// winner is the step that nearly all packets took; a few may be a device's own.
func (v *stepVote) winner() (int8, bool) {
	k := 0
	for i := range v.n {
		if v.n[i] > v.n[k] {
			k = i
		}
	}
	return v.step[k], v.n[k] >= stepLeast && v.n[k]*4 >= v.total*3
}

// learn finds what the stretch keeps, from packets whose loose key is unique on both sides.
func (m *matcher) learn(proto uint8, t *Traits) {
	for n := learnFrom; ; n *= 4 {
		var sameID, ids, sameTS, ts, sameOpt, opts, sameWin, all int
		var steps [2]stepVote
		var longer [2]map[int32]int
		whole := true
		for d := 0; d < 2; d++ {
			x, y := m.la[d][:min(n, len(m.la[d]))], m.lb[d][:min(n, len(m.lb[d]))]
			whole = whole && len(x) == len(m.la[d]) && len(y) == len(m.lb[d])
			for _, g := range m.uniques(x, y, proto, t, d) {
				f, h := m.a.At(g.A), m.b.At(g.B)
				if f.Is(flow.MarkError) || f.Is(flow.MarkLater) {
					continue
				}
				all++
				if m.short != cutNot {
					if longer[d] == nil {
						longer[d] = map[int32]int{}
					}
					longer[d][int32(m.b.FrameLen(g.B)-m.a.FrameLen(g.A))]++
				}
				if proto != flow.ProtoTCP || f.Flags()&(decode.SYN|decode.RST) == 0 {
					steps[d].add(int8(f.TTL - h.TTL))
				}
				if f.IPID != 0 && h.IPID != 0 {
					ids++
					if f.IPID == h.IPID {
						sameID++
					}
				}
				if f.Flags()&decode.SYN != 0 {
					continue // SYN proxies make their own
				}
				if (f.Mark|h.Mark)&flow.MarkOptionsCut != 0 {
					if f.Is(flow.MarkTS) && h.Is(flow.MarkTS) {
						ts++
						if f.TSval == h.TSval {
							sameTS++
						}
					}
				} else if f.Is(flow.MarkTS) && h.Is(flow.MarkTS) {
					ts++
					if f.TSval == h.TSval && f.Opt == h.Opt {
						sameTS++
					}
				} else if f.Opt != 0 || h.Opt != 0 {
					opts++
					if f.Opt == h.Opt {
						sameOpt++
					}
				}
				if f.Window == h.Window && !f.Short() && !h.Short() {
					sameWin++
				}
			}
		}
		t.Pairs, t.IDPairs, t.SameID, t.TSPairs, t.SameTS = all, ids, sameID, ts, sameTS
		for d := range steps {
			t.Step[d], t.HasStep[d] = steps[d].winner()
			t.Longer[d], t.HasLonger[d] = mostFrequent(longer[d])
		}
		t.KeepsID = ids > 0 && kept(sameID, ids)
		t.KeepsTS = ts > 0 && kept(sameTS, ts)
		t.KeepsOpt = kept(sameOpt, opts)
		t.KeepsWin = all > 0 && sameWin*10 >= all*9
		if all >= 4 || whole {
			if all == 0 {
				t.KeepsID = m.sharedIDs(n)
				t.Stamped = proto == flow.ProtoTCP && !t.KeepsID && m.sharedStamps()
				t.KeepsTS = t.KeepsTS || t.Stamped
			}
			return
		}
	}
}

// mostFrequent is the value that nearly all of some packets have.
func mostFrequent(n map[int32]int) (most int32, ok bool) {
	total := 0
	for x, k := range n {
		total += k
		if k > n[most] || k == n[most] && x < most {
			most = x
		}
	}
	return most, n[most] >= stepLeast && n[most]*4 >= total*3
}

// kept reports whether a stretch keeps what is the same in so many of n packets that look alike. Values of 16 bits and more
// don't agree by chance, but of packets that look alike one may be the other's retransmission.
func kept(same, n int) bool {
	return same*10 >= n*9 || same >= 3 && same*4 >= n*3
}

// sharedIDs reports whether two lists of which no packet has the same bytes share most identifications nevertheless: a
// gateway rewrites the payloads. By chance n packets share n²/65536 of them.
func (m *matcher) sharedIDs(n int) bool {
	shared, least, chance := 0, 0, 0.
	for d := 0; d < 2; d++ {
		x, y := m.la[d][:min(n, len(m.la[d]))], m.lb[d][:min(n, len(m.lb[d]))]
		ids := map[uint16]bool{}
		for _, i := range x {
			if f := m.a.At(i); f.IPID != 0 && f.Mark&(flow.MarkError|flow.MarkLater) == 0 {
				ids[f.IPID] = true
			}
		}
		least += min(len(ids), len(y))
		chance += float64(len(ids)) * float64(len(y)) / 65536
		for _, i := range y {
			if f := m.b.At(i); ids[f.IPID] && f.Mark&(flow.MarkError|flow.MarkLater) == 0 {
				shared++
				delete(ids, f.IPID)
			}
		}
	}
	return shared >= 1 && shared*2 >= least || shared >= 3 && float64(shared) > 10*chance
}

// grouped is a packet of either side in a group of equal keys.
type grouped struct {
	key  uint64
	i    uint32
	side uint8
}

func byKeyAndSide(p, q grouped) int {
	return cmp.Or(cmp.Compare(p.key, q.key), cmp.Compare(p.side, q.side))
}

// group sorts the packets x of A and y of B by key into m.groups.
func (m *matcher) group(x, y []uint32, proto uint8, t *Traits, d int, strict bool) {
	m.groups = m.groups[:0]
	for _, i := range x {
		f := m.a.At(i)
		k := m.loose(f, proto, t.Shift[d], t.Shift[1-d])
		if strict {
			k = m.strict(t, k, f)
		}
		m.groups = append(m.groups, grouped{k, i, 0})
	}
	for _, i := range y {
		f := m.b.At(i)
		k := m.loose(f, proto, 0, 0)
		if strict {
			k = m.strict(t, k, f)
		}
		m.groups = append(m.groups, grouped{k, i, 1})
	}
	slices.SortFunc(m.groups, func(p, q grouped) int {
		switch {
		case p.key != q.key:
			if p.key < q.key {
				return -1
			}
			return 1
		case p.side != q.side:
			return int(p.side) - int(q.side)
		case p.i < q.i:
			return -1
		}
		return 1
	})
}

// holder counts the packets of one key on each side.
type holder struct {
	key    uint64
	na, nb uint32
	b      uint32 // one of side B
}

// uniques lists the packets whose loose key is unique on both sides, in the order of A's.
func (m *matcher) uniques(x, y []uint32, proto uint8, t *Traits, d int) []Pair {
	size := 1 << bits64.Len(uint(2*(len(x)+len(y))))
	if cap(m.holders) < size {
		m.holders = make([]holder, size)
	}
	hs := m.holders[:size]
	for k := range hs {
		hs[k] = holder{}
	}
	of := func(key uint64) *holder {
		k := int(key*0x9E3779B97F4A7C15>>32) & (size - 1)
		for hs[k].na+hs[k].nb > 0 && hs[k].key != key {
			k = (k + 1) & (size - 1)
		}
		return &hs[k]
	}
	m.keys = m.keys[:0]
	for _, i := range x {
		key := m.loose(m.a.At(i), proto, t.Shift[d], t.Shift[1-d])
		m.keys = append(m.keys, key)
		h := of(key)
		h.key = key
		h.na++
	}
	for _, i := range y {
		key := m.loose(m.b.At(i), proto, 0, 0)
		h := of(key)
		h.key, h.b = key, i
		h.nb++
	}
	m.pairs = m.pairs[:0]
	for n, i := range x {
		if h := of(m.keys[n]); h.na == 1 && h.nb == 1 {
			m.pairs = append(m.pairs, Pair{i, h.b, HowUnique})
		}
	}
	return m.pairs
}

// unique lists the groups of one packet on each side.
func (m *matcher) unique() []Pair {
	var out []Pair
	g := m.groups
	for i := 0; i < len(g); {
		j := i + 1
		for j < len(g) && g[j].key == g[i].key {
			j++
		}
		if j-i == 2 && g[i].side != g[i+1].side {
			out = append(out, Pair{g[i].i, g[i+1].i, HowUnique})
		}
		i = j
	}
	return out
}
