package clock

import (
	"cmp"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// around relates what no constant bounds do: with asymmetric routing each link shows one direction, in which a jump of a clock looks
// like a path that grew longer. Packets are followed from point to point, whatever the clocks between say: what passes a capture
// after a related one bounds its clock from one side, what passes a related one after it from the other, and what moves both sides at
// once is a jump.
func (m *Model) around(r *match.Result) {
	for more := true; more; {
		more = false
		for c := range m.Of {
			if m.Of[c].Known {
				continue
			}
			if e := m.followed(r, c); e != nil && e.Known {
				m.Of[c], more = e.Clock, true
			}
		}
	}
}

// passage is a packet at a capture, and at a related one before (forward) or after it.
type passage struct {
	frame   capture.FrameNo
	ref     RefTime // at the related one, as late as its clock allows where it comes after, as early where it came before
	at      capture.LocalTime
	forward bool
}

// followed estimates a capture's clock against the reference.
func (m *Model) followed(r *match.Result, c int) *Estimate {
	var l []passage
	src := r.Caps[c]
	for _, f := range r.Flows {
		for d, path := range f.Path {
			k := slices.Index(path, c)
			if k < 0 {
				continue
			}
			before, after := m.toward(path, k, -1), m.toward(path, k, 1)
			side := f.Sides[c]
			for _, id := range side.Convs {
				for i := range flow.UpTo(src.Span(id)) {
					x := src.At(i)
					if side.Dir(i) != d || x.Mark&(flow.MarkError|flow.MarkDuplicate|flow.MarkNoTime) != 0 {
						continue
					}
					for n, way := range [2][]int{before, after} {
						if t, ok := m.follow(r, way, i); ok {
							e := RefTime(m.Of[way[len(way)-1]].Error)
							if n == 0 {
								e = -e
							}
							l = append(l, passage{src.Frame(i), t + e, x.Time, n == 0})
						}
					}
				}
			}
		}
	}
	return passages(l)
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

// follow goes from the packet in place i of the first of some captures to the same packet at the last one, and gives its time there.
func (m *Model) follow(r *match.Result, way []int, i uint32) (RefTime, bool) {
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
	t, ok := m.Time(last, i, f.Time)
	return t, ok && !f.Is(flow.MarkNoTime)
}

// passages makes an estimate of them: the reference stands for a link's A.
func passages(l []passage) *Estimate {
	if len(l) == 0 {
		return nil
	}
	slices.SortStableFunc(l, func(x, y passage) int { return cmp.Compare(x.frame, y.frame) })
	e := &Estimate{t0: capture.LocalTime(l[0].ref), AtA: capture.LocalTime(l[0].ref)}
	e.At = l[0].at
	width := len(l)/maxBins + 1
	n := 0 // passages of the bin at hand; those of one frame share a bin, for a step lies between frames
	for k, p := range l {
		t := capture.LocalTime(p.ref)
		if n++; k == 0 || n > width && p.frame != l[k-1].frame {
			n = 1
			e.bins = append(e.bins, bin{from: p.frame, fromB: p.frame, firstA: t, firstB: p.at})
		}
		b := &e.bins[len(e.bins)-1]
		b.last, b.lastF, b.lastA, b.lastB = p.frame, p.frame, t, p.at
		e.note(b, t, p.at, p.forward)
	}
	if e.Forward > 0 && e.Reverse > 0 {
		e.findSteps()
	}
	e.fit()
	return e
}
