package infer

import (
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// initials are the values that IP stacks start the TTL or hop limit with: 32 (old Windows), 64 (Linux, BSD, macOS; RFC
// 1700), 128 (Windows), 255 (network equipment, Solaris). 60 (AIX) can't be told from 64 four routers on and is left out.
var initials = [...]uint8{32, 64, 128, 255}

// Hops knows how many routers lie between a sender and a point.
type Hops struct {
	by []map[sender]hopCount // by capture
}

type sender struct {
	version uint8
	addr    decode.Addr
}

type hopCount struct {
	hops    int
	initial uint8
	sure    bool
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

// newHops takes, for each sender and point, the most frequent TTL: single packets may have been sent with another one
// (traceroute, an injected reset).
func newHops(r *match.Result) *Hops {
	h := &Hops{by: make([]map[sender]hopCount, len(r.Caps))}
	for k, c := range r.Caps {
		h.by[k] = map[sender]hopCount{}
		counts := map[sender]*[256]uint32{}
		for id := range c.Convs {
			cv := c.Conv(flow.ConvID(id))
			for dir, a := range []decode.Addr{cv.Src, cv.Dst} {
				s := sender{cv.Version, a}
				n := counts[s]
				if n == nil {
					n = new([256]uint32)
					counts[s] = n
				}
				for j, i := range c.Packets(flow.ConvID(id)) {
					f := c.At(i)
					if f.Dir() == dir && f.Mark&(flow.MarkError|flow.MarkDuplicate) == 0 {
						n[f.TTL]++
					}
					if j > 64 {
						break
					}
				}
			}
		}
		for s, n := range counts {
			best := 0
			for t, x := range n {
				if x > n[best] {
					best = t
				}
			}
			if n[best] > 0 {
				i := initialOf(uint8(best))
				h.by[k][s] = hopCount{int(i) - best, i, true}
			}
		}
	}
	return h
}

// usual is the number of routers that most packets of a frame's sender have passed at a point.
func (h *Hops) usual(c *flow.Capture, capture int, f *flow.Fact) (hops int, ok bool) {
	cv := c.Conv(f.ID())
	a := cv.Src
	if f.Reverse() {
		a = cv.Dst
	}
	n, ok := h.by[capture][sender{cv.Version, a}]
	return n.hops, ok
}

// Of is the number of routers between the sender of a frame and the point, and the sender's initial TTL; Unknown, 0 for
// frames without an IP header.
func (h *Hops) Of(r *match.Result, capture int, f *flow.Fact) (hops int, initial uint8) {
	id := f.ID()
	if id == flow.NoConv || f.TTL == 0 {
		return Unknown, 0
	}
	c := r.Caps[capture]
	cv := c.Conv(id)
	a := cv.Src
	if f.Reverse() {
		a = cv.Dst
	}
	if f.Is(flow.MarkError) {
		// Sent by whoever gave up on the packet, not by the conversation's end.
		i := initialOf(f.TTL)
		return int(i) - int(f.TTL), i
	}
	n, ok := h.by[capture][sender{cv.Version, a}]
	if !ok {
		return Unknown, 0
	}
	i := initialOf(f.TTL)
	if own := int(i) - int(f.TTL); own <= n.hops || int(f.TTL)+n.hops > 255 {
		return own, i // the usual one, or made by somebody nearer in the sender's name
	}
	return n.hops, uint8(int(f.TTL) + n.hops) // sent with an unusual TTL (traceroute)
}
