package flow

import (
	"cmp"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

const (
	// maxFragmented bounds the datagrams kept in pieces; the oldest goes first.
	maxFragmented = 1 << 14
	// maxSpan is the number of frames after which a fragment is not believed to belong to a datagram that is whole
	// already: hosts use identifications again.
	maxSpan = 256
)

// fragmentKey names a datagram (RFC 791 §3.2, RFC 8200 §4.5).
type fragmentKey struct {
	src, dst decode.Addr
	id       uint32
	proto    uint8 // 0 for IPv6, whose fragments needn't agree on it
}

// fragment is a datagram that came in pieces.
type fragment struct {
	key     fragmentKey
	last    capture.FrameNo
	conv    ConvID // NoConv before the first fragment
	reverse bool
	done    bool // the datagram is whole; what comes now is a copy, or another datagram

	// What Wireshark has of it, or of the next with the same identification: it starts over once one is whole.
	size    uint32      // of the datagram, 0 unknown
	pieces  [][2]uint32 // [from, to), in order, none touching another
	sockets []decode.Socket
	holder  capture.FrameNo // frame of sockets
}

// fragments are the datagrams in pieces, in a ring by age.
type fragments struct {
	byKey map[fragmentKey]*fragment
	ring  []*fragment
	next  int
}

func (f *fragments) init() { f.byKey = map[fragmentKey]*fragment{} }

// fragmented returns the header that the frame is a fragment by: the outermost that is.
func fragmented(p *decode.Packet) *decode.IP {
	if p.Outer.Fragment() {
		return &p.Outer
	}
	return &p.IP
}

// get returns the datagram that the frame is a piece of.
func (f *fragments) get(p *decode.Packet, n capture.FrameNo) *fragment {
	h := fragmented(p)
	k := fragmentKey{src: h.Src, dst: h.Dst, id: h.ID}
	if h.Version == 4 {
		k.proto = h.Proto
	}
	g := f.byKey[k]
	if g == nil {
		g = f.add(k)
	}
	if g.done && n-g.last > maxSpan {
		g.conv = NoConv
	}
	g.last = n
	return g
}

func (f *fragments) add(k fragmentKey) *fragment {
	g := &fragment{}
	if len(f.ring) < maxFragmented {
		f.ring = append(f.ring, g)
	} else {
		g = f.ring[f.next]
		f.next = (f.next + 1) % maxFragmented
		delete(f.byKey, g.key)
	}
	*g = fragment{key: k, conv: NoConv, pieces: g.pieces[:0], sockets: g.sockets[:0]}
	f.byKey[k] = g
	return g
}

// hold keeps a header until the datagram is whole: only then Wireshark comes to number it. Of two first fragments the
// earlier counts.
func (g *fragment) hold(k *decode.Socket, n capture.FrameNo) {
	if len(g.sockets) == 0 {
		g.holder = n
	}
	if g.holder == n {
		g.sockets = append(g.sockets, *k)
	}
}

// fragment gives a piece its conversation, and numbers what its datagram holds once that is whole.
func (t *Table) fragment(g *fragment, p *decode.Packet, n capture.FrameNo) (ConvID, bool) {
	h := fragmented(p)
	if h.FragOff == 0 {
		g.conv, _, g.reverse = t.innermost(p, n)
		g.done = false
	}
	if g.put(h) {
		for i := range g.sockets {
			id, c, reverse := t.number(&g.sockets[i], n)
			if k := &g.sockets[i]; !k.Quoted && i == len(g.sockets)-1 && c.HasPorts {
				g.conv, g.reverse = id, reverse
			}
		}
		g.done, g.size, g.pieces, g.sockets = true, 0, g.pieces[:0], g.sockets[:0]
	}
	if g.conv == NoConv {
		id, _, reverse := t.innermost(p, n)
		return id, reverse
	}
	return g.conv, g.reverse
}

// put adds a piece and reports whether it makes the datagram whole.
func (g *fragment) put(h *decode.IP) bool {
	if !h.Whole || h.DataLen == 0 {
		return false
	}
	from, to := h.FragOff, h.FragOff+h.DataLen
	if !h.MF && g.size == 0 {
		g.size = to
	}
	// Pieces that touch or overlap become one, so that there are never more than gaps in a datagram, whatever is sent.
	i, _ := slices.BinarySearchFunc(g.pieces, from, func(p [2]uint32, from uint32) int { return cmp.Compare(p[1], from) })
	k := i
	for ; k < len(g.pieces) && g.pieces[k][0] <= to; k++ {
		from, to = min(from, g.pieces[k][0]), max(to, g.pieces[k][1])
	}
	g.pieces = slices.Replace(g.pieces, i, k, [2]uint32{from, to})
	return g.size > 0 && g.pieces[0][0] == 0 && g.pieces[0][1] >= g.size
}
