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
	slices.SortFunc(out, func(x, y Candidate) int {
		return cmp.Or(cmp.Compare(x.A.Capture, y.A.Capture), cmp.Compare(x.A.ID, y.A.ID), cmp.Compare(x.B.Capture, y.B.Capture), cmp.Compare(x.B.ID, y.B.ID))
	})
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

// rank fills Margin and Rival: how far each candidate is ahead of the best other one of either conversation, in the
// other's capture.
func rank(ks []Candidate) {
	type best struct {
		first, second float64
		at, next      int
	}
	type end struct {
		c     Conv
		other int
	}
	tops := map[end]best{}
	note := func(e end, i int, s float64) {
		b, ok := tops[e]
		switch {
		case !ok:
			b = best{s, 0, i, -1}
		case s > b.first:
			b = best{s, b.first, i, b.at}
		case s > b.second || b.next < 0:
			b.second, b.next = s, i
		}
		tops[e] = b
	}
	for i := range ks {
		note(end{ks[i].A, ks[i].B.Capture}, i, ks[i].Score)
		note(end{ks[i].B, ks[i].A.Capture}, i, ks[i].Score)
	}
	for i := range ks {
		k := &ks[i]
		k.Margin, k.Wide = k.Score, 0
		for _, e := range []end{{k.A, k.B.Capture}, {k.B, k.A.Capture}} {
			b := tops[e]
			rival, s := b.at, b.first
			if b.at == i {
				rival, s = b.next, b.second
			}
			if rival < 0 {
				s = 0
			}
			k.Wide = max(k.Wide, k.Score-s)
			if rival >= 0 && k.Score-s < k.Margin {
				k.Margin = k.Score - s
				if ks[rival].A == k.A {
					k.Rival = ks[rival].B
				} else {
					k.Rival = ks[rival].A
				}
			}
		}
	}
}
