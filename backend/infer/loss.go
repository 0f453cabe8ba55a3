package infer

import (
	"sync"

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
			}
			s.worked.sent += p.worked.sent
			s.worked.lost += p.worked.lost
		}
	}
}

// passage counts packets on a stretch, by direction (0: toward its B), and those of conversations that work.
type passage struct {
	sent, lost [2]int64
	worked     tally
}

type tally struct{ sent, lost int64 }

// passages counts one flow's frames on the stretches that lie ahead of them.
func (v *Verdict) passages(n int, f *match.Flow, into []passage) {
	o := v.State[n].Outcome
	works := o == "ok" || o == "open" || o == "reset"
	for d, p := range f.Path {
		for k, c := range p {
			var ahead *Segment
			if k+1 < len(p) {
				ahead = v.Segment(c, p[k+1])
			}
			s := f.Sides[c]
			for _, id := range s.Convs {
				for _, i := range s.Cap.Packets(id) {
					x := s.Cap.At(i)
					if s.Dir(x) != d || x.Mark&(flow.MarkError|flow.MarkDuplicate) != 0 {
						continue
					}
					g, lost := ahead, int64(0)
					switch m := v.Marks[c][i]; {
					case m.Fate == FateLost && m.Where > 0:
						g, lost = v.Segments[m.Where-1], 1
					case m.Fate != FateDelivered:
						continue
					}
					if g == nil {
						continue
					}
					q, to := &into[g.Index], 0
					if g.B == c {
						to = 1
					}
					q.sent[to]++
					q.lost[to] += lost
					if works {
						q.worked.sent++
						q.worked.lost += lost
					}
				}
			}
		}
	}
}
