package decode

// TCP option kinds (IANA).
const (
	optEOL      = 0
	optNOP      = 1
	optMSS      = 2
	optWScale   = 3
	optSACKPerm = 4
	optSACK     = 5
	optTS       = 8
	optMPTCP    = 30
	optTFO      = 34
	optExp      = 254 // RFC 6994; fast open used it before it had a kind
)

const (
	tfoMagic = 0xf989
	// alignedTS is NOP, NOP, timestamps with their length (RFC 7323 appendix A): nearly every segment's options.
	alignedTS = 0x0101080a
)

// tcp reads a TCP header (RFC 9293 §3.1).
func (s *state) tcp(off int) {
	if !s.ports(off) {
		return
	}
	p := s.p
	t := &p.TCP
	t.MSS, t.WScale = -1, -1
	if s.has(off, tcpLen) {
		h := s.b[off : off+tcpLen]
		t.Captured = tcpLen
		t.Seq, t.Ack = be.Uint32(h[4:]), be.Uint32(h[8:])
		t.HeaderLen = h[12] >> 4 * 4
		t.Flags = uint16(h[12]&1)<<8 | uint16(h[13])
		t.Window, t.Checksum = be.Uint16(h[14:]), be.Uint16(h[16:])
	} else {
		s.cutTCP(off, t)
	}
	hlen := int(t.HeaderLen)
	if t.Captured >= 16 {
		k := s.socket()
		k.Proto, k.Version, k.Quoted, k.Fragment = protoTCP, p.IP.Version, false, s.frag
		k.Partial = s.partial || hlen > s.wire-off
		k.Src.set(&p.IP.Src)
		k.Dst.set(&p.IP.Dst)
		k.Sport, k.Dport = p.Sport, p.Dport
		k.Seq, k.Ack, k.Flags = t.Seq, t.Ack, t.Flags
	}
	if hlen < tcpLen { // unknown, or broken: no telling where the payload begins
		s.limit(min(len(s.b), off+tcpLen))
		s.payload(off + tcpLen)
		return
	}
	s.payload(off + hlen)
	if hlen == tcpLen {
		return
	}
	o := s.b[min(off+tcpLen, len(s.b)):min(off+hlen, len(s.b))]
	if len(o) == 12 && be.Uint32(o) == alignedTS && t.Flags&SYN == 0 {
		t.HasTS, t.TSval, t.TSec = true, be.Uint32(o[4:]), be.Uint32(o[8:])
		return
	}
	s.has(off, hlen)
	t.OptionsCut = len(o) < hlen-tcpLen
	t.options(o)
}

// cutTCP reads what there is of a header that the snaplen, or the IP datagram, ended.
func (s *state) cutTCP(off int, t *TCP) {
	h := s.b[off:]
	t.Captured = uint8(min(len(h), tcpLen))
	if len(h) >= 8 {
		t.Seq = be.Uint32(h[4:])
	}
	if len(h) >= 12 {
		t.Ack = be.Uint32(h[8:])
	}
	if len(h) >= 14 {
		t.HeaderLen = h[12] >> 4 * 4
		t.Flags = uint16(h[12]&1)<<8 | uint16(h[13])
	}
	if len(h) >= 16 {
		t.Window = be.Uint16(h[14:])
	}
	if len(h) >= 18 {
		t.Checksum = be.Uint16(h[16:])
	}
}

// options reads the option list; what a broken one leaves is what was read before it.
func (t *TCP) options(o []byte) {
	syn := t.Flags&SYN != 0
	for len(o) > 0 {
		kind := o[0]
		if syn && int(t.NOptionKinds) < len(t.OptionKinds) {
			t.OptionKinds[t.NOptionKinds] = kind
			t.NOptionKinds++
		}
		if kind == optEOL {
			return
		}
		if kind == optNOP {
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			t.OptionsCut = true
			return
		}
		t.option(kind, o[2:o[1]], syn)
		o = o[o[1]:]
	}
}

// option reads one option's value, ignoring values of the wrong length.
func (t *TCP) option(kind uint8, v []byte, syn bool) {
	switch {
	case kind == optTS && len(v) == 8:
		t.HasTS, t.TSval, t.TSec = true, be.Uint32(v), be.Uint32(v[4:])
	case kind == optSACK && len(v)%8 == 0:
		for ; len(v) > 0 && t.NSACK < MaxSACK; v = v[8:] {
			t.SACK[t.NSACK] = [2]uint32{be.Uint32(v), be.Uint32(v[4:])}
			t.NSACK++
		}
	case !syn:
	case kind == optMSS && len(v) == 2:
		t.MSS = int32(be.Uint16(v))
	case kind == optWScale && len(v) == 1:
		t.WScale = int16(v[0])
	case kind == optSACKPerm:
		t.SACKPerm = true
	case kind == optTFO, kind == optExp && len(v) >= 2 && be.Uint16(v) == tfoMagic:
		t.TFO = true
	case kind == optMPTCP:
		t.MPTCP = true
	}
}
