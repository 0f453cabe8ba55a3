package match

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/message"
)

// segment is a data segment by its place in the stream.
type segment struct {
	off  int64 // from an arbitrary origin, the same on both sides
	n    int64 // bytes
	i    uint32
	used bool
	full bool  // counterparts of all its bytes are known
	held int64 // bytes that shares hold, see likelier
	open bool  // a counterpart of some of its bytes is known
	// Of a fragment: where its whole segment begins, and how long that is; of others the same as off and n.
	from, size int64
	id         uint16
}

// resegmented pairs segments that carry the same bytes in other portions (segmentation and receive offload, GSO, GRO):
// one to many, by overlap. Where identifications survive, their arithmetic must fit too: a device that splits a large
// segment counts them up from its own (Linux GSO, NIC TSO), so a retransmission is not taken for its original.
func (m *matcher) resegmented(t *Traits, d int, w Window) {
	restA, restB := withOpen(m.a, m.restA, m.moreA), withOpen(m.b, m.restB, m.moreB)
	if len(restA) == 0 || len(restB) == 0 {
		return
	}
	var la, lb map[uint32][]uint32
	if whole(m.a, restA) != whole(m.b, restB) {
		la, lb = laterFragments(m.a, restA), laterFragments(m.b, restB)
	}
	sa := segments(m.a, restA, t.Shift[d], nil, la)
	sb := segments(m.b, restB, 0, sa, lb)
	if len(sa) == 0 || len(sb) == 0 {
		return
	}
	markOpen(sa, m.moreA)
	markOpen(sb, m.moreB)
	byOff := func(p, q segment) int {
		if p.off != q.off {
			return int(max(min(p.off-q.off, 1), -1))
		}
		return int(p.i) - int(q.i)
	}
	slices.SortFunc(sa, byOff)
	slices.SortFunc(sb, byOff)
	longest := int64(0)
	for _, s := range sa {
		longest = max(longest, s.n)
	}
	used, found := map[uint64]bool{}, map[uint64]int64{}
	for _, exact := range []bool{true, false} {
		from := 0
		var shares []share
		for j := range sb {
			b := &sb[j]
			for from < len(sa) && sa[from].off+longest <= b.off {
				from++
			}
			shares = m.overlapping(shares, sa[from:], b, t, d, w, exact)
		}
		for _, s := range likelier(shares) {
			m.pair(s.a.i, s.b.i, HowResegment)
			x, y := uint64(s.a.i), uint64(s.b.i)|1<<32
			used[x], used[y] = true, true
			found[x] += s.bytes()
			found[y] += s.bytes()
		}
		if !t.KeepsID || w == nil {
			break
		}
		for k := range sa {
			x := uint64(sa[k].i)
			sa[k].used, sa[k].full = used[x], found[x] >= sa[k].n
		}
		for k := range sb {
			y := uint64(sb[k].i) | 1<<32
			sb[k].used, sb[k].full = used[y], found[y] >= sb[k].n
		}
	}
	for _, s := range sa {
		if n, ok := found[uint64(s.i)]; ok && n < s.n && !s.open {
			m.openA = append(m.openA, s.i)
		}
	}
	for _, s := range sb {
		if n, ok := found[uint64(s.i)|1<<32]; ok && n < s.n && !s.open {
			m.openB = append(m.openB, s.i)
		}
	}
	m.restA, m.restB = drop(m.restA, used, 0), drop(m.restB, used, 1<<32)
}

// withOpen adds the segments that are known in part to what is left, in file order.
func withOpen(c *flow.Capture, l, open []uint32) []uint32 {
	if len(open) == 0 {
		return l
	}
	out := slices.Concat(l, open)
	slices.SortFunc(out, func(x, y uint32) int { return cmp.Compare(c.Frame(x), c.Frame(y)) })
	return out
}

func markOpen(l []segment, open []uint32) {
	if len(open) == 0 {
		return
	}
	set := make(map[uint32]bool, len(open))
	for _, i := range open {
		set[i] = true
	}
	for k := range l {
		l[k].open = set[l[k].i]
	}
}

