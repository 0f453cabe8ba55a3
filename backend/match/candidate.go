package match

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/corr-dev/corr/backend/flow"
)

// Candidate is a conversation of one capture and one of another that may be the same.
type Candidate struct {
	A, B   Conv
	Flip   bool    // B's direction 0 is A's direction 1
	Score  float64 // bits of evidence
	Kinds  uint32  // set of evidence kinds
	Soft   float64 // those bits that rest on readable text, which others may send too
	Margin float64 // bits more than the runner-up of either side
	Wide   float64 // bits more than the runner-up of the side where it is further behind
	Rival  Conv    // the runner-up on B's side, Capture -1 for none
}

// Conv names a conversation of a capture.
type Conv struct {
	Capture int
	ID      flow.ConvID
}

// candidates adds up the votes of all captures' keys. The result is sorted by (A, B), so by pair of captures.
func candidates(lists []*dealt) []Candidate {
	last := lists[len(lists)-1]
	n := uint64(last.first + last.convs) // of all
	part := func(number uint32) int { return int(uint64(number) * shares / n) }
	caps := uint64(len(lists))
	// By share of the keys, then by conversation: each pair's votes together, and what comes out in the order of A.
	var all [shares][shares][]vote
	inShares(func() func(k int) {
		var es []entry
		var vs []vote
		return func(k int) {
			es = gathered(lists, k, es)
			vs = votes(es, vs[:0])
			deal(vs, &all[k], part)
		}
	})
	var parts [shares][]Candidate
	inShares(func() func(s int) {
		var vs []vote
		return func(s int) {
			var pieces [shares][]vote
			for k := range all {
				pieces[k], all[k][s] = all[k][s], nil
			}
			from := n * uint64(s) / shares
			vs = bucketed(pieces[:], vs, (n/shares+2)*caps, func(v *vote) uint64 { return (uint64(v.a())-from)*caps + uint64(v.capture()) }, byConvs)
			parts[s] = sums(vs, lists)
		}
	})
	return inPairs(parts[:], len(lists))
}

// gathered takes one share of the keys out of the lists, in the order of keys. space is used if there is enough.
func gathered(lists []*dealt, k int, space []entry) []entry {
	var pieces [][]entry
	for _, l := range lists {
		pieces = append(pieces, l.share[k].chunks...)
		l.share[k] = pile{}
	}
	return bucketed(pieces, space, 1<<keyShift, func(e *entry) uint64 { return e.key & (1<<keyShift - 1) }, byKey)
}

// bucketed sorts what pieces hold: first by at's value, which is most at most and ascends as compare has it, into buckets of few,
// then each of those. The result lies in space if there is enough.
func bucketed[T any](pieces [][]T, space []T, most uint64, at func(x *T) uint64, compare func(x, y T) int) []T {
	const few, bucketsMost = 8, 1 << 13
	n := 0
	for _, l := range pieces {
		n += len(l)
	}
	out := slices.Grow(space[:0], n)[:n]
	buckets := uint64(1)
	for buckets*few < uint64(n) && buckets < bucketsMost {
		buckets *= 2
	}
	width := most/buckets + 1
	ends := make([]uint32, buckets+1)
	for _, l := range pieces {
		for i := range l {
			ends[at(&l[i])/width+1]++
		}
	}
	for k := range buckets {
		ends[k+1] += ends[k]
	}
	for _, l := range pieces {
		for i := range l {
			k := at(&l[i]) / width
			out[ends[k]] = l[i]
			ends[k]++
		}
	}
	from := uint32(0)
	for _, to := range ends[:buckets] {
		slices.SortFunc(out[from:to], compare)
		from = to
	}
	return out
}

// deal puts votes into parts, in their order.
func deal(vs []vote, into *[shares][]vote, part func(number uint32) int) {
	var ends [shares + 1]int
	for i := range vs {
		ends[part(vs[i].a())+1]++
	}
	for k := range into {
		ends[k+1] += ends[k]
	}
	out, at := make([]vote, len(vs)), ends
	for i := range vs {
		k := part(vs[i].a())
		out[at[k]] = vs[i]
		at[k]++
	}
	for k := range into {
		into[k] = out[ends[k]:ends[k+1]]
	}
}

// inPairs puts lists of candidates that follow each other in the order of (A, B's capture, B) into that of pairs of captures.
func inPairs(parts [][]Candidate, caps int) []Candidate {
	ends := make([]int, caps*caps+1)
	for _, l := range parts {
		for i := range l {
			ends[l[i].A.Capture*caps+l[i].B.Capture+1]++
		}
	}
	for k := range ends[1:] {
		ends[k+1] += ends[k]
	}
	out := make([]Candidate, ends[len(ends)-1])
	for _, l := range parts {
		for i := range l {
			at := &ends[l[i].A.Capture*caps+l[i].B.Capture]
			out[*at] = l[i]
			*at++
		}
	}
	return out
}

