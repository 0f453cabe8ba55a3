package lab

// at collects each conversation's frames by capture.
func (c *Case) at() map[*Flow]map[*Capture][]*Frame {
	m := map[*Flow]map[*Capture][]*Frame{}
	for _, p := range c.Captures {
		for _, f := range p.Frames {
			if f.Flow == nil || f.Head != nil { // a later fragment names no conversation
				continue
			}
			if m[f.Flow] == nil {
				m[f.Flow] = map[*Capture][]*Frame{}
			}
			m[f.Flow][p] = append(m[f.Flow][p], f)
		}
	}
	return m
}

func (c *Case) flowTruth(f *Flow, frames map[*Capture][]*Frame) map[string]any {
	m := copyMap(f.rest)
	m["id"], m["proto"], m["initiator"], m["outcome"] = f.ID, f.Proto, f.Initiator, f.Outcome
	at := map[string]any{}
	for _, p := range c.Captures {
		at[p.File] = nil
		if len(frames[p]) > 0 {
			at[p.File] = f.atTruth(p, frames[p])
		}
	}
	m["at"] = at
	if m["bindings"] != nil {
		m["bindings"] = c.bindings(frames)
	}
	return m
}

// atTruth says how a conversation looks at one point.
func (f *Flow) atTruth(p *Capture, frames []*Frame) map[string]any {
	dir := f.dirAt(p)
	first := read(p.Link, frames[0])
	t := first.tuple
	if frames[0].Dir != dir {
		t = t.reverse()
	}
	m := map[string]any{
		"frames": len(frames), "first_frame": frames[0].number, "last_frame": frames[len(frames)-1].number,
		"initiator_dir": string(dir), "tuple": []any{t.src.String(), t.sport, t.dst.String(), t.dport},
	}
	fins, rsts := [][2]any{}, [][2]any{}
	bytes := map[byte]int{}
	for _, x := range frames {
		h := read(p.Link, x)
		if h.l4 < 0 {
			continue
		}
		bytes[x.Dir] += h.payloadLen()
		if !h.tcp() {
			continue
		}
		switch h.flags() & (flagSYN | flagACK) {
		case flagSYN:
			if m["syn"] == nil && x.Dir == dir {
				m["syn"] = h.handshake()
			}
		case flagSYN | flagACK:
			if m["synack"] == nil && x.Dir != dir {
				m["synack"] = h.handshake()
			}
		}
		if h.flags()&flagFIN != 0 {
			fins = append(fins, [2]any{x.number, string(x.Dir)})
		}
		if h.flags()&flagRST != 0 {
			rsts = append(rsts, [2]any{x.number, string(x.Dir)})
		}
	}
	if f.Proto == "tcp" {
		m["fin"], m["rst"] = fins, rsts
		m["payload_bytes_fwd"], m["payload_bytes_rev"] = bytes[dir], bytes[opposite(dir)]
	}
	return m
}

func (h *header) handshake() map[string]any {
	m := map[string]any{
		"frame": h.frame.number, "isn": h.seq(), "window": h.window(), "ttl": h.ttl(), "df": nil,
		"ecn": h.flags()&0x40 != 0, "mss": nil, "wscale": nil, "sack_permitted": false, "timestamps": false, "ipid": nil,
	}
	if id, ok := h.ipID(); ok {
		m["ipid"], m["df"] = id, h.df()
	}
	for _, o := range h.options() {
		switch {
		case o.kind == optMSS && o.len == 4:
			m["mss"] = be.Uint16(h.data[o.off+2:])
		case o.kind == optScale && o.len == 3:
			m["wscale"] = h.data[o.off+2]
		case o.kind == optSACKPerm:
			m["sack_permitted"] = true
		case o.kind == optTimestamp:
			m["timestamps"] = true
		}
	}
	return m
}