// segments places the data segments of a list in the stream. The sequence numbers are unwrapped along the list; like
// gives the other side's list, whose origin is taken over. later lists the fragments behind each first one; nil leaves
// segments in fragments out.
func segments(c *flow.Capture, l []uint32, shift uint32, like []segment, later map[uint32][]uint32) []segment {
	var out []segment
	var off int64
	var prev uint32
	for _, i := range l {
		f := c.At(i)
		if f.Len() == 0 || f.Mark&(flow.MarkLater|flow.MarkError) != 0 || f.Is(flow.MarkFragment) && later == nil {
			continue
		}
		seq := f.Seq + shift
		switch {
		case len(out) > 0:
			off += int64(int32(seq - prev))
		case len(like) > 0:
			off = like[0].off + int64(int32(seq-uint32(like[0].off)))
		default:
			off = int64(seq)
		}
		prev = seq
		// The nearest of the later fragments begins where the first one's bytes end.
		begin, end := ^uint32(0), uint32(0)
		for _, q := range later[i] {
			begin, end = min(begin, c.At(q).Ack), max(end, c.At(q).Ack+c.At(q).Len())
		}
		size := int64(f.Len()) + int64(max(begin, end)-begin)
		out = append(out, segment{off: off, n: int64(f.Len()), i: i, from: off, size: size, id: f.IPID})
		for _, q := range later[i] {
			g := c.At(q)
			out = append(out, segment{off: off + int64(f.Len()) + int64(g.Ack-begin), n: int64(g.Len()), i: q, from: off, size: size, id: f.IPID})
		}
	}
	return out
}

// whole reports that none of a list is a fragment.
func whole(c *flow.Capture, l []uint32) bool {
	return !slices.ContainsFunc(l, func(i uint32) bool { return c.At(i).Is(flow.MarkFragment) })
}

// overlapping pairs b with the segments of A that it shares bytes with. Exact: identifications count up by one each
// segment of equal size. Otherwise what is still alone may belong to a large segment that was joined from pieces of
// unequal size, if it is in time.
func (m *matcher) overlapping(out []share, sa []segment, b *segment, t *Traits, d int, w Window, exact bool) []share {
	h := m.b.At(b.i)
	for k := range sa {
		a := &sa[k]
		if a.off >= b.off+b.n {
			break
		}
		if a.off+a.n <= b.off || a.open && b.open { // two that are known in part are related by what lies between
			continue
		}
		f := m.a.At(a.i)
		if t.KeepsID && a.id != 0 && b.id != 0 {
			if exact && !fitsID(a.id, b.id, b.from-a.from, a.size, b.size) {
				continue
			}
			if !exact && (a.used && b.used || (b.full || !holds(a, b)) && (a.full || !holds(b, a)) || !followsID(a.id, b.id, b.from-a.from) || !m.inWindow(a.i, b.i, d, w)) {
				continue
			}
		} else if !exact || w == nil || !m.inWindow(a.i, b.i, d, w) && !(t.sameSending(f, h) && m.near(a.i, b.i, d, w, aloneNS)) {
			continue
		}
		if a.n == b.n && a.off == b.off && (f.Full != h.Full && m.lvl.of(f) == levelFull || t.otherSending(f, h)) {
			continue // other bytes in the same place, or sent once more
		}
		if m.differs(a, b) || f.Is(flow.MarkTS) && h.Is(flow.MarkTS) && t.otherSending(f, h) {
			continue // what splits a segment copies its timestamps, and what joins some asks for the same ones
		}
		out = append(out, share{a, b})
	}
	return out
}

// share is what a segment of A and one of B have in common.
type share struct{ a, b *segment }

func (s share) from() int64  { return max(s.a.off, s.b.off) }
func (s share) to() int64    { return min(s.a.off+s.a.n, s.b.off+s.b.n) }
func (s share) bytes() int64 { return s.to() - s.from() }

