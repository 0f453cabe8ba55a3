package match

import (
	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

// passing is what is known of how packets get from A to B where a device between the two answers for itself; nil before the
// clocks are known.
type passing struct {
	window Window
	aFirst bool // the initiator's packets pass A first
}

// fromA reports whether packets of direction d pass A first.
func (p *passing) fromA(d int) bool { return p.aFirst == (d == 0) }

// repeatLeast is how long a sender waits at least before it repeats itself, ns: what is not known more closely tells nothing of
// which sending was passed on. RFC 6298 §2.4 has 1 s, common systems 200 ms.
const repeatLeast = 200_000_000

// at bounds the time at B of what is in place i of A.
func (p *passing) at(a, b *Side, i, j uint32, d int) (lo, hi capture.LocalTime, ok bool) {
	if a.Cap.At(i).Is(flow.MarkNoTime) || b.Cap.At(j).Is(flow.MarkNoTime) || p == nil || p.window == nil {
		return 0, 0, false
	}
	lo, hi, ok = p.window(i, d)
	return lo, hi, ok && hi-lo < repeatLeast
}

// late reports whether j was seen at B later, by what a sender waits before it repeats itself, than if it came of i at A and
// was passed on at once; or, of what passes B first, i at A later than j.
func (p *passing) late(a, b *Side, i, j uint32, d int) bool {
	lo, hi, ok := p.at(a, b, i, j, d)
	t := b.Cap.At(j).Time()
	return ok && (p.fromA(d) && t > hi+repeatLeast || !p.fromA(d) && t < lo-repeatLeast)
}

// follows reports whether what is said to follow was seen when its cause can have come.
func (p *passing) follows(a, b *Side, i, j uint32, d int) bool {
	lo, hi, ok := p.at(a, b, i, j, d)
	t := b.Cap.At(j).Time()
	return ok && (p.fromA(d) && t >= lo || !p.fromA(d) && t <= hi)
}

// syn pairs the initiator's SYN with the one that the device sends for it: of several sendings the one that was answered, or
// the last that can have come before, where the clocks tell. None is paired whose counterpart may have passed before its
// capture began, and was sent again later.
func (p *passing) syn(out []Pair, a, b *Side) []Pair {
	x, ok := firstWith(a, 0, decode.SYN)
	y, ok2 := firstWith(b, 0, decode.SYN)
	if !ok || !ok2 || p == nil {
		return appendFirst(out, a, b, 0, decode.SYN)
	}
	from, sent := a, &x
	if !p.fromA(0) {
		from, sent = b, &y
	}
	answer, answered := firstWith(from, 1, decode.SYN)
	for _, i := range from.packets(0, nil) {
		f, g := from.Cap.At(i), from.Cap.At(*sent)
		if f.Flags()&decode.SYN == 0 || f.Seq != g.Seq || f.Mark&(flow.MarkError|flow.MarkLater) != 0 || f.Time() <= g.Time() {
			continue
		}
		last := *sent
		*sent = i
		if _, _, known := p.at(a, b, x, y, 0); known && p.follows(a, b, x, y, 0) || !known && answered && f.Time() < from.Cap.At(answer).Time() {
			continue
		}
		*sent = last
	}
	if p.late(a, b, x, y, 0) && p.unseen(a, b, x, y) {
		return out
	}
	return append(out, Pair{x, y, HowLogical})
}

// unseen reports whether the side that a SYN reaches second began to record only after it would have come there at once.
func (p *passing) unseen(a, b *Side, i, j uint32) bool {
	lo, hi, ok := p.at(a, b, i, j, 0)
	if p.fromA(0) {
		return ok && hi < b.Cap.First
	}
	// What the clocks' difference takes from A to B it takes back from B to A.
	return ok && a.Cap.At(i).Time()-(lo-b.Cap.At(j).Time()) < a.Cap.First
}

// resends is how many segments back a repeated one is looked for.
const resends = 256

// withoutLost leaves out pairs of a segment that got lost before the device: its bytes were sent again when the sender had
// waited for long, nothing had acknowledged them, and they went on when the second sending would have, but not the first.
// A device that waits for its own peer holds bytes for as long as quicker repetitions take.
func (p *passing) withoutLost(a, b *Side, pairs []Pair) []Pair {
	if p == nil || len(pairs) == 0 {
		return pairs
	}
	var again [2]map[uint32]uint32
	for d := range again {
		from := b
		if p.fromA(d) {
			from = a
		}
		again[d] = sentAgain(from, d)
	}
	if len(again[0])+len(again[1]) == 0 {
		return pairs
	}
	// source gives who sent what a pair passed on, and how much later, by both clocks, it was seen behind the device.
	source := func(q Pair) (d int, from *flow.Capture, place uint32, delay capture.LocalTime) {
		f, h := a.Cap.At(q.A), b.Cap.At(q.B)
		if d = a.Dir(q.A); p.fromA(d) {
			return d, a.Cap, q.A, h.Time() - f.Time()
		}
		return d, b.Cap, q.B, f.Time() - h.Time()
	}
	least := [2]capture.LocalTime{1 << 62, 1 << 62}
	for _, q := range pairs {
		d, _, _, delay := source(q)
		least[d] = min(least[d], delay)
	}
	out := pairs[:0]
	for _, q := range pairs {
		d, from, place, delay := source(q)
		if next, ok := again[d][place]; ok && !from.At(place).Is(flow.MarkNoTime) {
			if gap := from.At(next).Time() - from.At(place).Time(); delay-least[d] > gap-gap/4 {
				continue
			}
		}
		out = append(out, q)
	}
	return out
}

// ackLooks bounds the packets of a side that are looked at for acknowledgements.
const ackLooks = 1 << 22

// sentAgain finds to each data segment of a direction the next one that holds all its bytes, if that comes as late as one that
// was waited for, or was asked for, and nothing acknowledged them in between.
func sentAgain(s *Side, d int) map[uint32]uint32 {
	var out map[uint32]uint32
	looks := 0
	segs := stream(s, d)
	high := int64(-1 << 62)
	for k, y := range segs {
		if y.off < high {
			for j := k - 1; j >= max(0, k-resends); j-- {
				x := segs[j]
				if x.off < y.off || x.off+x.n > y.off+y.n {
					continue
				}
				if looks += int(max(y.i, x.i) - x.i); looks > ackLooks {
					return out
				}
				if s.acknowledged(x.i, y.i) || s.Cap.At(y.i).Time()-s.Cap.At(x.i).Time() < repeatLeast && !s.missing(x.i, y.i) {
					continue
				}
				if out == nil {
					out = map[uint32]uint32{}
				}
				if _, ok := out[x.i]; !ok {
					out[x.i] = y.i
				}
			}
		}
		high = max(high, y.off+y.n)
	}
	return out
}

// missing reports whether the other side asks for a segment, again and again, before a later one: what came behind it arrived
// (RFC 5681 §3.2).
func (s *Side) missing(from, to uint32) bool {
	f := s.Cap.At(from)
	n := 0
	_, end := s.Cap.Span(s.Cap.ID(from))
	for i := from + 1; i < min(to, end); i++ {
		g := s.Cap.At(i)
		if g.Dir() != f.Dir() && g.Flags()&(decode.ACK|decode.SYN|decode.RST) == decode.ACK && g.Len() == 0 && g.Ack == f.Seq && g.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate) == 0 {
			n++
		}
	}
	return n >= askedLeast
}

// askedLeast is how many acknowledgements of what comes before a segment tell that it is missing: the first may be that of what
// came before, not of what came behind.
const askedLeast = 3

// acknowledged reports whether the other side acknowledges the bytes of a segment before a later one.
func (s *Side) acknowledged(from, to uint32) bool {
	f := s.Cap.At(from)
	_, end := s.Cap.Span(s.Cap.ID(from))
	for i := from + 1; i < min(to, end); i++ {
		g := s.Cap.At(i)
		if g.Dir() != f.Dir() && g.Flags()&decode.ACK != 0 && g.Mark&(flow.MarkError|flow.MarkLater) == 0 && int32(g.Ack-f.Seq-f.Len()) >= 0 {
			return true
		}
	}
	return false
}
