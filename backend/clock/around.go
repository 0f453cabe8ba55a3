package clock

import (
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// around relates what no constant bounds do: with asymmetric routing each link shows one direction, in which a jump of a clock looks
// like a path that grew longer. Packets are followed from point to point, whatever the clocks between say: what passes a capture
// after a related one bounds its clock from one side, what passes a related one after it from the other, and what moves both sides at
// once is a jump. It reports whether any clock jumps, or may.
func (m *Model) around(r *match.Result) (jumps bool) {
	for more := true; more; {
		more = false
		for c := range m.Of {
			if m.Of[c].Known {
				continue
			}
			if e := m.followed(r, c); e != nil && e.Known {
				m.Of[c], more = e.Clock, true
				if e.hidden {
					m.until[c] = RefTime(e.until)
				}
				jumps = jumps || len(e.Steps) > 0 || e.hidden
			}
		}
	}
	return jumps
}

// followed estimates a capture's clock against the reference, which stands for a link's A; frames are the capture's own.
func (m *Model) followed(r *match.Result, c int) *Estimate {
	src := r.Caps[c]
	width := src.Len()/maxBins + 1
	e := &Estimate{bins: make([]bin, src.Len()/width+1)}
	until := RefTime(0)
	for _, f := range r.Flows {
		for d, path := range f.Path {
			k, side := slices.Index(path, c), f.Sides[c]
			if k < 0 || side == nil {
				continue
			}
			ways := [2][]int{m.toward(path, k, -1), m.toward(path, k, 1)} // the packets come from the first, and go to the second
			if ways[0] == nil && ways[1] == nil {
				continue
			}
			for _, id := range side.Convs {
				for i := range flow.UpTo(src.Span(id)) {
					x := src.At(i)
					if side.Dir(i) != d || x.Mark&(flow.MarkError|flow.MarkDuplicate|flow.MarkNoTime) != 0 {
						continue
					}
					for n, way := range ways {
						if t, ok := m.follow(r, way, i, n == 0); ok {
							until = earlier(until, m.until[way[len(way)-1]])
							frame, ref := src.Frame(i), capture.LocalTime(t)
							b := &e.bins[int(frame-1)/width]
							b.reach(frame, frame, ref, x.Time())
							e.note(b, ref, x.Time(), n == 0)
						}
					}
				}
			}
		}
	}
	if e.Forward == 0 || e.Reverse == 0 {
		return nil
	}
	e.settle()
	e.findSteps()
	e.until = capture.LocalTime(until)
	e.fit()
	return e
}

// toward lists the captures from the k-th of a path on to the next one that is related, going by 1 or -1; nil if there is none.
func (m *Model) toward(path []int, k, by int) []int {
	way := []int{path[k]}
	for n := k + by; n >= 0 && n < len(path); n += by {
		if way = append(way, path[n]); m.Of[path[n]].Known {
			return way
		}
	}
	return nil
}

// follow goes from the packet in place i of the first of some captures to the same packet at the last one, and gives its time there: as
// early as that one's clock allows where the packet comes from there, as late as it allows where it goes there.
func (m *Model) follow(r *match.Result, way []int, i uint32, from bool) (RefTime, bool) {
	if len(way) == 0 {
		return 0, false
	}
	var buf [2]match.Pair
	for n, to := range way[1:] {
		l := r.Link(way[n], to)
		if l == nil {
			return 0, false
		}
		ps := l.Peers(way[n], i, buf[:0])
		if len(ps) != 1 || ps[0].How != match.HowIdentity && ps[0].How != match.HowUnique {
			return 0, false
		}
		if i = ps[0].B; to == l.A {
			i = ps[0].A
		}
	}
	last := way[len(way)-1]
	f := r.Caps[last].At(i)
	t, ok := m.Time(last, i, f.Time())
	bound := RefTime(m.Of[last].Error)
	if from {
		bound = -bound
	}
	return t + bound, ok && !f.Is(flow.MarkNoTime)
}