// likelier leaves out shares in bytes that another segment, sent once more, has too and of which more is found at the other
// side: identifications fit by chance now and then.
func likelier(l []share) []share {
	for _, s := range l {
		s.a.held, s.b.held = 0, 0
	}
	for _, s := range l {
		s.a.held += s.bytes()
		s.b.held += s.bytes()
	}
	if !slices.ContainsFunc(l, func(s share) bool { return s.a.held > s.a.n || s.b.held > s.b.n }) {
		return l
	}
	// less reports whether x is found to a smaller part than y.
	less := func(x, y *segment) bool { return x != y && x.held*y.n < y.held*x.n }
	worse := map[int]bool{}
	for _, side := range []func(share) (of, other *segment){
		func(s share) (*segment, *segment) { return s.b, s.a },
		func(s share) (*segment, *segment) { return s.a, s.b },
	} {
		by := map[*segment][]int{}
		for k, s := range l {
			of, _ := side(s)
			by[of] = append(by[of], k)
		}
		for _, ks := range by {
			for n, i := range ks[:min(len(ks), sharesMost)] {
				for _, j := range ks[n+1 : min(len(ks), sharesMost)] {
					if l[i].from() >= l[j].to() || l[j].from() >= l[i].to() {
						continue
					}
					_, x := side(l[i])
					_, y := side(l[j])
					worse[i] = worse[i] || less(x, y)
					worse[j] = worse[j] || less(y, x)
				}
			}
		}
	}
	if len(worse) == 0 {
		return l
	}
	var out []share
	for k, s := range l {
		if !worse[k] {
			out = append(out, s)
		}
	}
	return out
}

// sharesMost bounds the shares of one segment that are compared.
const sharesMost = 256

// holds reports whether a whole segment lies inside of another.
func holds(a, b *segment) bool { return a.from <= b.from && b.from+b.size <= a.from+a.size }

// differs reports whether the bytes that two segments share by their place in the stream are known to differ: then an
// application gateway shifted the stream, and the place says nothing.
func (m *matcher) differs(a, b *segment) bool {
	x, ok := m.a.Payload(a.i)
	y, ok2 := m.b.Payload(b.i)
	if !ok || !ok2 {
		return false
	}
	lo := max(a.off, b.off)
	if lo-a.off >= int64(len(x)) || lo-b.off >= int64(len(y)) {
		return false
	}
	x, y = x[lo-a.off:], y[lo-b.off:]
	n := min(len(x), len(y), int(min(a.off+a.n, b.off+b.n)-lo))
	return !alike(x[:n], y[:n], before(m.a))
}

// alike reports whether two stretches of payload are the same. Of fingerprints the first ones tell of what lies before, which
// may differ.
func alike(x, y []byte, back int) bool {
	return bytes.Equal(x, y) || len(x) > back && bytes.Equal(x[back:], y[back:])
}

// fitsID reports whether two segments that lie k bytes apart (b after a) can be parts of one original by their
// identifications: they count up by one each segment of equal size, or stay the same.
func fitsID(a, b uint16, k, an, bn int64) bool {
	if k < 0 {
		a, b, k, an, bn = b, a, -k, bn, an
	}
	steps := int64(b - a)
	if steps == 0 {
		return k < an
	}
	if k <= 0 || steps <= 0 || steps > 64 || k%steps != 0 {
		return false
	}
	// The later one is a piece, or was joined of some: of what is too small for pieces it can only be one.
	piece := k / steps
	return piece <= an && (bn <= piece || piece >= leastMSS)
}

// leastMSS is the segment size that is taken for granted without an option (RFC 9293 §3.7.1).
const leastMSS = 536

// followsID reports whether the identification of the segment that begins later is a few steps further.
func followsID(a, b uint16, k int64) bool {
	if k < 0 {
		a, b, k = b, a, -k
	}
	steps := int64(b - a)
	return steps > 0 && steps <= 64 && k >= steps
}

// fragments pairs datagrams that are whole on one side with their fragments on the other (RFC 791 §3.2, RFC 8200
// §4.5): by identification, or, where a whole IPv6 datagram has none, by the first fragment's bytes.
func (m *matcher) fragments(t *Traits, d int, w Window) {
	used := map[uint64]bool{}
	m.fragmentsOf(t, m.a, m.b, m.restA, m.restB, func(whole, part uint32) bool { return w == nil || m.inWindow(whole, part, d, w) }, func(whole, part uint32) {
		m.pair(whole, part, HowResegment)
		used[uint64(whole)], used[uint64(part)|1<<32] = true, true
	})
	m.fragmentsOf(t, m.b, m.a, m.restB, m.restA, func(whole, part uint32) bool { return w == nil || m.inWindow(part, whole, d, w) }, func(whole, part uint32) {
		m.pair(part, whole, HowResegment)
		used[uint64(part)], used[uint64(whole)|1<<32] = true, true
	})
	m.restA, m.restB = drop(m.restA, used, 0), drop(m.restB, used, 1<<32)
}

