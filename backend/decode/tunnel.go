package decode

// UDP ports of tunnels (IANA).
const (
	portGTPU   = 2152
	portVXLAN  = 4789
	portGENEVE = 6081
)

// MayTunnel reports whether UDP from or to a port is looked into for a tunnel.
func MayTunnel(port uint16) bool {
	return port == portVXLAN || port == portGENEVE || port == portGTPU
}

// ipip goes into an IP header inside an IP header (RFC 2003, RFC 2473, RFC 4213).
func (s *state) ipip(off int, proto uint8) {
	t := TunnelIPIP
	if s.p.IP.Version == 6 {
		t = TunnelIP6
	}
	s.through(t)
	if proto == protoIPv4 {
		s.ipv4(off, s.p.EtherType)
	} else {
		s.ipv6(off, s.p.EtherType)
	}
}

// mpls skips a label stack (RFC 3032 §2.1). What lies behind it only its first half byte tells (RFC 4928 §2):
// IP, or 0 a pseudowire's control word (RFC 4385 §3), or an Ethernet pseudowire without one.
func (s *state) mpls(off int) {
	for {
		if !s.has(off, 4) {
			return
		}
		bottom := s.b[off+2]&1 != 0
		off += 4
		if bottom {
			break
		}
	}
	if !s.has(off, 1) {
		return
	}
	s.through(TunnelMPLS)
	switch s.b[off] >> 4 {
	case 4:
		s.ipv4(off, etherIPv4)
	case 6:
		s.ipv6(off, etherIPv6)
	case 0:
		if s.looksEthernet(off + 4) {
			s.ethernet(off + 4)
		} else if s.looksEthernet(off) {
			s.ethernet(off)
		}
	case 1: // associated channel (RFC 4385 §5)
	default:
		if s.looksEthernet(off) {
			s.ethernet(off)
		}
	}
}

// looksEthernet reports whether an Ethernet header at off is followed by what its type promises. Nothing else tells
// user data from a tunnel's.
func (s *state) looksEthernet(off int) bool {
	if !s.has(off, ethernetLen) {
		return false
	}
	t, o := be.Uint16(s.b[off+12:]), off+ethernetLen
	for n := 0; n < 3 && (t == etherVLAN || t == etherQinQ); n++ {
		if !s.has(o, vlanLen) {
			return false
		}
		t = be.Uint16(s.b[o+2:])
		o += vlanLen
	}
	switch t {
	case etherIPv4, etherIPv6:
		return s.looksIP(o)
	case etherARP:
		// Hardware type Ethernet, protocol IPv4 (RFC 826).
		return s.has(o, 4) && be.Uint32(s.b[o:]) == 1<<16|etherIPv4
	case etherMPLS, etherPPPoES, etherLLDP, etherEAPOL:
		return true
	}
	return t <= maxLength && s.has(o, llcLen) && s.b[o+2] == llcUnnumbed
}

// looksIP reports whether an IP header at off is plausible. A length beyond the frame's is not held against it where
// segmentation offload may have left it 0.
func (s *state) looksIP(off int) bool {
	if !s.has(off, 8) {
		return false
	}
	h, rest := s.b[off:], s.wire-off
	switch h[0] >> 4 {
	case 4:
		n := int(be.Uint16(h[2:]))
		return h[0]&15 >= 5 && (n == 0 || n >= int(h[0]&15)*4) && (n <= rest || s.frag)
	case 6:
		return int(be.Uint16(h[4:]))+ipv6Len <= rest || s.frag
	}
	return false
}

// udpTunnel goes into VXLAN, GENEVE or GTP-U if the datagram is one.
func (s *state) udpTunnel(off int) {
	ports := [2]uint16{s.p.Dport, s.p.Sport}
	for _, port := range ports {
		switch port {
		case portVXLAN:
			if s.vxlan(off) {
				return
			}
		case portGENEVE:
			if s.geneve(off) {
				return
			}
		case portGTPU:
			if s.gtpu(off) {
				return
			}
		}
	}
}

// vxlan reads a VXLAN header (RFC 7348 §5): flag I, everything reserved 0.
func (s *state) vxlan(off int) bool {
	if !s.has(off, 8) || be.Uint32(s.b[off:]) != 0x08000000 || s.b[off+7] != 0 || !s.looksEthernet(off+8) {
		return false
	}
	s.through(TunnelVXLAN)
	s.vni = be.Uint32(s.b[off+4:]) >> 8
	s.ethernet(off + 8)
	return true
}

