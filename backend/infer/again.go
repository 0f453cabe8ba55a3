package infer

import (
	"sort"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// Again is what became of the originals of segments that one direction sent again, as the point nearest to their sender saw
// them.
type Again struct {
	Segments int   // data segments sent again
	Lost     []int // by the index of the stretch: the original was lost there
	// The original arrived at the last point: what acknowledged it there first was lost on its way back, or it was not, and
	// came late, or the sender did not wait.
	AckLost, Needless int
	Unknown           int // what became of the original is not known
}

// firstAck is the first frame at a point that acknowledges bytes up to a number, and whether it was lost behind it.
type firstAck struct {
	ack  uint32
	lost bool
}

// starts tells the segments of a stream by where they begin: a list in the order of sequence numbers, which most come in, and
// what came later than numbers behind it.
type starts struct {
	l    []start
	late map[uint32]uint32
}

// start is the place of the latest segment that begins at a sequence number.
type start struct{ seq, place uint32 }

// startsSpan bounds the sequence numbers of a list: comparisons need them within half of all (RFC 9293 §3.4), and nothing is sent
// again after so much else.
const startsSpan = 1 << 30

// at notes a segment, and gives the place of the last one that began there, if any did.
func (s *starts) at(seq, place uint32) (before uint32, again bool) {
	n := len(s.l)
	if n == 0 || int32(seq-s.l[n-1].seq) > 0 {
		if n > 0 && seq-s.l[0].seq > startsSpan {
			k := sort.Search(n, func(i int) bool { return seq-s.l[i].seq <= startsSpan/2 })
			s.l, s.late = s.l[:copy(s.l, s.l[k:])], nil
		}
		s.l = append(s.l, start{seq, place})
		return 0, false
	}
	k := sort.Search(n, func(i int) bool { return int32(s.l[i].seq-seq) >= 0 })
	if s.l[k].seq == seq {
		before, s.l[k].place = s.l[k].place, place
		return before, true
	}
	before, again = s.late[seq]
	if s.late == nil {
		s.late = map[uint32]uint32{}
	}
	s.late[seq] = place
	return before, again
}

// AgainOf tells for one direction of a TCP conversation that several points saw which segments were sent again in vain. Not
// more than the first most frames of a point are looked at.
func (t *Trips) AgainOf(f *match.Flow, d, most int) (out Again) {
	v, p := t.v, f.Path[d]
	if f.Proto != flow.ProtoTCP || len(p) < 2 {
		return out
	}
	out.Lost = make([]int, len(v.Segments))
	first, last := p[0], p[len(p)-1]
	if v.State[f.ID-1].Ends[first].straight[d] {
		return out
	}
	acks, whole := v.acksAt(f, 1-d, last, most, t.acks[:0])
	t.acks = acks
	s, looked := f.Sides[first], 0
	for _, id := range s.Convs {
		sent := &t.sent
		sent.l, sent.late = sent.l[:0], nil
		for i := range flow.UpTo(s.Cap.Span(id)) {
			if looked++; looked > most {
				return out
			}
			x := s.Cap.At(i)
			// One byte sent again keeps a connection alive (RFC 9293 §3.8.4).
			if s.Dir(i) != d || x.Len() <= 1 || x.Flags()&decode.SYN != 0 || x.Mark&(flow.MarkError|flow.MarkDuplicate|flow.MarkLater) != 0 {
				continue
			}
			if k, again := sent.at(x.Seq, i); again {
				out.Segments++
				switch m := v.Marks[first].At(k); {
				case (m.Fate == FateLost || m.Fate == FateConsumed) && m.Where > 0:
					out.Lost[m.Where-1]++
				case m.Fate != FateDelivered || !whole:
					out.Unknown++
				case ackLost(acks, x.Seq+min(x.Len(), s.Cap.At(k).Len())):
					out.AckLost++
				default:
					out.Needless++
				}
			}
		}
	}
	return out
}

// acksAt appends to out the frames of a direction at a point that acknowledge more than any before; ok is false where the conversation
// goes on beyond the first most frames, or is several there, each with numbers of its own.
func (v *Verdict) acksAt(f *match.Flow, d, c, most int, out []firstAck) (_ []firstAck, ok bool) {
	s, looked := f.Sides[c], 0
	if len(s.Convs) != 1 {
		return out, false
	}
	for i := range flow.UpTo(s.Cap.Span(s.Convs[0])) {
		if looked++; looked > most {
			return out, false
		}
		x := s.Cap.At(i)
		if s.Dir(i) != d || x.Flags()&(decode.ACK|decode.RST) != decode.ACK || x.Mark&(flow.MarkError|flow.MarkDuplicate|flow.MarkLater) != 0 {
			continue
		}
		if n := len(out); n == 0 || int32(x.Ack-out[n-1].ack) > 0 {
			m := v.Marks[c].At(i)
			out = append(out, firstAck{x.Ack, m.Fate == FateLost || m.Fate == FateConsumed})
		}
	}
	return out, true
}

// ackLost reports whether the first frame that acknowledges bytes up to end was lost.
func ackLost(l []firstAck, end uint32) bool {
	i := sort.Search(len(l), func(i int) bool { return int32(l[i].ack-end) >= 0 })
	return i < len(l) && l[i].lost
}
