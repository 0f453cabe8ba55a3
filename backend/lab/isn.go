package lab

var isnTransform = Transform{"isn", "", "gives every TCP conversation other initial sequence numbers, the same at every point", shiftISN}

func shiftISN(c *Case, a args) error {
	shift := map[*Flow][2]uint32{}
	for _, f := range c.Flows {
		shift[f] = [2]uint32{a.Uint32(), a.Uint32()} // of the numbers that go toward the server, and back
	}
	// What an end sent is asked of all captures: one of them may see only the answers.
	sent := map[*Flow]*[2]bool{}
	byTuples := make([]map[tuple]*Frame, len(c.Captures))
	for i, p := range c.Captures {
		byTuple := map[tuple]*Frame{}
		byTuples[i] = byTuple
		for _, f := range p.Frames {
			h := read(p.Link, f)
			if f.Flow == nil || f.Flow.Proto != "tcp" || !h.tcp() {
				continue
			}
			byTuple[h.tuple] = f
			if h.flags()&flagSYN != 0 || h.flags()&flagRST == 0 {
				if sent[f.Flow] == nil {
					sent[f.Flow] = new([2]bool)
				}
				sent[f.Flow][dirIndex(f.Dir)] = true
			}
		}
	}
	for i, p := range c.Captures {
		byTuple := byTuples[i]
		for _, f := range p.Frames {
			h := read(p.Link, f)
			switch {
			case h.quoted && byTuple[h.inner] != nil:
				q := byTuple[h.inner]
				h.shiftQuoted(shift[q.Flow][dirIndex(q.Dir)])
			case f.Flow != nil && f.Flow.Proto == "tcp" && h.tcp():
				// An end that never sent anything but RST has no sequence numbers of its own: 0, or the peer's ack.
				h.shiftTCP(shift[f.Flow], dirIndex(f.Dir), sent[f.Flow])
			}
		}
	}
	return nil
}

func dirIndex(dir byte) int { return b2i(dir == 'r') }

func (h *header) shiftTCP(by [2]uint32, own int, sent *[2]bool) {
	if h.seq() != 0 || sent == nil || sent[own] {
		h.set32(h.l4+4, h.seq()+by[own])
	}
	if h.flags()&flagACK != 0 {
		h.set32(h.l4+8, h.ack()+by[1-own])
	}
	if o, ok := h.option(optSACK); ok {
		for at := o.off + 2; at+4 <= o.off+o.len; at += 4 {
			h.set32(at, be.Uint32(h.data[at:])+by[1-own])
		}
	}
}

func (h *header) shiftQuoted(by uint32) {
	for _, l := range h.trans {
		if l.quoted && l.proto == protoTCP && h.has(l.off, 8) {
			h.set32(l.off+4, be.Uint32(h.data[l.off+4:])+by)
		}
	}
}
