package infer

import (
	"math"
	"sync"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// losses counts, for each stretch and direction, the packets that should have passed it and those that did not.
func (v *Verdict) losses() {
	var mu sync.Mutex
	var all [][]passage
	v.parallel(func() func(n int, f *match.Flow) {
		mine := make([]passage, len(v.Segments))
		mu.Lock()
		all = append(all, mine)
		mu.Unlock()
		return func(n int, f *match.Flow) { v.passages(n, f, mine) }
	})
	for _, l := range all {
		for k, p := range l {
			s := v.Segments[k]
			for d := 0; d < 2; d++ {
				s.Sent[d] += p.sent[d]
				s.Lost[d] += p.lost[d]
				for b, n := range p.at[d] {
					if n > 0 && s.LostAt[d] == nil {
						s.LostAt[d] = new([LostBins]int64)
					}
					if n > 0 {
						s.LostAt[d][b] += n
					}
				}
			}
			s.worked.sent += p.worked.sent
			s.worked.lost += p.worked.lost
		}
	}
}

// passage counts packets on a stretch, by direction (0: toward its B), and those of conversations that work.
type passage struct {
	sent, lost [2]int64
	at         [2][LostBins]int64 // lost, over time
	worked     tally
}

// lostBin is the part of the whole time that a frame falls in.
func (v *Verdict) lostBin(c int, i uint32) (int, bool) {
	t, ok := v.Time(c, i)
	if !ok || v.At(c, i).Is(flow.MarkNoTime) || v.Whole[1] <= v.Whole[0] || t < v.Whole[0] {
		return 0, false
	}
	return min(int(float64(t-v.Whole[0])/float64(v.Whole[1]-v.Whole[0])*LostBins), LostBins-1), true
}

type tally struct{ sent, lost int64 }

// passages counts one flow's frames on the stretches that lie ahead of them.
func (v *Verdict) passages(n int, f *match.Flow, into []passage) {
	st := v.State[n]
	o := st.Outcome
	works := o == "ok" || o == "open" || o == "reset"
	for d, p := range f.Path {
		for k, c := range p {
			var ahead *Segment
			if x := v.next(p, k); x >= 0 {
				ahead = v.Segment(c, x)
			}
			s := f.Sides[c]
			pass := func(g *Segment, sent, lost int64) {
				if g == nil {
					return
				}
				q, to := &into[g.Index], toward(g, c)
				q.sent[to] += sent
				q.lost[to] += lost
				if works {
					q.worked.sent += sent
					q.worked.lost += lost
				}
			}
			pass(ahead, int64(st.fates[c][d][FateDelivered]), 0)
			if st.fates[c][d][FateLost] == 0 {
				continue
			}
			for _, id := range s.Convs {
				for i := range flow.UpTo(s.Cap.Span(id)) {
					x := s.Cap.At(i)
					if s.Dir(i) != d || x.Mark&(flow.MarkError|flow.MarkDuplicate) != 0 {
						continue
					}
					if m := v.Marks[c].At(i); m.Fate == FateLost && m.Where > 0 {
						g := v.Segments[m.Where-1]
						pass(g, 1, 1)
						if b, ok := v.lostBin(c, i); ok {
							into[g.Index].at[toward(g, c)][b]++
						}
					}
				}
			}
		}
	}
}

// toward is the direction of what comes from capture c: 0 toward the stretch's B, 1 toward its A.
func toward(g *Segment, c int) int {
	if g.B == c {
		return 1
	}
	return 0
}

// chanceLeast is the expected number of conversations whose answers the ordinary loss of a stretch takes, from which one
// that lacks its answer is such a one.
const chanceLeast = 0.05

// worksLeast is how many conversations of a service must work for each whose one answer was lost, for that loss to be
// no rule.
const worksLeast = 4

// excuse takes back what outcomes said of datagram conversations whose few answers ordinary loss, or a recorder that misses frames,
// may have taken: where conversations that work lose packets too, or the same server's answers to nearly all others come through, one that was
// answered and did not hear of it proves nothing.
func (v *Verdict) excuse() {
	type service struct {
		addr decode.Addr
		port uint16
	}
	of := func(f *match.Flow) service {
		c := f.Path[1][0] // the point nearest to the server
		t := f.Tuple(c)
		return service{t.Dst, t.Dport}
	}
	asked, works, fails := 0, map[service]int{}, map[service]int{}
	for n, f := range v.Flows {
		if f.Proto == flow.ProtoTCP || len(f.Path[1]) == 0 {
			continue
		}
		switch v.State[n].Outcome {
		case "ok":
			asked++
			works[of(f)]++
		case "blackholed-reply":
			fails[of(f)]++
		}
	}
	for n, f := range v.Flows {
		st := v.State[n]
		if f.Proto == flow.ProtoTCP || st.Outcome != "blackholed-reply" {
			continue
		}
		for _, s := range v.Segments {
			lost := len(v.lostOn(s, f, 1))
			if lost == 0 || s.worked.sent == 0 {
				continue
			}
			to := s.B
			if toB, ok := v.Toward(f, 1, s.A, s.B); ok && !toB {
				to = s.A
			}
			rate := float64(s.worked.lost)/float64(s.worked.sent) + v.misses[to]()
			if math.Pow(rate, float64(lost))*float64(asked+1) >= chanceLeast || lost == 1 && works[of(f)] >= worksLeast*fails[of(f)] {
				st.Outcome = "open"
			}
		}
	}
}
