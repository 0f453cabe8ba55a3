package exchange

import (
	"cmp"
	"slices"
	"strings"
)

const (
	// headerSlack is how many bytes a proxy adds to or takes from a message's header, and what TLS says beside it
	// (session tickets: RFC 8446 §4.6.1).
	headerSlack = 700
	// patience is how long, ns, a proxy may take to pass something on where nothing bounds it.
	patience = 120e9
	// candidatesMost bounds the pairs that are looked at for an unknown offset.
	candidatesMost = 4 << 20
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
	if named && len(b.Forwarded) > 0 && !slices.Contains(b.Forwarded, f.Client) {
		return false
	}
	if b.Answered && !f.Answered {
		return false
	}
	if f.Name != "" && b.Name != "" && !sameRequest(f.Name, b.Name) {
		return false
	}
	if !near(&f.Request, &b.Request) {
		return false
	}
	return !b.Answered || near(&f.Answer, &b.Answer)
}

// sameRequest compares request lines: the same method, and the same target but for a prefix that the proxy added or took
// off.
func sameRequest(a, b string) bool {
	m, s, _ := strings.Cut(a, " ")
	n, t, _ := strings.Cut(b, " ")
	return m == n && (strings.HasSuffix(s, t) || strings.HasSuffix(t, s))
}

// near reports whether two parts can have the same size but for header lines.
func near(x, y *Part) bool {
	return x.Least <= y.Most+headerSlack && y.Least <= x.Most+headerSlack
}

// nest bounds the offsets at which b lies inside of f: a request is passed on after it began to come, an answer is
// complete at the front after it was at the back.
func nest(f, b *Exchange) (lo, hi int64, ok bool) {
	hi = int64(b.Request.Start - f.Request.Start)
	lo = hi - patience
	switch {
	case b.Answered && f.Answered:
		lo = max(lo, int64(b.Answer.End-f.Answer.End))
	case f.Answered:
		lo = max(lo, int64(b.Request.Start-f.Answer.End))
	}
	return lo, hi, lo <= hi
}

// nestings lists all pairs that fit; nil where there are too many to tell anything.
func nestings(front, back []*Exchange, named bool, mark []int) []nesting {
	var out []nesting
	for i, f := range front {
		for j, b := range back {
			if m := mark[j]; m >= 0 && m != i || m < 0 && !compatible(f, b, named) {
				continue
			}
			if lo, hi, ok := nest(f, b); ok {
				if out = append(out, nesting{i, j, lo, hi}); len(out) > candidatesMost {
					return nil
				}
			}
		}
	}
	return out
}

// offset is the range of offsets at which most back exchanges nest into some front exchange, and how many do. ok is
// false where that may be chance; span is the time, ns, that the exchanges are spread over.
func offset(ns []nesting, backs int, span int64) (lo, hi int64, ok bool) {
	type event struct {
		at    int64
		open  bool
		other int
	}
	var es []event
	for _, n := range ns {
		es = append(es, event{n.lo, true, n.back}, event{n.hi, false, n.back})
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
		return a.other - b.other
	})
	active := make([]int, backs)
	n, best, area, from := 0, 0, 0., int64(0)
	if len(es) > 0 {
		from = es[0].at
	}
	for k, e := range es {
		if k > 0 {
			area += float64(n) * float64(e.at-es[k-1].at)
		}
		if e.open {
			if active[e.other]++; active[e.other] == 1 {
				n++
			}
			if n > best {
				best, lo, hi = n, e.at, e.at
				for m := k + 1; m < len(es); m++ {
					if hi = es[m].at; !es[m].open {
						break
					}
				}
			}
			continue
		}
		if active[e.other]--; active[e.other] == 0 {
			n--
		}
	}
	if len(es) == 0 {
		return 0, 0, false
	}
	mean := area / max(1, float64(es[len(es)-1].at-from), float64(span))
	// A good part nests at one offset (captures may overlap in part only), and far more than at a random one.
	return lo, hi, best >= 4 && best*3 >= backs && float64(best) >= 3*mean+4
}
