package lab

import "slices"

var fragmentTransform = Transform{"fragment", "MTU@CAPTURE", "IPv4 packets beyond the MTU are seen as fragments", eachCapture(fragment)}

func fragment(c *Case, p *Capture, a args) error {
	mtu, err := a.integer(1200)
	if err != nil {
		return err
	}
	busy := p.copied()
	group := c.components()
	var cut []*Frame
	roots := frames{}
	for _, f := range p.Frames {
		if h := read(p.Link, f); !busy[f] && h.fragmentable(mtu) {
			cut = append(cut, f)
			roots[group(f)] = true
		}
	}
	ids := map[*Frame]uint16{}
	for _, q := range c.Captures { // who lets routers cut a packet has not forbidden it, at no point
		for _, f := range q.Frames {
			root := group(f)
			h := read(q.Link, f)
			if id, ok := h.ipID(); ok && roots[root] {
				h.set(h.ip+6, []byte{h.data[h.ip+6] &^ 0x40})
				if id == 0 {
					if ids[root] == 0 {
						ids[root] = uint16(1 + a.UintN(65535))
					}
					h.set16(h.ip+4, ids[root])
				}
			}
		}
	}
	for _, f := range cut {
		c.replace(p, []*Frame{f}, fragments(p, f, mtu))
	}
	for _, q := range c.Pairs {
		q.Seg = slices.DeleteFunc(q.Seg, func(l Link) bool {
			x, y := read(q.A.Link, l[0]), read(q.B.Link, l[1])
			lo, end, ok := x.datagramBytes()
			from, to, ok2 := y.datagramBytes()
			return ok && ok2 && (lo >= to || from >= end)
		})
	}
	return nil
}

// datagramBytes is the range of an IPv4 datagram's bytes, behind its header, that a fragment holds; ok is false for what
// is no fragment.
func (h *header) datagramBytes() (from, to int, ok bool) {
	if h.ip < 0 || h.version != 4 || be.Uint16(h.data[h.ip+6:])&0x3fff == 0 {
		return 0, 0, false
	}
	from = int(be.Uint16(h.data[h.ip+6:])&0x1fff) * 8
	return from, from + int(be.Uint16(h.data[h.ip+2:])) - int(h.data[h.ip]&15)*4, true
}

// copied collects the frames that have SPAN copies, and these.
func (p *Capture) copied() frames {
	m := frames{}
	for _, l := range p.Copies {
		m[l[0]], m[l[1]] = true, true
	}
	return m
}

func (h *header) fragmentable(mtu int) bool {
	if h.ip < 0 || h.version != 4 || len(h.ips) != 1 || !h.whole() || h.l4 < 0 {
		return false
	}
	return h.end-h.ip > mtu && be.Uint16(h.data[h.ip+2:]) != 0 && be.Uint16(h.data[h.ip+6:])&0x3fff == 0
}

// fragments cuts a datagram (RFC 791 §3.2).
func fragments(p *Capture, f *Frame, mtu int) []*Frame {
	h := read(p.Link, f)
	n := int(h.data[h.ip]&15) * 4
	step := (mtu - n) &^ 7
	var out []*Frame
	for from := h.ip + n; from < h.end; from += step {
		to := min(from+step, h.end)
		g := f.clone()
		g.Data = concat(f.Data[:h.ip+n], f.Data[from:to])
		g.OrigLen = uint32(len(g.Data))
		g.True += int64(len(out)) * 1500
		ip := g.Data[h.ip:]
		be.PutUint16(ip[2:], uint16(n+to-from))
		off := uint16(from-h.ip-n) / 8
		if to < h.end {
			off |= 0x2000 // more fragments
		}
		be.PutUint16(ip[6:], off)
		be.PutUint16(ip[10:], 0)
		be.PutUint16(ip[10:], checksum(ip[:n]))
		if len(out) > 0 {
			g.Head = out[0]
		} else {
			g.recorded = f.recorded
		}
		out = append(out, g)
	}
	return out
}