// fragmentSpan is how long the fragments of one datagram may trail its first one; reassembly gives up after 60 s
// (RFC 8200 §4.5), senders send them back to back.
const fragmentSpan = 2e9

// fragmentsOf finds the one whole datagram of wc, among those that may be it in time, that a first fragment of pc is of, and
// with it the fragments that follow.
func (m *matcher) fragmentsOf(t *Traits, wc, pc *flow.Capture, wholes, parts []uint32, inTime func(whole, part uint32) bool, found func(whole, part uint32)) {
	if whole(pc, parts) {
		return
	}
	later := laterFragments(pc, parts)
	for _, p := range parts {
		first := pc.At(p)
		if !first.Is(flow.MarkFragment) {
			continue
		}
		at, n := uint32(0), 0
		for _, i := range wholes {
			f := wc.At(i)
			if f.Mark&(flow.MarkFragment|flow.MarkLater|flow.MarkError) != 0 || f.Len() <= first.Len() || !inTime(i, p) {
				continue
			}
			if f.IPID != 0 && f.IPID != first.IPID || f.Is(flow.MarkHead) && first.Is(flow.MarkHead) && first.Len() >= flow.HeadTier && f.Head != first.Head || t.otherSending(f, first) {
				continue
			}
			at = i
			n++
		}
		if n != 1 {
			continue
		}
		found(at, p)
		for _, q := range later[p] {
			if inTime(at, q) {
				found(at, q)
			}
		}
	}
}

// nearFirsts is how many first fragments of the same identification are looked at on either side of a later one in the file.
const nearFirsts = 4

// laterFragments lists the later fragments behind each first one: of the same identification, which hosts use again, each
// goes with the first that is nearest in time.
func laterFragments(c *flow.Capture, parts []uint32) map[uint32][]uint32 {
	firsts := map[uint16][]uint32{}
	for _, p := range parts {
		if f := c.At(p); f.Is(flow.MarkFragment) {
			firsts[f.IPID] = append(firsts[f.IPID], p)
		}
	}
	out := map[uint32][]uint32{}
	for _, q := range parts {
		g := c.At(q)
		if !g.Is(flow.MarkLater) {
			continue
		}
		best, by := uint32(0), int64(fragmentSpan)
		same := firsts[uint16(g.Seq)]
		at, _ := slices.BinarySearch(same, q)
		for _, p := range same[max(0, at-nearFirsts):min(len(same), at+nearFirsts)] {
			if d := abs(int64(g.Time() - c.At(p).Time())); d < by {
				best, by = p, d
			}
		}
		if by < fragmentSpan {
			out[best] = append(out[best], q)
		}
	}
	return out
}

// piece is a fragment by its place in the datagram.
type piece struct {
	id      uint16
	lo, end int64
	i       uint32
}

// pieces lists the fragments of a list. What lies before a later fragment's bytes is the upper layer's header too.
func pieces(c *flow.Capture, l []uint32) (out []piece) {
	for _, i := range l {
		f := c.At(i)
		switch {
		case f.Is(flow.MarkLater):
			out = append(out, piece{uint16(f.Seq), int64(f.Ack), int64(f.Ack) + int64(f.Len()), i})
		case f.Is(flow.MarkFragment):
			header := int64(8)
			if f.Is(flow.MarkTCP) {
				header = 20
			}
			out = append(out, piece{f.IPID, 0, int64(f.Len()) + header, i})
		}
	}
	return out
}

// refragmented pairs fragments that were cut anew on the way, or put together from smaller ones, by the bytes of one
// datagram that they share.
func (m *matcher) refragmented(d int, w Window) {
	x, y := pieces(m.a, m.restA), pieces(m.b, m.restB)
	if len(x) == 0 || len(y) == 0 {
		return
	}
	byID := map[uint16][]piece{}
	for _, p := range y {
		byID[p.id] = append(byID[p.id], p)
	}
	used := map[uint64]bool{}
	for _, p := range x {
		for _, q := range byID[p.id] {
			if p.id == 0 || p.lo >= q.end || q.lo >= p.end || w != nil && !m.inWindow(p.i, q.i, d, w) {
				continue
			}
			m.pair(p.i, q.i, HowResegment)
			used[uint64(p.i)], used[uint64(q.i)|1<<32] = true, true
		}
	}
	m.restA, m.restB = drop(m.restA, used, 0), drop(m.restB, used, 1<<32)
}

