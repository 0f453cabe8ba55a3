package decode

const (
	tcpLen  = 20
	udpLen  = 8
	sctpLen = 12
)

// transport goes on behind an IP header whose extension headers were skipped.
func (s *state) transport(off int, proto uint8) {
	switch proto {
	case protoTCP:
		s.tcp(off)
	case protoUDP:
		s.udp(off)
	case protoICMP:
		s.icmp(off)
	case protoICMPv6:
		s.icmpv6(off)
	case protoIPv4, protoIPv6:
		s.ipip(off, proto)
	case protoGRE:
		s.gre(off)
	case protoESP:
		s.esp(off)
	case protoAH:
		s.ah(off)
	case protoSCTP:
		s.sctp(off)
	case protoUDPLite:
		s.udpLite(off)
	case protoMPLS:
		s.mpls(off)
	case protoIGMP:
		s.p.Kind = KindIGMP
	}
}

// ports reads the two port numbers that TCP, UDP, UDP-Lite and SCTP begin with.
func (s *state) ports(off int) bool {
	if !s.has(off, 4) {
		return false
	}
	p := s.p
	p.Sport, p.Dport = be.Uint16(s.b[off:]), be.Uint16(s.b[off+2:])
	p.Reach = ReachTransport
	return true
}

// udp reads a UDP header (RFC 768), then looks for a tunnel inside.
func (s *state) udp(off int) {
	if !s.ports(off) {
		return
	}
	p := s.p
	if !s.has(off, udpLen) {
		s.payload(off + udpLen)
		return
	}
	n := int(be.Uint16(s.b[off+4:]))
	switch {
	case n >= udpLen: // more than there is: a fragment, or a lie
		s.limit(off + n)
	case n == 0 && p.IP.Version == 6: // jumbogram (RFC 2675 §4)
	default: // broken; the IP header still tells the length
		s.payload(off + udpLen)
		return
	}
	s.udpSocket(protoUDP)
	s.payload(off + udpLen)
	if MayTunnel(p.Dport) || MayTunnel(p.Sport) {
		s.udpTunnel(off + udpLen)
	}
}

func (s *state) udpSocket(proto uint8) {
	p := s.p
	k := s.socket()
	k.Proto, k.Version, k.Quoted, k.Fragment, k.Partial = proto, p.IP.Version, false, s.frag, false
	k.Src.set(&p.IP.Src)
	k.Dst.set(&p.IP.Dst)
	k.Sport, k.Dport, k.Seq, k.Ack, k.Flags = p.Sport, p.Dport, 0, 0, 0
}

// udpLite reads a UDP-Lite header (RFC 3828 §3.1): where UDP has the length it has the checksum's coverage.
func (s *state) udpLite(off int) {
	if !s.ports(off) {
		return
	}
	if s.has(off, udpLen) {
		s.udpSocket(protoUDPLite)
	}
	s.payload(off + udpLen)
}

// SCTP chunk types that carry a TSN in their first four bytes.
const (
	sctpData  = 0  // RFC 9260 §3.3.1
	sctpIData = 64 // RFC 8260 §2.1
)

// sctp reads an SCTP common header and the TSN of its first DATA chunk (RFC 9260 §3).
func (s *state) sctp(off int) {
	if !s.ports(off) {
		return
	}
	p := s.p
	if s.has(off, 8) {
		p.TCP.Seq = be.Uint32(s.b[off+4:])
	}
	s.payload(off + sctpLen)
	for c := off + sctpLen; c+4 <= s.wire && s.has(c, 4); {
		t, n := s.b[c], int(be.Uint16(s.b[c+2:]))
		if t == sctpData || t == sctpIData {
			if s.has(c, 8) {
				p.TCP.Ack = be.Uint32(s.b[c+4:])
			}
			return
		}
		if n < 4 {
			return
		}
		c += (n + 3) &^ 3
	}
}

// esp reads SPI and sequence number (RFC 4303 §2).
func (s *state) esp(off int) {
	if !s.has(off, 4) {
		return
	}
	p := s.p
	p.Reach = ReachTransport
	p.TCP.Seq = be.Uint32(s.b[off:])
	if s.has(off, 8) {
		p.TCP.Ack = be.Uint32(s.b[off+4:])
	}
	s.payload(off + 8)
}

// ah skips an authentication header behind IPv4 (RFC 4302 §2.2).
func (s *state) ah(off int) {
	if !s.enter() || !s.has(off, 8) {
		return
	}
	next := s.b[off]
	off += int(s.b[off+1])*4 + 8
	s.p.IP.Proto = next
	s.payload(off)
	s.transport(off, next)
}
