package match

import (
	"cmp"
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

// A capture on all interfaces of a device that translates addresses holds every packet twice, as two conversations: as
// it came, and as it went on. They are one, and the later frame of each packet is a copy.

// bothSides is the other side of conversations of one capture: the one on the initiator's side, which its packets pass first,
// stands for both.
type bothSides map[flow.ConvID]otherSide

type otherSide struct {
	of   flow.ConvID
	flip bool // it runs the other way round
}

const (
	bothLook  = 32 // packets of a conversation that are compared at first
	bothLeast = 2  // that must agree
	bothNear  = 16 // equal packets around one that are compared
	// Of the packets of either conversation so many in ten must agree: nearly all, or of TCP, whose numbers tell more, as many
	// as a recorder leaves that misses one frame in three.
	bothShare, bothShareTCP = 8, 4
)

// sight is one packet of a conversation by all that a translation leaves alone.
type sight struct {
	key  uint64
	time capture.LocalTime
	i    uint32
	id   flow.ConvID
}

// untouched is the key of what a translation of addresses keeps of a packet; 0 for packets that tell too little.
func untouched(f *flow.Fact, proto uint8) uint64 {
	if f.Mark&(flow.MarkError|flow.MarkDuplicate|flow.MarkLocal|flow.MarkNoTime) != 0 {
		return 0
	}
	seq := f.Seq
	if proto == flow.ProtoICMP || proto == flow.ProtoICMPv6 {
		seq = 0 // the identifier is translated as ports are
	} else if proto != flow.ProtoTCP && f.IPID == 0 && f.Len() == 0 {
		return 0
	}
	return flow.Mix(flow.Mix(uint64(seq)<<32|uint64(f.Ack), uint64(f.Full)<<32|uint64(f.Len())), flow.Mix(uint64(f.TSval)<<32|uint64(f.Window)<<16|uint64(f.IPID), uint64(f.Flags())<<8|uint64(proto))) | 1
}

// findBothSides finds them and marks the copies.
func findBothSides(c *flow.Capture) bothSides {
	all := make([]flow.ConvID, len(c.Convs))
	for id := range all {
		all[id] = flow.ConvID(id)
	}
	// Two packets of each conversation say where it is worth looking at more.
	some := map[flow.ConvID]bool{}
	first := sights(c, all, 2)
	for n := range first {
		for k := n + 1; k < min(n+bothNear, len(first)) && copyOf(first[n], first[k]); k++ {
			some[first[n].id], some[first[k].id] = true, true
		}
	}
	all = slices.DeleteFunc(all, func(id flow.ConvID) bool { return !some[id] })
	heads := sights(c, all, bothLook)
	type pair struct{ a, b flow.ConvID }
	type vote struct{ way, near [2]int } // packets by whether one runs the other way round, and by who is on the initiator's side
	votes, seen := map[pair]vote{}, map[flow.ConvID]int{}
	for n, x := range heads {
		seen[x.id]++
		for _, y := range heads[n+1 : min(n+bothNear, len(heads))] {
			if !copyOf(x, y) {
				break
			}
			f, g := c.At(x.i), c.At(y.i)
			if x.id == y.id || c.LinkID(x.i) == c.LinkID(y.i) && f.TTL == g.TTL {
				continue
			}
			if f.IPID == 0 && !f.Is(flow.MarkTCP) && g.TTL >= f.TTL {
				continue // whoever asks two at once sends them the same bytes; a router decrements
			}
			p, flip := pair{min(x.id, y.id), max(x.id, y.id)}, 0
			if f.Dir() != g.Dir() {
				flip = 1
			}
			near, head := x.id, f // of the conversation that begins first, whose initiator is known best
			if x.id != p.a {
				head = g
			}
			if head.Dir() != c.ClientDir(p.a) {
				near = y.id
			}
			v := votes[p]
			v.way[flip]++
			if near == p.a {
				v.near[0]++
			} else {
				v.near[1]++
			}
			votes[p] = v
			break // the next one is this packet's copy; later ones are copies of that
		}
	}
	var pairs []pair
	for p := range votes {
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		v, w := votes[x].way, votes[y].way
		return cmp.Or(cmp.Compare(w[0]+w[1], v[0]+v[1]), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	out := bothSides{}
	used := map[flow.ConvID]bool{}
	known := map[[4]decode.Addr]bool{} // addresses on either side of conversations that are joined
	ends := func(near, far flow.ConvID, flip bool) [4]decode.Addr {
		d := 0
		if flip {
			d = 1
		}
		t, u := c.Tuple(near, 0), c.Tuple(far, d)
		return [4]decode.Addr{t.Src, t.Dst, u.Src, u.Dst}
	}
	for _, p := range pairs { // those with more packets first
		v := votes[p]
		n, share, flip := max(v.way[0], v.way[1]), bothShare, v.way[1] > 0
		if c.Conv(p.a).Proto == flow.ProtoTCP {
			share = bothShareTCP
		}
		if used[p.a] || used[p.b] || v.way[0] > 0 && flip || n*10 < share*min(seen[p.a], seen[p.b]) {
			continue
		}
		near, far := p.a, p.b
		if v.near[1] > v.near[0] {
			near, far = p.b, p.a
		}
		// One packet is enough between hosts that others show to be the same.
		if n < bothLeast && !opensBoth(c, p.a, p.b) && !known[ends(near, far, flip)] && !known[turned(ends(near, far, flip))] {
			continue
		}
		used[p.a], used[p.b] = true, true
		known[ends(near, far, flip)] = true
		out[far] = otherSide{near, flip}
		c.Convs[far].Beyond = true
		markCopies(c, p.a, p.b)
	}
	return out
}

// turned are the addresses of both sides as packets the other way carry them.
func turned(e [4]decode.Addr) [4]decode.Addr { return [4]decode.Addr{e[1], e[0], e[3], e[2]} }

// sights lists the first packets of conversations, equal ones together in the order of time.
func sights(c *flow.Capture, ids []flow.ConvID, most uint32) []sight {
	n := 0
	for _, id := range ids {
		n += min(c.Count(id), int(most))
	}
	out := make([]sight, 0, n)
	for _, id := range ids {
		proto := c.Conv(id).Proto
		from, to := c.Span(id)
		for i := from; i < min(to, from+most); i++ {
			f := c.At(i)
			if k := untouched(f, proto); k != 0 {
				out = append(out, sight{k, f.Time(), i, id})
			}
		}
	}
	return bucketed([][]sight{out}, nil, 1<<32, func(x *sight) uint64 { return x.key >> 32 }, func(x, y sight) int {
		if x.key != y.key {
			return cmp.Compare(x.key, y.key)
		}
		return cmp.Or(cmp.Compare(x.time, y.time), cmp.Compare(c.Frame(x.i), c.Frame(y.i)))
	})
}

// copyOf reports whether y, not earlier than x, may be x seen again.
func copyOf(x, y sight) bool { return y.key == x.key && y.time-x.time <= copyWithin }

// opensBoth reports whether both conversations begin with a SYN: its number says enough.
func opensBoth(c *flow.Capture, a, b flow.ConvID) bool {
	return c.Convs[a].SYN >= 0 && c.Convs[b].SYN >= 0
}

// markCopies marks the later frame of each packet that both conversations hold.
func markCopies(c *flow.Capture, a, b flow.ConvID) {
	all := sights(c, []flow.ConvID{a, b}, math.MaxInt32)
	for n := 0; n+1 < len(all); n++ {
		if x, y := all[n], all[n+1]; x.id != y.id && copyOf(x, y) {
			c.MarkCopy(y.i)
			n++
		}
	}
}

// standIn gives the entries of a conversation's other side to the one that stands for both.
func (s bothSides) standIn(l *dealt) {
	if len(s) == 0 {
		return
	}
	for _, p := range l.share {
		for _, es := range p.chunks {
			s.standInFor(es, l)
		}
	}
}

func (s bothSides) standInFor(es []entry, l *dealt) {
	for i := range es {
		r := es[i].ref()
		if o, ok := s[l.conv(r.number()).ID]; ok {
			d := int(r & 1)
			if o.flip {
				d = 1 - d
			}
			es[i] = newEntry(es[i].key, l.ref(o.of, d), l.capture, es[i].kind())
		}
	}
}
