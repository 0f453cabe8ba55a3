package infer

import (
	"sync"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// initials are the values that IP stacks start the TTL or hop limit with: 32 (old Windows), 64 (Linux, BSD, macOS; RFC
// 1700), 128 (Windows), 255 (network equipment, Solaris). 60 (AIX) can't be told from 64 four routers on and is left out.
var initials = [...]uint8{32, 64, 128, 255}

// Hops knows how many routers lie between a sender and a point.
type Hops struct {
	by [][][2]Hop // by capture, conversation and direction
}

type sender struct {
	version uint8
	addr    decode.Addr
}

// Hop is the number of routers that most packets of a sender have passed at a point.
type Hop struct {
	hops  uint8
	known bool
}

// Unknown is the number of hops where nothing tells.
const Unknown = -1

// initialOf is the least initial value that a TTL can come from.
func initialOf(ttl uint8) uint8 {
	for _, i := range initials {
		if ttl <= i {
			return i
		}
	}
	return 255
}

// hopsLook is how many packets of a conversation are looked at: more of one sender say nothing new.
const hopsLook = 64

// newHops takes, for each sender and point, the most frequent TTL: single packets may have been sent with another one
// (traceroute, an injected reset).
func newHops(r *match.Result) *Hops {
	h := &Hops{by: make([][][2]Hop, len(r.Caps))}
	var wg sync.WaitGroup
	for k, c := range r.Caps {
		wg.Go(func() { h.by[k] = hopsAt(c) })
	}
	wg.Wait()
	return h
}

func hopsAt(c *flow.Capture) [][2]Hop {
	number := map[sender]int{}
	of := make([][2]int, len(c.Convs)) // by conversation and direction: its sender's number
	var all []sent                     // by that
	var n [2][256]uint32
	var ttls [2][]uint8
	for id := range c.Convs {
		from, to := c.Span(flow.ConvID(id))
		for i := from; i < min(to, from+hopsLook); i++ {
			f := c.At(i)
			if f.Mark&(flow.MarkError|flow.MarkDuplicate) == 0 {
				d := f.Dir()
				if n[d][f.TTL] == 0 {
					ttls[d] = append(ttls[d], f.TTL)
				}
				n[d][f.TTL]++
			}
		}
		cv := c.Conv(flow.ConvID(id))
		for dir, a := range [2]decode.Addr{cv.Src, cv.Dst} {
			k, known := number[sender{cv.Version, a}]
			if !known {
				k = len(all)
				number[sender{cv.Version, a}] = k
				all = append(all, sent{})
			}
			of[id][dir] = k
			for _, t := range ttls[dir] {
				all[k].add(t, n[dir][t])
				n[dir][t] = 0
			}
			ttls[dir] = ttls[dir][:0]
		}
	}
	usual := make([]Hop, len(all))
	for k := range all {
		usual[k] = all[k].usual()
	}
	out := make([][2]Hop, len(c.Convs))
	for id := range out {
		out[id] = [2]Hop{usual[of[id][0]], usual[of[id][1]]}
	}
	return out
}

// sent counts the packets of a sender by their TTL: nearly all have one.
type sent struct {
	ttl   uint8
	n     uint32
	other map[uint8]uint32
}

func (s *sent) add(ttl uint8, n uint32) {
	switch {
	case s.n == 0 || s.ttl == ttl:
		s.ttl = ttl
		s.n += n
	default:
		if s.other == nil {
			s.other = map[uint8]uint32{}
		}
		s.other[ttl] += n
	}
}

// usual is what most packets of the sender have passed; of equally frequent TTLs the least counts.
func (s *sent) usual() Hop {
	ttl, most := s.ttl, s.n
	for t, n := range s.other {
		if n > most || n == most && t < ttl {
			ttl, most = t, n
		}
	}
	if most == 0 {
		return Hop{}
	}
	return Hop{initialOf(ttl) - ttl, true}
}

// Usual is what most packets of a conversation's sender have passed at a point; dir is the conversation's direction.
func (h *Hops) Usual(capture int, id flow.ConvID, dir int) Hop { return h.by[capture][id][dir] }

// Of is the number of routers between the sender of a frame, whose usual number n is, and the point, and the sender's
// initial TTL; Unknown, 0 for frames without an IP header.
func (n Hop) Of(f *flow.Fact) (hops int, initial uint8) {
	if f.TTL == 0 {
		return Unknown, 0
	}
	i := initialOf(f.TTL)
	own := int(i) - int(f.TTL)
	if f.Is(flow.MarkError) {
		// Sent by whoever gave up on the packet, not by the conversation's end.
		return own, i
	}
	if !n.known {
		return Unknown, 0
	}
	usual := int(n.hops)
	if own <= usual || int(f.TTL)+usual > 255 {
		return own, i // the usual one, or made by somebody nearer in the sender's name
	}
	return usual, uint8(int(f.TTL) + usual) // sent with an unusual TTL (traceroute)
}
