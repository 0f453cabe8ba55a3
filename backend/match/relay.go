package match

import (
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

// A device that ends TCP and opens a connection of its own keeps nothing of the packets but the bytes of the stream.
// Frames of both connections are then counterparts where they carry the same bytes.

// alignLimit is how much of a stream's beginning is searched for inserted bytes (PROXY protocol, header lines); behind
// it the last alignment holds.
const alignLimit = 256 << 10

// gram is the length of byte runs that anchor an alignment.
const gram = 16

// run is a run of bytes that both streams hold.
type run struct {
	a, b int64 // offsets in the streams
	n    int64
	// loose: bytes that are not at hand, before others that are: what the device inserts may lie before or behind them.
	loose bool
}

// streamSegment is a frame's place in a stream whose first byte has offset 0.
type streamSegment struct {
	off, n int64
	i      uint32
}

// stream places the data segments of direction d. Offset 0 is the byte after the SYN, or the first one captured.
func stream(s *Side, d int) (segs []streamSegment) {
	isn := initial(s, d)
	base := uint32(isn + 1)
	var prev uint32
	var off int64
	for _, i := range s.packets(d, nil) {
		f := s.Cap.At(i)
		if f.Len() == 0 || f.Mark&(flow.MarkError|flow.MarkLater) != 0 {
			continue
		}
		if len(segs) == 0 {
			if isn < 0 {
				base = f.Seq
			}
			off = int64(int32(f.Seq - base))
		} else {
			off += int64(int32(f.Seq - prev))
		}
		prev = f.Seq
		segs = append(segs, streamSegment{off, int64(f.Len()), i})
	}
	return segs
}

// text is the beginning of a stream: the payload bytes at hand, and between them noise that nothing equals.
type text struct {
	b     []byte
	holes [][2]int // of noise, from and to
}

// assemble joins the kept payload bytes of a stream's beginning. salt makes the noise another one for either stream.
func assemble(c *flow.Capture, segs []streamSegment, salt uint64) (t text) {
	l := slices.Clone(segs)
	slices.SortStableFunc(l, func(x, y streamSegment) int { return int(max(min(x.off-y.off, 1), -1)) })
	for _, s := range l {
		b, ok := c.Payload(s.i)
		n := int64(len(t.b))
		if !ok || s.off+int64(len(b)) <= n {
			continue
		}
		if max(s.off, n) >= alignLimit {
			break
		}
		if s.off > n {
			for i := n; i < s.off; i++ {
				t.b = append(t.b, byte(flow.Mix(uint64(i), salt)))
			}
			t.holes = append(t.holes, [2]int{int(n), int(s.off)})
			n = s.off
		}
		t.b = append(t.b, b[n-s.off:]...)
	}
	return t
}

// hole gives how many bytes from i on are noise.
func (t *text) hole(i int) int {
	k, _ := slices.BinarySearchFunc(t.holes, i, func(h [2]int, i int) int {
		if h[1] <= i {
			return -1
		}
		return 1
	})
	if k < len(t.holes) && t.holes[k][0] <= i {
		return t.holes[k][1] - i
	}
	return 0
}

// before is how many bytes before it a byte of a side's payload depends on: fingerprints are made of several.
func before(c *flow.Capture) int {
	if c.Sealed != nil {
		return flow.Window - 1
	}
	return 0
}

// alignStreams finds the runs of bytes that two streams share, in order. lenA and lenB are the streams' whole lengths:
// what lies behind the kept bytes goes on as the last run does, and what was not kept before the first as that one. back is
// what before says. whole: both streams are known from their first bytes on.
func alignStreams(s, t text, lenA, lenB int64, back int, whole bool) []run {
	gram := gram - back
	x, y := s.b, t.b
	if len(x) == 0 || len(y) == 0 {
		// Nothing kept: the streams are taken for equal; that they begin alike is why they were joined.
		return []run{{0, 0, min(lenA, lenB), false}}
	}
	// What is said to a proxy first, and not passed on, may hold the same header fields as what follows: all that follows tells.
	if r, ok := behindOpening(x, y, lenA-lenB, back); ok {
		return []run{{r, 0, lenB, false}}
	}
	if r, ok := behindOpening(y, x, lenB-lenA, back); ok {
		return []run{{0, r, lenA, false}}
	}
	var out []run
	index := gramIndex(y, gram)
	var i, j int
	if !whole {
		shift := likeliest(x, y, index, gram)
		i, j = max(0, -shift), max(0, shift)
	}
	for i < len(x) && j < len(y) {
		if x[i] == y[j] {
			n := common(x[i:], y[j:])
			if n >= gram || i+n == len(x) && j+n == len(y) || len(out) == 0 && i == 0 && j == 0 && i+n == len(x) {
				out = appendRun(out, run{int64(i), int64(j), int64(n), false})
				i, j = i+n, j+n
				continue
			}
		}
		// Behind what one side lacks both go on as before, if they do.
		if k := max(s.hole(i), t.hole(j)); k > 0 && i+k < len(x) && j+k < len(y) && common(x[i+k:], y[j+k:]) >= gram {
			i, j = i+k, j+k
			continue
		}
		ni, nj, ok := nextAnchor(x, y, i, j, index, gram)
		if !ok {
			break
		}
		i, j = ni, nj
	}
	widen(out, int64(back))
	if k := len(out) - 1; k >= 0 {
		r := &out[k]
		if r.a+r.n == int64(len(x)) || r.b+r.n == int64(len(y)) {
			r.n += max(0, min(lenA-r.a-r.n, lenB-r.b-r.n))
		}
		if f := out[0]; (s.hole(0) > 0 || t.hole(0) > 0) && f.a > 0 && f.b > 0 {
			n := min(f.a, f.b)
			out = append([]run{{f.a - n, f.b - n, n, f.a != f.b}}, out...)
		}
	}
	return out
}

// likeliest is the difference of places, in y and x, that most of their bytes agree in.
func likeliest(x, y []byte, index map[string][]int32, gram int) int {
	votes := map[int]int{}
	best := 0
	for i := 0; i+gram <= len(x); i++ {
		for _, j := range index[string(x[i:i+gram])] {
			shift := int(j) - i
			if votes[shift]++; votes[shift] > votes[best] {
				best = shift
			}
		}
	}
	return best
}

// appendRun adds a run, or goes on with the last one where nothing was inserted since.
func appendRun(out []run, r run) []run {
	if k := len(out) - 1; k >= 0 && out[k].b-out[k].a == r.b-r.a {
		out[k].n = r.a + r.n - out[k].a
		return out
	}
	return append(out, r)
}

// behindOpening reports whether y is x without its first bytes, so many as x is longer.
func behindOpening(x, y []byte, more int64, back int) (at int64, ok bool) {
	if more <= 0 || more >= int64(len(x)) {
		return 0, false
	}
	n := min(len(x)-int(more), len(y))
	return more, (n >= gram || n == len(y)) && n > back && alike(x[more:int(more)+n], y[:n], back)
}

// widen takes to each run the bytes that its first fingerprint was made of.
func widen(runs []run, back int64) {
	a, b := int64(0), int64(0)
	for k := range runs {
		r := &runs[k]
		n := min(back, r.a-a, r.b-b)
		r.a, r.b, r.n = r.a-n, r.b-n, r.n+n
		a, b = r.a+r.n, r.b+r.n
	}
}

// alignEnds aligns two streams whose kept bytes do not reach to where they agree: what a proxy inserts it inserts at the
// beginning, so the ends fall together. At least one segment must say so by its own bytes.
func alignEnds(ca, cb *flow.Capture, sa, sb []streamSegment) []run {
	la, lb := end(sa), end(sb)
	shift := lb - la
	if abs(shift) > alignLimit {
		return nil
	}
	at := map[int64]uint32{}
	for _, s := range sb {
		at[s.off] = s.i
	}
	agree, differ := 0, 0
	for _, s := range sa {
		i, ok := at[s.off+shift]
		if !ok {
			continue
		}
		x, ok := ca.Payload(s.i)
		y, ok2 := cb.Payload(i)
		if n := min(len(x), len(y)); !ok || !ok2 || n < gram/2 {
			continue
		} else if alike(x[:n], y[:n], before(ca)) {
			agree++
		} else {
			differ++
		}
	}
	if agree == 0 || differ > 0 {
		return nil
	}
	return []run{{max(0, -shift), max(0, shift), min(la, lb), false}}
}

func common(x, y []byte) int {
	n := min(len(x), len(y))
	for k := 0; k < n; k++ {
		if x[k] != y[k] {
			return k
		}
	}
	return n
}

// gramIndex lists where each run of gram bytes begins, thinned to every fourth place.
func gramIndex(y []byte, gram int) map[string][]int32 {
	m := make(map[string][]int32, len(y)/4+1)
	for j := 0; j+gram <= len(y); j += 4 {
		k := string(y[j : j+gram])
		if len(m[k]) < 8 {
			m[k] = append(m[k], int32(j))
		}
	}
	return m
}

// nextAnchor finds the nearest place at or behind (i, j) where both streams hold the same gram bytes.
func nextAnchor(x, y []byte, i, j int, index map[string][]int32, gram int) (ni, nj int, ok bool) {
	for ni = i; ni+gram <= len(x); ni++ {
		for _, at := range index[string(x[ni:ni+gram])] {
			if int(at) >= j {
				nj = int(at)
				for ni > i && nj > j && x[ni-1] == y[nj-1] {
					ni--
					nj--
				}
				return ni, nj, true
			}
		}
	}
	return 0, 0, false
}

// relayed pairs frames of two connections of which one carries on the other.
func relayed(a, b *Side, p *passing) []Pair {
	return append(p.withoutLost(a, b, relayedData(a, b)), logical(a, b, p)...)
}

// relayedData pairs the frames that carry the same bytes of a stream.
func relayedData(a, b *Side) []Pair {
	var out []Pair
	for d := 0; d < 2; d++ {
		sa, sb := stream(a, d), stream(b, d)
		if len(sa) > 0 && len(sb) > 0 {
			out = relayedStream(out, a.Cap, b.Cap, sa, sb, initial(a, d) >= 0 && initial(b, d) >= 0)
		}
	}
	return out
}

func end(s []streamSegment) int64 {
	e := int64(0)
	for _, x := range s {
		e = max(e, x.off+x.n)
	}
	return e
}

// relayedStream adds the pairs of one direction; whole: both streams begin with their SYN.
func relayedStream(out []Pair, ca, cb *flow.Capture, sa, sb []streamSegment, whole bool) []Pair {
	x, y := assemble(ca, sa, 1), assemble(cb, sb, 2)
	runs := alignStreams(x, y, end(sa), end(sb), before(ca), whole)
	if len(runs) == 0 {
		runs = alignEnds(ca, cb, sa, sb)
	}
	byOff := func(x, y streamSegment) int {
		if x.off != y.off {
			return int(max(min(x.off-y.off, 1), -1))
		}
		return int(x.i) - int(y.i)
	}
	slices.SortFunc(sa, byOff)
	slices.SortFunc(sb, byOff)
	longest := int64(0)
	for _, s := range sb {
		longest = max(longest, s.n)
	}
	seen := map[Pair]bool{}
	for _, r := range runs {
		from := 0
		for _, x := range sa {
			lo, hi := max(x.off, r.a), min(x.off+x.n, r.a+r.n)
			if lo >= hi {
				continue
			}
			at, to := lo, hi
			lo, hi = lo-r.a+r.b, hi-r.a+r.b // in B's offsets
			for from < len(sb) && sb[from].off+longest <= lo {
				from++
			}
			for k := from; k < len(sb) && sb[k].off < hi; k++ {
				p := Pair{x.i, sb[k].i, HowRelayed}
				if r.loose && (sb[k].off+sb[k].n <= at || sb[k].off >= to) {
					continue
				}
				if sb[k].off+sb[k].n > lo && !seen[p] {
					seen[p] = true
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// logical pairs what opens and closes two connections: SYN, SYN/ACK, and each direction's first FIN and RST.
func logical(a, b *Side, p *passing) []Pair {
	out := opening(a, b, p)
	for d := 0; d < 2; d++ {
		for _, flag := range []uint16{decode.FIN, decode.RST} {
			out = appendFirst(out, a, b, d, flag)
		}
	}
	return out
}

// opening pairs the SYN and the first SYN/ACK of two handshakes: a device answers a SYN before it has an answer itself.
func opening(a, b *Side, p *passing) []Pair {
	return appendFirst(p.syn(nil, a, b), a, b, 1, decode.SYN)
}

func appendFirst(out []Pair, a, b *Side, d int, flag uint16) []Pair {
	x, ok := firstWith(a, d, flag)
	y, ok2 := firstWith(b, d, flag)
	if ok && ok2 {
		out = append(out, Pair{x, y, HowLogical})
	}
	return out
}

func firstWith(s *Side, d int, flag uint16) (uint32, bool) {
	at, found := uint32(0), false
	for _, i := range s.packets(d, nil) {
		f := s.Cap.At(i)
		if f.Flags()&flag != 0 && f.Mark&(flow.MarkError|flow.MarkLater) == 0 && (!found || f.Time() < s.Cap.At(at).Time()) {
			at, found = i, true
		}
	}
	return at, found
}
