package infer

import "github.com/corr-dev/corr/backend/flow"

// losses counts, for each stretch and direction, the packets that should have passed it and those that did not.
func (v *Verdict) losses() {
	for _, f := range v.Flows {
		for d, p := range f.Path {
			for k, c := range p {
				s := f.Sides[c]
				for _, id := range s.Convs {
					for _, i := range s.Cap.Packets(id) {
						x := s.Cap.At(i)
						if s.Dir(x) != d || x.Mark&(flow.MarkError|flow.MarkDuplicate) != 0 {
							continue
						}
						v.countPassage(p, k, c, i)
					}
				}
			}
		}
	}
}

// countPassage counts a frame at the k-th point of its path on the stretch that lies ahead.
func (v *Verdict) countPassage(p []int, k, c int, i uint32) {
	m := v.Marks[c][i]
	switch {
	case m.Fate == FateLost && m.Where > 0:
		g := v.Segments[m.Where-1]
		to := 0
		if g.B == c {
			to = 1
		}
		g.Sent[to]++
		g.Lost[to]++
	case m.Fate == FateDelivered && k+1 < len(p):
		if g := v.Segment(c, p[k+1]); g != nil {
			to := 0
			if g.B == c {
				to = 1
			}
			g.Sent[to]++
		}
	}
}
