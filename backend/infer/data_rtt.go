package infer

import (
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// Spread sums up times, ns; N 0: there are none.
type Spread struct {
	N                int
	Min, Median, P99 int64
}

func spread(l []int64) Spread {
	if len(l) == 0 {
		return Spread{}
	}
	slices.Sort(l)
	return Spread{len(l), l[0], l[len(l)/2], l[min(len(l)-1, len(l)*99/100)]}
}

// unacknowledged is a data segment whose acknowledgement has not come.
type unacknowledged struct {
	end   uint32
	at    capture.LocalTime
	again bool // it, or bytes before its end, were sent more than once
}

// queue holds what waits, oldest first, in room that is used again.
type queue struct {
	l    []unacknowledged
	done int // of l, what waits no longer
}

func (q *queue) waiting() []unacknowledged { return q.l[q.done:] }

func (q *queue) len() int { return len(q.l) - q.done }

// drop takes the n oldest out.
func (q *queue) drop(n int) {
	if q.done += n; q.done == len(q.l) {
		q.l, q.done = q.l[:0], 0
	}
}

func (q *queue) add(x unacknowledged) {
	if len(q.l) == cap(q.l) && q.done > len(q.l)/2 {
		q.l, q.done = q.l[:copy(q.l, q.l[q.done:])], 0
	}
	q.l = append(q.l, x)
}

// openMost bounds the segments that wait for their acknowledgement.
const openMost = 1 << 12

// Trips looks at conversations, one after another, in room that it uses again.
type Trips struct {
	v     *Verdict
	times [2][]int64
	open  [2]queue
	acks  []firstAck
	sent  starts
}

// NewTrips gives one for a single goroutine.
func (v *Verdict) NewTrips() *Trips { return &Trips{v: v} }

// DataRTTAt is the round trip of a TCP conversation as one point sees it all along: from a data segment to its
// acknowledgement. Index 0: of the initiator's data, so to the responder's side and back; 1: to the initiator's side. Segments
// that were sent again tell nothing (Karn & Partridge 1987), nor do those that an acknowledgement covers besides the last:
// they waited for it. Not more than the first most frames are looked at.
func (t *Trips) DataRTTAt(f *match.Flow, c, most int) (out [2]Spread) {
	s := f.Sides[c]
	if f.Proto != flow.ProtoTCP || s == nil {
		return out
	}
	times, open := &t.times, &t.open
	times[0], times[1] = times[0][:0], times[1][:0]
	looked := 0
	for _, id := range s.Convs {
		var high [2]reach
		open[0].drop(open[0].len())
		open[1].drop(open[1].len())
		for i := range flow.UpTo(s.Cap.Span(id)) {
			if looked++; looked > most {
				break
			}
			x := s.Cap.At(i)
			if x.Mark&(flow.MarkError|flow.MarkDuplicate|flow.MarkLater|flow.MarkNoTime) != 0 {
				continue
			}
			d := s.Dir(i)
			if x.Flags()&(decode.ACK|decode.RST) == decode.ACK {
				q, n := open[1-d].waiting(), 0
				for n < len(q) && int32(x.Ack-q[n].end) >= 0 {
					n++
				}
				if n > 0 && q[n-1].end == x.Ack && !q[n-1].again && x.Time() >= q[n-1].at {
					times[1-d] = append(times[1-d], int64(x.Time()-q[n-1].at))
				}
				open[1-d].drop(n)
			}
			if x.Len() == 0 || x.Flags()&decode.SYN != 0 {
				continue
			}
			end := x.Seq + x.Len()
			if high[d].known && int32(end-high[d].seq) <= 0 {
				for k, q := 0, open[d].waiting(); k < len(q); k++ {
					q[k].again = q[k].again || int32(q[k].end-x.Seq) > 0
				}
			} else {
				if open[d].len() == openMost {
					open[d].drop(1)
				}
				open[d].add(unacknowledged{end: end, at: x.Time()})
			}
			high[d].to(end)
		}
	}
	return [2]Spread{spread(times[0]), spread(times[1])}
}