// inShares calls a function for every share, on all cores; each worker gets one from make, for a space of its own.
func inShares(make func() func(k int)) {
	var next atomic.Int64
	parallel(workers(), func(int) {
		f := make()
		for k := int(next.Add(1)) - 1; k < shares; k = int(next.Add(1)) - 1 {
			f(k)
		}
	})
}

// byConvs puts the votes of one pair together, in an order that does not depend on where they come from.
func byConvs(x, y vote) int { return compareWords(x.pair, x.what, y.pair, y.what) }

// compareWords is the order of two values of two words each.
func compareWords(x, x2, y, y2 uint64) int {
	switch {
	case x != y:
		if x < y {
			return -1
		}
		return 1
	case x2 < y2:
		return -1
	case x2 > y2:
		return 1
	}
	return 0
}

// sums adds up votes, those of one pair together.
func sums(vs []vote, lists []*dealt) []Candidate {
	n := 0
	for i := range vs {
		if i == 0 || vs[i].pair != vs[i-1].pair {
			n++
		}
	}
	out := make([]Candidate, 0, n)
	c := 0 // the capture of a
	for i := 0; i < len(vs); {
		j := i + 1
		for j < len(vs) && vs[j].pair == vs[i].pair {
			j++
		}
		for vs[i].a() >= lists[c].first+lists[c].convs {
			c++
		}
		k := sum(vs[i:j])
		k.A, k.B = lists[c].conv(vs[i].a()), lists[vs[i].capture()].conv(vs[i].b())
		out = append(out, k)
		i = j
	}
	return out
}

// sameTuple is what sequence numbers tell besides, in bits, where both conversations have the same addresses and ports: they
// could have met by chance only those with the same ones, not all.
const sameTuple = 8

// sum adds the votes of one pair, each kind up to its cap. A and B are left empty.
func sum(vs []vote) Candidate {
	k := Candidate{Rival: Conv{Capture: -1}}
	var kind [nEvidence]float64
	flip := 0.
	for i := range vs {
		v := &vs[i]
		e, w := v.kind(), v.weight()
		kind[e] += w
		k.Kinds |= 1 << e
		switch {
		case e == evTuple: // addresses say which way round only where nothing else does
		case v.flip():
			flip += w
		default:
			flip -= w
		}
	}
	if kind[evWhole] > 0 {
		k.Kinds |= 1 << evPayload
		kind[evPayload], kind[evWhole] = max(kind[evPayload], kind[evWhole]), 0 // the same bytes
	}
	begin, numbers := 0., 0.
	for e, w := range kind {
		w = min(w, most[e])
		switch evidence(e) {
		case evStream64, evStream32, evStream16, evText, evHello:
			begin = max(begin, w) // the same bytes at several lengths
		case evISN, evSegment, evAck:
			numbers += w
			k.Score += w
		case evNumber:
			k.Score += max(0, w-numbers) // the same numbers
		default:
			k.Score += w
		}
	}
	k.Score += begin
	if kind[evTuple] > 0 && kind[evISN]+kind[evSegment]+kind[evAck]+kind[evNumber] >= bits[evISN] {
		k.Score += sameTuple
	}
	if kind[evHello] == 0 && kind[evStream64] == 0 {
		k.Soft = begin + min(kind[evRun], most[evRun])
	}
	if flip == 0 {
		k.Flip = vs[len(vs)-1].flip()
	} else {
		k.Flip = flip > 0
	}
	return k
}

// inPairOrder puts candidates into the order of byPair, and equal ones as they are.
func inPairOrder(ks []Candidate) []Candidate {
	type placed struct {
		captures, convs uint64
		i               int32
	}
	l := make([]placed, len(ks))
	for i := range ks {
		k := &ks[i]
		l[i] = placed{uint64(k.A.Capture)<<32 | uint64(k.B.Capture), uint64(k.A.ID)<<32 | uint64(k.B.ID), int32(i)}
	}
	sortAtOnce(l, func(x, y placed) int {
		switch {
		case x.captures != y.captures:
			return cmp.Compare(x.captures, y.captures)
		case x.convs != y.convs:
			return cmp.Compare(x.convs, y.convs)
		}
		return cmp.Compare(x.i, y.i)
	})
	out := make([]Candidate, len(ks))
	for n := range l {
		out[n] = ks[l[n].i]
	}
	return out
}

