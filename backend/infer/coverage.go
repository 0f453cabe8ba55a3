package infer

import (
	"cmp"
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// coverage is what a capture holds of one direction of a TCP stream: the bytes that its frames carry, and how far the
// receiver acknowledged. Offsets count from base.
type coverage struct {
	base  uint32
	have  []extent // merged, ascending
	again []extent // those of them that came more than once, or behind later ones; merged, ascending
	acked int64
	any   bool
	on    []milestone // ascending; by them numbers that have gone round are told apart
}

// milestone says how far a stream has come at a frame.
type milestone struct {
	place uint32
	at    int64
}

// milestoneEvery is how many bytes lie between milestones: so few that a number near the last one is told for certain.
const milestoneEvery = 1 << 30

// offset is the place in the stream of a frame's first byte.
func (x *coverage) offset(place, seq uint32) int64 {
	k, found := slices.BinarySearchFunc(x.on, place, func(m milestone, i uint32) int { return cmp.Compare(m.place, i) })
	if !found {
		k--
	}
	near := int64(0)
	if k >= 0 {
		near = x.on[k].at
	}
	return unwrapped(seq, x.base, near)
}

// extent is a run of stream bytes, end excluded.
type extent struct{ from, to int64 }

type coverKey struct{ c, d int }

// coverageOf gathers a direction's coverage at a capture, once per flow.
func (j *judge) coverageOf(f *match.Flow, c, d int) *coverage {
	k := coverKey{c, d}
	if x := j.cover[k]; x != nil {
		return x
	}
	x := &coverage{acked: -1 << 62}
	s := f.Sides[c]
	var acks []uint32            // those before base is known
	high := int64(math.MinInt64) // the end of what came so far
	var at, passed int64         // where the last frame lies, and the last milestone
	for _, id := range s.Convs {
		for i := range flow.UpTo(s.Cap.Span(id)) {
			y := s.Cap.At(i)
			if y.Mark&(flow.MarkError|flow.MarkLater) != 0 {
				continue
			}
			if s.Dir(i) != d {
				switch {
				case y.Flags()&decode.ACK == 0:
				case x.any:
					x.acked = max(x.acked, unwrapped(y.Ack, x.base, max(x.acked, 0)))
				default:
					acks = append(acks, y.Ack)
				}
				continue
			}
			if !x.any {
				x.base, x.any = y.Seq, true
			}
			if y.Len() > 0 {
				o := unwrapped(y.Seq, x.base, at)
				if at = o; o-passed >= milestoneEvery {
					passed = o
					x.on = append(x.on, milestone{i, o})
				}
				e := extent{o, o + int64(y.Len())}
				if n := len(x.have); n > 0 && x.have[n-1].from <= o && o <= x.have[n-1].to { // most go on where the last one ended
					x.have[n-1].to = max(x.have[n-1].to, e.to)
				} else {
					x.have = append(x.have, e)
				}
				if o < high {
					x.again = append(x.again, extent{o, min(e.to, high)})
				}
				high = max(high, e.to)
			}
		}
	}
	if !x.any && len(acks) > 0 {
		x.base, x.any = acks[0], true
	}
	for _, a := range acks {
		x.acked = max(x.acked, int64(int32(a-x.base)))
	}
	x.have, x.again = merged(x.have), merged(x.again)
	j.cover[k] = x
	return x
}

// merged sorts extents and joins those that touch, in place.
func merged(l []extent) []extent {
	slices.SortFunc(l, func(a, b extent) int { return cmp.Compare(a.from, b.from) })
	n := 0
	for _, e := range l {
		if n > 0 && e.from <= l[n-1].to {
			l[n-1].to = max(l[n-1].to, e.to)
			continue
		}
		l[n] = e
		n++
	}
	return l[:n]
}

// touches reports whether any byte of a run is in one of some extents.
func touches(l []extent, e extent) bool {
	k, _ := slices.BinarySearchFunc(l, e.from, func(h extent, at int64) int { return cmp.Compare(h.to-1, at) })
	return k < len(l) && l[k].from < e.to
}

// holds reports whether every byte of a run is in the capture.
func (x *coverage) holds(e extent) bool {
	k, _ := slices.BinarySearchFunc(x.have, e.from, func(h extent, at int64) int { return cmp.Compare(h.to-1, at) })
	return k < len(x.have) && x.have[k].from <= e.from && x.have[k].to >= e.to
}

// dropped reports whether acknowledgements prove that a data segment without counterpart at s.to did pass there: the
// receiver confirmed bytes that no frame of that capture carries. Its recorder dropped the frame; either is set where the bytes were
// sent again, so that it may have been the other one.
func (j *judge) dropped(f *match.Flow, c, d int, i uint32, s step) (yes, either bool) {
	x := j.v.At(c, i)
	if f.Proto != flow.ProtoTCP || x.Len() == 0 || x.Flags()&decode.ACK == 0 || j.shifting(f, s) {
		return false, false
	}
	shift := uint32(0)
	if s.joint != nil {
		shift = s.joint.Traits.Shift[d]
		if c == s.joint.B {
			shift = -shift
		}
	}
	o := j.coverageOf(f, s.to, d)
	if !o.any {
		return false, false
	}
	from := int64(int32(x.Seq + shift - o.base))
	if len(o.on) > 0 {
		own := j.coverageOf(f, c, d)
		from = own.offset(i, x.Seq) + int64(int32(own.base+shift-o.base))
	}
	e := extent{from, from + int64(x.Len())}
	if o.acked < e.to || o.holds(e) {
		return false, false
	}
	if s.down { // what comes out behind the other point has passed it
		own := j.coverageOf(f, c, d)
		from = own.offset(i, x.Seq)
		either = touches(own.again, extent{from, from + int64(x.Len())})
	}
	return true, either
}

const (
	continuesBack  = 16 // packets of a conversation that are looked back at
	continuesSteps = 4  // by so many identifications a sender may go on, others' packets in between
)

// continues reports whether a frame that the point before did not see comes from the sender all the same, whose recorder missed
// it: its identification goes on where the sender's last packet stood, and it passed as many routers. Of what a device makes up
// that is true by one chance in thousands.
func (j *judge) continues(c int, i uint32, s step) bool {
	x := j.v.At(c, i)
	if x.IPID == 0 || x.Mark&(flow.MarkError|flow.MarkLater) != 0 {
		return false
	}
	id := j.v.Caps[c].ID(i)
	if id == flow.NoConv {
		return false
	}
	from, _ := j.v.Caps[c].Span(id)
	for k := i; k > from && i-k < continuesBack; {
		k--
		y := j.v.At(c, k)
		if y.Dir() != x.Dir() || y.IPID == 0 || y.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate) != 0 {
			continue
		}
		has, _ := j.has(s, c, k)
		return has && y.TTL == x.TTL && x.IPID-y.IPID > 0 && x.IPID-y.IPID <= continuesSteps
	}
	return false
}

// shifting reports whether an application gateway on the stretch changes the stream's length, so that places in it do
// not compare.
func (j *judge) shifting(f *match.Flow, s step) bool {
	if s.joint == nil {
		return false
	}
	k := coverKey{-1 - s.to, 0}
	if x := j.cover[k]; x != nil {
		return x.any
	}
	x := &coverage{}
	if l := j.v.Link(s.joint.A, s.joint.B); l != nil {
		side := f.Sides[s.joint.A]
		for _, id := range side.Convs {
			for i := range flow.UpTo(side.Cap.Span(id)) {
				x.any = x.any || l.A == s.joint.A && l.ToB[i] != 0 && l.How[i] == match.HowRewritten
			}
		}
	}
	j.cover[k] = x
	return x.any
}
