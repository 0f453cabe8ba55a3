package lab

import "net/netip"

// protoNumber of the names in truth.json.
var protoNumber = map[string]byte{"tcp": protoTCP, "udp": protoUDP, "icmp": protoICMP, "icmpv6": protoICMPv6, "esp": protoESP}

// stretch of frames in which a tuple belongs to a flow (ports are used again).
type stretch struct {
	flow        *Flow
	first, last int
	initiator   tuple // in the initiator's direction
}

// member says for every frame which conversation and direction it is of.
func (c *Case) member() {
	for _, p := range c.Captures {
		index := map[tuple][]stretch{}
		for _, f := range c.Flows {
			for _, s := range f.stretches(p) {
				index[canon(s.initiator)] = append(index[canon(s.initiator)], s)
			}
		}
		for _, f := range p.Frames {
			h := read(p.Link, f)
			if h.quoted || h.l4 < 0 {
				continue
			}
			for _, s := range index[canon(h.tuple)] {
				if f.recorded >= s.first && f.recorded <= s.last {
					f.Flow, f.Dir = s.flow, s.flow.dirAt(p)
					if h.tuple != s.initiator {
						f.Dir = opposite(f.Dir)
					}
				}
			}
		}
	}
	for _, p := range c.Captures {
		for _, l := range p.Copies { // one of the two may have been seen behind a translation
			for k := range l {
				if l[k].Flow == nil && !read(p.Link, l[k]).quoted {
					l[k].Flow, l[k].Dir = l[1-k].Flow, l[1-k].Dir
				}
			}
		}
	}
	c.directions()
}

// stretches of a flow at a capture: one, or one for each binding of a NAT that lost it.
func (f *Flow) stretches(p *Capture) []stretch {
	a := f.at[p]
	if a == nil {
		return nil
	}
	entries := objects(object(f.rest["bindings"])[p.loaded])
	if entries == nil {
		entries = []map[string]any{a}
	}
	var out []stretch
	for _, e := range entries {
		out = append(out, stretch{f, int(integer(e["first_frame"])), int(integer(e["last_frame"])), parseTuple(f.Proto, e["tuple"])})
	}
	return out
}

func parseTuple(proto string, v any) tuple {
	l := list(v)
	if len(l) != 4 {
		return tuple{}
	}
	src, _ := netip.ParseAddr(text(l[0]))
	dst, _ := netip.ParseAddr(text(l[2]))
	n := protoNumber[proto]
	if n == protoICMP && src.Is6() {
		n = protoICMPv6 // behind a translator between IP versions
	} else if n == protoICMPv6 && src.Is4() {
		n = protoICMP
	}
	return tuple{n, src, dst, uint16(integer(l[1])), uint16(integer(l[3]))}
}

// canon is the same for both directions.
func canon(t tuple) tuple {
	r := t.reverse()
	if d := t.src.Compare(r.src); d > 0 || d == 0 && t.sport > r.sport {
		return r
	}
	return t
}

func opposite(dir byte) byte {
	switch dir {
	case 'f':
		return 'r'
	case 'r':
		return 'f'
	}
	return 0
}

// directions of frames that are of no conversation: by their addresses, else by which point saw them first.
func (c *Case) directions() {
	for _, p := range c.Captures {
		from := map[netip.Addr]byte{}
		note := func(a netip.Addr, dir byte) {
			if old, ok := from[a]; ok && old != dir {
				dir = 0
			}
			from[a] = dir
		}
		for _, f := range p.Frames {
			if f.Dir != 0 {
				h := read(p.Link, f)
				note(h.tuple.src, f.Dir)
				note(h.tuple.dst, opposite(f.Dir))
			}
		}
		for _, f := range p.Frames {
			if h := read(p.Link, f); f.Dir == 0 && !h.local() {
				if f.Dir = from[h.tuple.src]; f.Dir == 0 {
					f.Dir = opposite(from[h.tuple.dst])
				}
			}
		}
	}
	for _, p := range c.Pairs {
		for _, l := range p.Matches {
			for s := range l {
				if l[s].Dir == 0 {
					l[s].Dir = "rf"[b2i(l[1].True > l[0].True)]
				}
			}
		}
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
