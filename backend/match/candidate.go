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
	// By share of the keys, then by share of the pairs: each pair's votes in the order of the keys.
	var all [shares][shares][]vote
	inShares(func(k int) {
		var es []entry
		for _, l := range lists {
			es = append(es, l.share[k]...)
			l.share[k] = nil
		}
		for _, v := range votes(es) {
			s := flow.Mix(uint64(v.a), uint64(v.b>>1)) % shares
			all[k][s] = append(all[k][s], v)
		}
	})
	var parts [shares][]Candidate
	inShares(func(s int) {
		var vs []vote
		for k := range all {
			vs = append(vs, all[k][s]...)
			all[k][s] = nil
		}
		parts[s] = sums(vs)
	})
	out := slices.Concat(parts[:]...)
	slices.SortFunc(out, func(x, y Candidate) int { return byPair(&x, &y) })
	return out
}

// inShares calls f for every share, on all cores.
func inShares(f func(k int)) {
	var next atomic.Int64
	parallel(workers(), func(int) {
		for k := int(next.Add(1)) - 1; k < shares; k = int(next.Add(1)) - 1 {
			f(k)
		}
	})
}

// sums adds up votes.
func sums(vs []vote) []Candidate {
	slices.SortFunc(vs, func(x, y vote) int {
		switch {
		case x.a != y.a:
			return cmpRef(x.a, y.a)
		case x.b>>1 != y.b>>1:
			return cmpRef(x.b, y.b)
		case x.kind != y.kind:
			return int(x.kind) - int(y.kind)
		}
		return cmp.Or(cmpRef(x.b, y.b), cmp.Compare(x.w, y.w))
	})
	var out []Candidate
	for i := 0; i < len(vs); {
		j := i + 1
		for j < len(vs) && vs[j].a == vs[i].a && vs[j].b>>1 == vs[i].b>>1 {
			j++
		}
		out = append(out, sum(vs[i:j]))
		i = j
	}
	return out
}

func cmpRef(x, y ref) int {
	if x < y {
		return -1
	}
	if x > y {
		return 1
	}
	return 0
}

// sameTuple is what sequence numbers tell besides, in bits, where both conversations have the same addresses and ports: they
// could have met by chance only those with the same ones, not all.
const sameTuple = 8

// sum adds the votes of one pair, each kind up to its cap.
func sum(vs []vote) Candidate {
	k := Candidate{A: Conv{vs[0].a.capture(), vs[0].a.conv()}, B: Conv{vs[0].b.capture(), vs[0].b.conv()}, Rival: Conv{Capture: -1}}
	var kind [nEvidence]float64
	flip := 0.
	for _, v := range vs {
		kind[v.kind] += float64(v.w)
		k.Kinds |= 1 << v.kind
		if v.kind == evTuple {
			continue // addresses say which way round only where nothing else does
		}
		if v.b&1 != 0 {
			flip += float64(v.w)
		} else {
			flip -= float64(v.w)
		}
	}
	begin := 0.
	for e, w := range kind {
		w = min(w, most[e])
		switch evidence(e) {
		case evStream64, evStream32, evStream16, evText, evHello:
			begin = max(begin, w) // the same bytes at several lengths
		default:
			k.Score += w
		}
	}
	k.Score += begin
	if kind[evTuple] > 0 && kind[evISN]+kind[evSegment]+kind[evAck] >= bits[evISN] {
		k.Score += sameTuple
	}
	if kind[evHello] == 0 && kind[evStream64] == 0 {
		k.Soft = begin + min(kind[evRun], most[evRun])
	}
	if flip == 0 {
		for _, v := range vs {
			k.Flip = v.b&1 != 0
		}
	} else {
		k.Flip = flip > 0
	}
	return k
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
	var out []int32
	for i := range ks {
		if ks[i].Score >= least {
			out = append(out, int32(i))
		}
	}
	slices.SortFunc(out, func(x, y int32) int { return cmp.Or(cmp.Compare(ks[y].Score, ks[x].Score), cmp.Compare(x, y)) })
	return out
}