// manyIDs lists the identifications that several packets of a list carry.
func manyIDs(c *flow.Capture, l []uint32) map[uint16]bool {
	many := map[uint16]bool{}
	for _, i := range l {
		id := c.At(i).IPID
		_, again := many[id]
		many[id] = again
	}
	return many
}

// shifted reports whether a gateway that changed lengths shifted the numbers of what followed: packets with one's own
// identification and the same bytes have other numbers than elsewhere in the stream. Then a place in the stream says nothing.
func (m *matcher) shifted(t *Traits, d int) bool {
	if !t.KeepsID {
		return false
	}
	n := 0
	for _, p := range m.byID() {
		f, h := m.a.At(p.A), m.b.At(p.B)
		if f.Len() != h.Len() || f.Seq+t.Shift[d] == h.Seq || f.Len() > 0 && m.lvl.hash(f) != m.lvl.hash(h) {
			continue
		}
		if f.Len() >= flow.HeadTier && m.lvl.of(f) != levelNone {
			return true
		}
		if n++; n >= shiftedLeast {
			return true
		}
	}
	return false
}

// shiftedLeast is how many packets of few bytes or none show what one of many does.
const shiftedLeast = 2

// byID pairs what is left by identification, where only one packet of each side has it.
func (m *matcher) byID() []Pair {
	m.groups = m.groups[:0]
	add := func(c *flow.Capture, l []uint32, side uint8) {
		for _, i := range l {
			f := c.At(i)
			if f.IPID == 0 || f.Mark&(flow.MarkError|flow.MarkLater|flow.MarkFragment) != 0 {
				continue
			}
			k := uint64(f.IPID) | uint64(f.Flags()&flagsKept)<<16
			if f.Len() == 0 {
				k |= 1 << 62
			}
			if f.Flags()&decode.ACK != 0 {
				k |= uint64(f.Window) << 32
			}
			m.groups = append(m.groups, grouped{k, i, side})
		}
	}
	add(m.a, m.restA, 0)
	add(m.b, m.restB, 1)
	slices.SortFunc(m.groups, byKeyAndSide)
	return m.unique()
}

// sealed reports whether a datagram's conversation is one whose payload nobody can change unnoticed: QUIC (RFC 9001 §5), DTLS.
func sealed(c *flow.Capture, i uint32) bool {
	f := c.At(i)
	if id := c.ID(i); !f.Is(flow.MarkTCP) && id != flow.NoConv {
		in := &c.Convs[id]
		for d := range in.Data {
			if p := message.Proto(in.Data[d].Class); p == message.ProtoQUIC || p == message.ProtoDTLS {
				return true
			}
		}
	}
	return false
}

// rewritten pairs what is left by identification: a gateway changed payload and length of these.
func (m *matcher) rewritten(t *Traits, d int, w Window) {
	if !t.KeepsID || len(m.restA) == 0 || len(m.restB) == 0 || sealed(m.a, m.restA[0]) || sealed(m.b, m.restB[0]) {
		return
	}
	pairs := m.byID()
	if len(pairs) == 0 {
		return
	}
	used := map[uint64]bool{}
	cut := m.a.AnyCut[0] || m.b.AnyCut[0] // and timestamps, perhaps
	// Some senders count each connection's identifications from 1 again and again: such name nothing.
	many, seen := manyIDs(m.a, m.la[d]), manyIDs(m.b, m.lb[d])
	for _, p := range pairs {
		f, h := m.a.At(p.A), m.b.At(p.B)
		if many[f.IPID] || seen[h.IPID] {
			continue
		}
		switch x, y := f.Is(flow.MarkTS), h.Is(flow.MarkTS); {
		case x != y && !cut, x && y && t.KeepsTS && f.TSval != h.TSval:
			continue
		}
		if w == nil || m.inWindow(p.A, p.B, d, w) {
			m.pair(p.A, p.B, HowRewritten)
			used[uint64(p.A)], used[uint64(p.B)|1<<32] = true, true
		}
	}
	m.restA, m.restB = drop(m.restA, used, 0), drop(m.restB, used, 1<<32)
}
