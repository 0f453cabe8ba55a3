package decode

// Protocol numbers (IANA).
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoIGMP     = 2
	protoIPv4     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoESP      = 50
	protoAH       = 51
	protoICMPv6   = 58
	protoNone     = 59
	protoDestOpts = 60
	protoSCTP     = 132
	protoUDPLite  = 136
	protoMPLS     = 137
	protoShim6    = 140
)

const (
	ipv4Len = 20
	ipv6Len = 40
	// maxExtensions bounds the chain of IPv6 extension headers that is followed.
	maxExtensions = 32
)

// put4 writes an IPv4 address in its mapped form, the changing half in one store: it is read as a whole soon after.
func put4(a *Addr, b []byte) {
	be.PutUint64(a[8:], 0xffff<<32|uint64(be.Uint32(b)))
}

// begin readies the packet for an IP header further in: what the headers around it said of the transport is void.
func (s *state) begin(etherType uint16) *IP {
	p := s.p
	if p.Reach >= ReachNetwork {
		if !s.nested {
			p.Outer, s.nested = p.IP, true
		}
		p.Sport, p.Dport, p.TCP = 0, 0, TCP{}
		p.Kind, p.ICMPType, p.ICMPCode, p.ICMPSeq = KindOther, 0, 0, 0
		p.IP = IP{}
	}
	p.Kind, p.EtherType = KindOther, etherType
	p.NTunnel, p.Tunnel, p.VNI = s.ntunnel, s.tunnel, s.vni
	return &p.IP
}

// done ends an IP header's reading.
func (s *state) done(off int) {
	p := s.p
	p.Reach = ReachNetwork
	s.payload(off)
}

// ipv4 reads an IPv4 header (RFC 791 §3.1) and goes on inside.
func (s *state) ipv4(off int, etherType uint16) {
	if !s.has(off, ipv4Len) || !s.enter() {
		s.nonIP(etherType, KindOther)
		return
	}
	h := s.b[off : off+ipv4Len]
	hlen := int(h[0]&15) * 4
	if h[0]>>4 != 4 || hlen < ipv4Len {
		s.nonIP(etherType, KindNonIP)
		return
	}
	ip := s.begin(etherType)
	total := parse4(h, ip)
	rest := s.wire - off
	switch {
	case total == 0: // segmentation offload: the card fills it in
		total = rest
	case total < hlen:
		ip.Len = uint32(total)
		s.limit(off + hlen)
		s.done(off + hlen)
		return
	}
	ip.Whole = total <= len(s.b)-off
	s.limit(off + total)
	total = s.wire - off
	ip.Len, ip.DataLen = uint32(total), uint32(max(total-hlen, 0))
	s.done(off + hlen)
	if ip.FragOff != 0 {
		return
	}
	if ip.MF {
		s.frag, s.partial = s.frag || ip.Whole, s.partial || !ip.Whole
	}
	if hlen > ipv4Len {
		s.has(off, hlen)
	}
	s.transport(off+hlen, ip.Proto)
}

// parse4 fills ip, zeroed before, from a header of 20 bytes or more and returns the total length field.
func parse4(h []byte, ip *IP) int {
	_ = h[19]
	frag := be.Uint16(h[6:])
	ip.Version = 4
	ip.TOS = h[1]
	ip.HasID, ip.ID = true, uint32(be.Uint16(h[4:]))
	ip.DF, ip.MF, ip.FragOff = frag&0x4000 != 0, frag&0x2000 != 0, uint32(frag&0x1fff)*8
	ip.TTL, ip.Proto = h[8], h[9]
	put4(&ip.Src, h[12:16])
	put4(&ip.Dst, h[16:20])
	return int(be.Uint16(h[2:]))
}

// ipv6 reads an IPv6 header (RFC 8200 §3) with its extension headers and goes on inside.
func (s *state) ipv6(off int, etherType uint16) {
	if !s.has(off, ipv6Len) || !s.enter() {
		s.nonIP(etherType, KindOther)
		return
	}
	h := s.b[off : off+ipv6Len]
	if h[0]>>4 != 6 {
		s.nonIP(etherType, KindNonIP)
		return
	}
	ip := s.begin(etherType)
	plen := parse6(h, ip)
	next := off + ipv6Len
	if plen == 0 && ip.Proto != protoNone {
		// Segmentation offload, or a jumbogram (RFC 2675): either way the frame tells.
		plen = s.wire - next
	}
	ip.Whole = plen <= len(s.b)-next
	s.limit(next + plen)
	ip.Len = uint32(max(s.wire-off, 0))
	body, ok := s.extensions(next, ip)
	ip.DataLen = uint32(max(s.wire-body, 0))
	s.done(body)
	if !ok || ip.FragOff != 0 {
		return
	}
	s.frag = s.frag || ip.MF // also where it is cut: Wireshark never looks into a lone IPv6 fragment
	s.transport(body, ip.Proto)
}

// parse6 fills ip, zeroed before, from the fixed header and returns the payload length field.
func parse6(h []byte, ip *IP) int {
	_ = h[39]
	ip.Version = 6
	ip.TOS = h[0]<<4 | h[1]>>4
	ip.Proto, ip.TTL = h[6], h[7]
	ip.Src, ip.Dst = Addr(h[8:24]), Addr(h[24:40])
	return int(be.Uint16(h[4:]))
}

// extensions skips IPv6 extension headers and AH and returns where the upper layer begins; false: the chain could not
// be read to its end.
func (s *state) extensions(off int, ip *IP) (int, bool) {
	for range maxExtensions {
		n := 0
		switch ip.Proto {
		case protoHopByHop, protoRouting, protoDestOpts, protoShim6:
			if !s.has(off, 8) {
				return off, false
			}
			n = int(s.b[off+1])*8 + 8 // RFC 8200 §4.3
		case protoFragment:
			if !s.has(off, 8) {
				return off, false
			}
			o := be.Uint16(s.b[off+2:]) // RFC 8200 §4.5
			ip.HasID, ip.ID = true, be.Uint32(s.b[off+4:])
			ip.FragOff, ip.MF = uint32(o&0xfff8), o&1 != 0
			n = 8
		case protoAH:
			if !s.has(off, 8) {
				return off, false
			}
			n = int(s.b[off+1])*4 + 8 // RFC 4302 §2.2
		default:
			return off, true
		}
		ip.Proto = s.b[off]
		off += n
		if ip.FragOff != 0 {
			return off, true // what follows is the middle of the datagram
		}
	}
	return off, false
}