// geneve reads a GENEVE header with its options (RFC 8926 §3.4).
func (s *state) geneve(off int) bool {
	if !s.has(off, 8) {
		return false
	}
	h := s.b[off:]
	if h[0]>>6 != 0 || h[1]&0x3f != 0 || h[7] != 0 {
		return false
	}
	t, body := be.Uint16(h[2:]), off+8+int(h[0]&0x3f)*4
	switch t {
	case etherTEB:
		if !s.looksEthernet(body) {
			return false
		}
	case etherIPv4, etherIPv6:
		if !s.looksIP(body) {
			return false
		}
	default:
		return false
	}
	s.through(TunnelGENEVE)
	s.vni = be.Uint32(h[4:]) >> 8
	s.etherType(body, t)
	return true
}

// GTP-U (3GPP TS 29.281 §5).
const (
	gtpVersion1 = 0x30 // version 1, protocol type GTP
	gtpMask     = 0xf0
	gtpTPDU     = 255
	gtpLen      = 8
)

// gtpu reads a GTP-U header that carries a user's packet.
func (s *state) gtpu(off int) bool {
	if !s.has(off, gtpLen) || s.b[off]&gtpMask != gtpVersion1 || s.b[off+1] != gtpTPDU {
		return false
	}
	flags, teid := s.b[off], be.Uint32(s.b[off+4:])
	body := off + gtpLen
	if flags&7 != 0 { // any of E, S, PN brings all three fields
		if !s.has(body, 4) {
			return false
		}
		next := s.b[body+3]
		body += 4
		for flags&4 != 0 && next != 0 {
			if !s.has(body, 1) || s.b[body] == 0 {
				return false
			}
			n := int(s.b[body]) * 4
			if !s.has(body, n) {
				return false
			}
			next = s.b[body+n-1]
			body += n
		}
	}
	if !s.looksIP(body) {
		return false
	}
	s.through(TunnelGTPU)
	s.vni = teid
	s.raw(body)
	return true
}

// GRE flags (RFC 2784 §2, RFC 2890 §2, RFC 2637 §4.1).
const (
	greChecksum = 0x8000
	greRouting  = 0x4000
	greKey      = 0x2000
	greSeq      = 0x1000
	greAck      = 0x0080 // version 1
	greVersion  = 0x0007
)

// gre reads a GRE header, version 0 or 1 (PPTP), and goes on by its protocol type.
func (s *state) gre(off int) {
	if !s.has(off, 4) {
		return
	}
	flags, t := be.Uint16(s.b[off:]), be.Uint16(s.b[off+2:])
	body := off + 4
	v := flags & greVersion
	if v > 1 || flags&greRouting != 0 || v == 1 && t != etherPPP {
		return
	}
	if flags&greChecksum != 0 {
		body += 4
	}
	key := body
	if flags&greKey != 0 {
		body += 4
	}
	if flags&greSeq != 0 {
		body += 4
	}
	if v == 1 && flags&greAck != 0 {
		body += 4
	}
	if !s.has(off, body-off) {
		return
	}
	if flags&greKey != 0 && v == 0 {
		s.vni = be.Uint32(s.b[key:])
	}
	switch t {
	case etherERSPAN:
		if flags&greSeq != 0 { // type I has neither header nor sequence numbers
			body += 8
		}
		s.erspan(body)
	case etherERSPAN3:
		if !s.has(body, 12) {
			return
		}
		n := 12
		if s.b[body+11]&1 != 0 { // O: a platform specific subheader follows
			n += 8
		}
		s.erspan(body + n)
	case etherWCCP:
		s.through(TunnelGRE)
		if s.has(body, 1) && s.b[body]>>4 != 4 { // version 2's redirect header; version 1 has none
			body += 4
		}
		s.ipv4(body, etherIPv4)
	default:
		s.through(TunnelGRE)
		s.etherType(body, t)
	}
}

// erspan goes into the frame that a switch mirrored.
func (s *state) erspan(off int) {
	s.through(TunnelERSPAN)
	s.mirror = true
	s.ethernet(off)
}
