package match

import (
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

// How says by what two frames were paired.
type How uint8

const (
	HowNone      How = iota
	HowIdentity      // same bytes, same identification: nothing else fits
	HowUnique        // same bytes, and no other packet with the same ones on either side
	HowOrder         // equal packets told apart by their order and time
	HowRewritten     // payload rewritten on the way; told by identification and place
	HowResegment     // overlapping bytes of differently cut segments, or fragments of a datagram
	HowRelayed       // same bytes of a stream on two connections
	HowLogical       // SYN, SYN/ACK, FIN, RST counterparts on two connections
)

// Confidence is the percentage that a pairing method stands for where its conversations are certain.
func (h How) Confidence() int {
	return [...]int{0, 100, 99, 90, 95, 98, 97, 95}[h]
}

// Pair is two frames, by place, in the two captures of a Link.
type Pair struct {
	A, B uint32
	How  How
}

// Side is the part of a flow that one capture holds: one conversation, or several where a translation changed its
// mapping while the flow went on.
type Side struct {
	Cap     *flow.Capture
	Convs   []flow.ConvID
	Forward []int               // per conversation: the direction (0, 1) that the flow's initiator sends in
	at      map[flow.ConvID]int // where Convs has each, of many
}

// packets lists the places of flow direction d (0: from the initiator), copies of earlier frames left out, in
// file order.
func (s *Side) packets(d int, buf []uint32) []uint32 {
	var both [2][]uint32
	both[d] = buf
	s.packetsOf(&both, 1<<d)
	return both[d]
}

// packetsOf lists what packets does, of several directions at once: 1 the initiator's, 2 the responder's, 3 both. It takes the room of
// what is in out.
func (s *Side) packetsOf(out *[2][]uint32, dirs uint8) {
	for d := range out {
		if dirs>>d&1 == 0 {
			continue
		}
		n := 0
		for k, id := range s.Convs {
			n += int(s.Cap.Convs[id].Packets[d^s.Forward[k]])
		}
		out[d] = slices.Grow(out[d][:0], n)
	}
	for k, id := range s.Convs {
		from := [2]int{len(out[0]), len(out[1])}
		for i := range flow.UpTo(s.Cap.Span(id)) {
			f := s.Cap.At(i)
			if d := f.Dir() ^ s.Forward[k]; dirs>>d&1 != 0 && f.Mark&flow.MarkDuplicate == 0 {
				out[d] = append(out[d], i)
			}
		}
		for d, at := range from {
			if k > 0 && at > 0 && at < len(out[d]) && dirs>>d&1 != 0 {
				s.merge(out[d], at)
			}
		}
	}
}

// merge puts a list of two runs, each in file order, into file order.
func (s *Side) merge(b []uint32, at int) {
	tail := append([]uint32(nil), b[at:]...)
	i, j, k := at-1, len(tail)-1, len(b)-1
	for j >= 0 {
		if i >= 0 && s.Cap.Frame(b[i]) > s.Cap.Frame(tail[j]) {
			b[k] = b[i]
			i--
		} else {
			b[k] = tail[j]
			j--
		}
		k--
	}
}

// Window bounds the time that a packet may have at B if it is the one in place i of A, in flow direction d.
type Window func(i uint32, d int) (lo, hi capture.LocalTime, ok bool)

// Traits are what a stretch leaves alone in one flow, learnt from packets that are certain.
type Traits struct {
	Shift    [2]uint32 // B's sequence number minus A's, by direction
	KeepsID  bool
	KeepsTS  bool
	Moved    [2]bool // a gateway shifted the numbers of this direction: see stamped
	Stamped  bool    // nothing but timestamps agrees: a gateway changed lengths, and the numbers with them
	KeepsOpt bool    // what segments without timestamps acknowledge selectively
	KeepsWin bool
	Pairs    int // certain packets that the traits come from
	IDPairs  int // those of them with an identification to compare
	SameID   int
	TSPairs  int // those with timestamps to compare
	SameTS   int
	// Step is by how much the TTL falls from A to B, by direction; HasStep: nearly all certain packets agree in it.
	Step    [2]int8
	HasStep [2]bool
	// Longer is by how many bytes frames are longer at B, by direction; HasLonger: nearly all certain packets agree in it. Learnt
	// only where a snaplen cut TCP headers and the payload's length is not known.
	Longer    [2]int32
	HasLonger [2]bool
}

// matcher pairs the packets of two sides. It is reused from flow to flow for its buffers.
type matcher struct {
	lvl    level
	a, b   *flow.Capture
	sideA  *Side
	dt     [2][]int64
	la, lb [2][]uint32
	// versions: a translator between IP versions stands between.
	versions bool
	optsCut  bool          // either capture lacks options of TCP that the snaplen cut
	short    cutTier       // of the two sides at hand: how much of their TCP headers both hold
	lists    [][2][]uint32 // by capture: pairFlow's room, as are
	down, up []rest        // what has no counterpart yet, by place in the path: further on, and further back
	traits   Traits        // pairStretch's room
	restA    []uint32
	restB    []uint32
	groups   []grouped
	bodies   [2][]body
	holders  []holder // for uniques, as are
	keys     []uint64
	pairs    []Pair
	out      []Pair
	openA    []uint32 // joined or split segments of which not all bytes have a counterpart yet
	openB    []uint32
	moreA    []uint32 // those of stretches before
	moreB    []uint32
	fromA    bool    // packets of the direction at hand pass A first
	anyWay   bool    // it is not known which
	copies   [2]bool // of the group at hand: what A, or B, has more of are copies
	limit    int     // packets at either end of a list that a probe looks at; 0: probeLimit
	more     bool    // the lists at hand may lack packets from the middle
}

// cutTier is how much of TCP headers a snaplen left.
type cutTier uint8

const (
	cutNot    cutTier = iota // flags and window at least
	cutAck                   // sequence and acknowledgement number
	cutNumber                // sequence number
)

// cutLook is the number of packets by which a side's headers are judged: all of a conversation are cut at one length.
const cutLook = 8

// Short reports whether a snaplen cut the headers of a TCP conversation in front of their flags, see flow.Fact.Short.
func (s *Side) Short() bool { return s.cut() != cutNot }

// cut is how much of its TCP headers a side holds.
func (s *Side) cut() cutTier {
	if !s.Cap.HeadersCut {
		return cutNot
	}
	short, acked := false, false
	for _, id := range s.Convs {
		n := 0
		for i := range flow.UpTo(s.Cap.Span(id)) {
			f := s.Cap.At(i)
			if f.Mark&(flow.MarkError|flow.MarkLater) != 0 {
				continue
			}
			short = short || f.Short()
			acked = acked || f.Short() && f.Ack != 0
			if n++; n == cutLook {
				break
			}
		}
	}
	switch {
	case !short:
		return cutNot
	case acked:
		return cutAck
	}
	return cutNumber
}

// flagsKept are the TCP flags that no device changes without saying something else.
const flagsKept = decode.SYN | decode.FIN | decode.RST | decode.ACK

// loose is a packet's key by what it carries, see content.
func (m *matcher) loose(f *flow.Fact, proto uint8, ds, da uint32) uint64 {
	return flow.Mix(m.content(f, proto, ds, da))
}

// content is what a packet carries, in two words; ds and da shift its numbers to B's.
func (m *matcher) content(f *flow.Fact, proto uint8, ds, da uint32) (x, y uint64) {
	h := uint64(0)
	if f.Len() > 0 {
		h = m.lvl.hash(f)
	}
	switch {
	case f.Is(flow.MarkError) && m.versions:
		return uint64(f.Head)<<32 | uint64(f.Flags())<<16 | uint64(f.Window), 4
	case f.Is(flow.MarkError):
		return uint64(f.Full)<<32 | uint64(f.Flags())<<16 | uint64(f.Window), 3
	case f.Is(flow.MarkLater):
		return uint64(f.Seq)<<32 | uint64(f.Ack), h<<32 | uint64(f.Len()) | 1<<63
	case proto == flow.ProtoTCP && m.short != cutNot:
		ack := uint32(0)
		if m.short == cutAck && f.Ack != 0 {
			ack = f.Ack + da
		}
		return uint64(f.Seq+ds)<<32 | uint64(ack), 5
	case proto == flow.ProtoTCP:
		ack := uint32(0)
		if f.Flags()&decode.ACK != 0 {
			ack = f.Ack + da
		}
		return uint64(f.Seq+ds)<<32 | uint64(ack), h<<32 | uint64(f.Len())<<8 | uint64(f.Flags()&flagsKept)
	case proto == flow.ProtoICMP || proto == flow.ProtoICMPv6:
		return uint64(f.Ack)<<32 | uint64(f.Flags())<<16 | uint64(f.Window), h<<32 | uint64(f.Len())
	}
	return uint64(f.Seq)<<32 | uint64(f.Ack), h<<32 | uint64(f.Len())
}

// strict narrows a loose key by what the stretch keeps.
func (m *matcher) strict(t *Traits, k uint64, f *flow.Fact) uint64 {
	var x uint64
	if t.KeepsID {
		x = uint64(f.IPID)
	}
	if t.KeepsWin {
		x |= uint64(f.Window) << 16
	}
	if m.optsCut {
		return flow.Mix(k, x) // of two sendings of one packet one may lack what the other has
	}
	if t.KeepsTS {
		x ^= uint64(f.TSval) << 32
	}
	if t.KeepsTS || t.KeepsOpt && !f.Is(flow.MarkTS) {
		x ^= uint64(f.Opt) << 20
	}
	return flow.Mix(k, x)
}