// sortAtOnce sorts a long list on all cores, of which no two elements are equal.
func sortAtOnce[T any](l []T, compare func(x, y T) int) {
	const few = 1 << 12
	n := workers()
	if len(l) < few || n == 1 {
		slices.SortFunc(l, compare)
		return
	}
	var parts [][]T
	for k := range n {
		parts = append(parts, l[len(l)*k/n:len(l)*(k+1)/n])
	}
	parallel(n, func(k int) { slices.SortFunc(parts[k], compare) })
	for len(parts) > 1 {
		merged := make([][]T, (len(parts)+1)/2)
		parallel(len(merged), func(k int) {
			if merged[k] = parts[2*k]; 2*k+1 < len(parts) {
				merged[k] = merge(parts[2*k], parts[2*k+1], compare)
			}
		})
		parts = merged
	}
	copy(l, parts[0])
}

// merge puts two sorted lists into one.
func merge[T any](x, y []T, compare func(x, y T) int) []T {
	out := make([]T, 0, len(x)+len(y))
	for len(x) > 0 && len(y) > 0 {
		if compare(x[0], y[0]) <= 0 {
			out, x = append(out, x[0]), x[1:]
		} else {
			out, y = append(out, y[0]), y[1:]
		}
	}
	return append(append(out, x...), y...)
}

// byPair is the order of candidates: that of (A, B).
func byPair(x, y *Candidate) int {
	return cmp.Or(cmp.Compare(x.A.Capture, y.A.Capture), cmp.Compare(x.B.Capture, y.B.Capture), cmp.Compare(x.A.ID, y.A.ID), cmp.Compare(x.B.ID, y.B.ID))
}

// contest is who leads among the candidates of one conversation.
type contest struct {
	first, second float64
	at, next      int32 // index + 1, 0 for none
}

func (b *contest) note(i int, s float64) {
	switch n := int32(i + 1); {
	case b.at == 0:
		b.first, b.at = s, n
	case s > b.first:
		b.first, b.second, b.at, b.next = s, b.first, n, b.at
	case b.next == 0 || s > b.second:
		b.second, b.next = s, n
	}
}

// rank fills Margin and Rival: how far each candidate is ahead of the best other one of either conversation, in the
// other's capture. The candidates are in the order of byPair.
func rank(ks []Candidate) {
	var ofA, ofB []contest
	at := func(l *[]contest, id flow.ConvID) *contest {
		for int(id) >= len(*l) {
			*l = append(*l, make([]contest, len(*l)+64)...)
		}
		return &(*l)[id]
	}
	for i := 0; i < len(ks); {
		j := i
		for ; j < len(ks) && ks[j].A.Capture == ks[i].A.Capture && ks[j].B.Capture == ks[i].B.Capture; j++ {
			at(&ofA, ks[j].A.ID).note(j, ks[j].Score)
			at(&ofB, ks[j].B.ID).note(j, ks[j].Score)
		}
		for n := i; n < j; n++ {
			k := &ks[n]
			k.Margin, k.Wide = k.Score, 0
			for _, b := range []*contest{&ofA[k.A.ID], &ofB[k.B.ID]} {
				rival, s := b.at, b.first
				if int(b.at) == n+1 {
					rival, s = b.next, b.second
				}
				if rival == 0 {
					s = 0
				}
				k.Wide = max(k.Wide, k.Score-s)
				if rival != 0 && k.Score-s < k.Margin {
					k.Margin = k.Score - s
					if r := &ks[rival-1]; r.A == k.A {
						k.Rival = r.B
					} else {
						k.Rival = r.A
					}
				}
			}
		}
		for n := i; n < j; n++ {
			ofA[ks[n].A.ID], ofB[ks[n].B.ID] = contest{}, contest{}
		}
		i = j
	}
}

// byScore lists the candidates with some score at least, best first, as indexes.
func byScore(ks []Candidate, least float64) []int32 {
	type scored struct {
		score float64
		i     int32
	}
	n := 0
	for i := range ks {
		if ks[i].Score >= least {
			n++
		}
	}
	l := make([]scored, 0, n)
	for i := range ks {
		if ks[i].Score >= least {
			l = append(l, scored{ks[i].Score, int32(i)})
		}
	}
	sortAtOnce(l, func(x, y scored) int {
		if x.score != y.score {
			return cmp.Compare(y.score, x.score)
		}
		return cmp.Compare(x.i, y.i)
	})
	out := make([]int32, n)
	for k := range l {
		out[k] = l[k].i
	}
	return out
}
