package decode

// ICMP types (RFC 792, RFC 950) and ICMPv6 types (RFC 4443).
const (
	icmpEchoReply    = 0
	icmpUnreachable  = 3
	icmpQuench       = 4
	icmpRedirect     = 5
	icmpEcho         = 8
	icmpTimeExceeded = 11
	icmpParameter    = 12
	icmpTimestamp    = 13
	icmpMaskReply    = 18
	icmpFragNeeded   = 4 // code of icmpUnreachable (RFC 1191 §4)

	icmp6TooBig    = 2
	icmp6ErrorLast = 4
	icmp6Echo      = 128
	icmp6EchoReply = 129
	icmp6MLDQuery  = 130
	icmp6MLDDone   = 132
	icmp6RS        = 133
	icmp6Redirect  = 137
	icmp6MLDv2     = 143
)

const icmpLen = 8

// icmp reads an ICMP message (RFC 792).
func (s *state) icmp(off int) {
	if !s.icmpHeader(off) {
		return
	}
	p := s.p
	switch t := p.ICMPType; {
	case t == icmpEcho, t == icmpEchoReply, t >= icmpTimestamp && t <= icmpMaskReply:
		s.icmpID(off)
	case t == icmpUnreachable, t == icmpQuench, t == icmpRedirect, t == icmpTimeExceeded, t == icmpParameter:
		if t == icmpUnreachable && p.ICMPCode == icmpFragNeeded && s.has(off, icmpLen) {
			p.Quote.MTU = be.Uint16(s.b[off+6:])
		}
		s.quote(off + icmpLen)
	}
}

// icmpv6 reads an ICMPv6 message (RFC 4443).
func (s *state) icmpv6(off int) {
	if !s.icmpHeader(off) {
		return
	}
	p := s.p
	switch t := p.ICMPType; {
	case t == icmp6Echo, t == icmp6EchoReply:
		s.icmpID(off)
	case t >= 1 && t <= icmp6ErrorLast:
		if t == icmp6TooBig && s.has(off, icmpLen) {
			p.Quote.MTU = uint16(min(be.Uint32(s.b[off+4:]), 0xffff))
		}
		s.quote(off + icmpLen)
	case t >= icmp6RS && t <= icmp6Redirect, t >= icmp6MLDQuery && t <= icmp6MLDDone, t == icmp6MLDv2:
		p.Kind = KindND
	}
}

func (s *state) icmpHeader(off int) bool {
	if !s.has(off, 2) {
		return false
	}
	p := s.p
	p.ICMPType, p.ICMPCode = s.b[off], s.b[off+1]
	p.Reach = ReachTransport
	s.payload(off + icmpLen)
	return true
}

// icmpID reads identifier and sequence number.
func (s *state) icmpID(off int) {
	if !s.has(off, icmpLen) {
		return
	}
	p := s.p
	p.Sport = be.Uint16(s.b[off+4:])
	p.Dport = p.Sport
	p.ICMPSeq = be.Uint16(s.b[off+6:])
}

// quote reads the start of the packet that an error is about. It is cut by whoever sent the error, so its end is not a
// cut of this capture.
func (s *state) quote(off int) {
	if off >= len(s.b) {
		s.has(off, 1)
		return
	}
	cut := s.p.Cut
	q := &s.p.Quote
	body, ok := s.quotedIP(off, &q.IP)
	q.Valid = q.IP.Version != 0
	if ok && q.IP.FragOff == 0 {
		s.quotedPorts(body, q)
	}
	s.p.Cut = cut || s.wire > len(s.b)
}

// quotedIP reads a quoted IP header and returns where its upper layer begins.
func (s *state) quotedIP(off int, ip *IP) (int, bool) {
	switch h := s.b[off:]; {
	case h[0]>>4 == 4 && len(h) >= ipv4Len && h[0]&15 >= 5:
		hlen := int(h[0]&15) * 4
		total := parse4(h, ip)
		ip.Len, ip.DataLen = uint32(total), uint32(max(total-hlen, 0))
		return off + hlen, true
	case h[0]>>4 == 6 && len(h) >= ipv6Len:
		plen := parse6(h, ip)
		ip.Len = uint32(plen + ipv6Len)
		body, ok := s.extensions(off+ipv6Len, ip)
		ip.DataLen = uint32(max(int(ip.Len)-(body-off), 0))
		return body, ok
	}
	return off, false
}

// quotedPorts reads the eight bytes of the upper layer that every error quotes at least.
func (s *state) quotedPorts(off int, q *Quote) {
	if off+4 > len(s.b) {
		return
	}
	h := s.b[off:]
	switch q.IP.Proto {
	case protoTCP, protoUDP, protoUDPLite, protoSCTP:
		q.HasPorts, q.Sport, q.Dport = true, be.Uint16(h), be.Uint16(h[2:])
	case protoICMP, protoICMPv6:
		t := h[0]
		echo := t == icmpEcho || t == icmpEchoReply || t >= icmpTimestamp && t <= icmpMaskReply
		if q.IP.Proto == protoICMPv6 {
			echo = t == icmp6Echo || t == icmp6EchoReply
		}
		if echo && len(h) >= 6 {
			q.HasPorts, q.Sport = true, be.Uint16(h[4:])
			q.Dport = q.Sport
		}
		return
	default:
		return
	}
	if q.IP.Proto == protoTCP && len(h) >= 8 {
		q.HasSeq, q.Seq = true, be.Uint32(h[4:])
	}
	s.quotedSocket(h, q)
}

// quotedSocket lists a quoted header if enough of it is there.
func (s *state) quotedSocket(h []byte, q *Quote) {
	if s.p.IP.Version == 4 && s.p.ICMPType == icmpRedirect && len(h) > 8 {
		h = h[:8] // Wireshark reads no more of what a redirect quotes
	}
	tcp := q.IP.Proto == protoTCP && len(h) >= 16
	udp := q.IP.Proto == protoUDP && len(h) >= udpLen && (be.Uint16(h[4:]) >= udpLen || q.IP.Version == 6 && be.Uint16(h[4:]) == 0)
	lite := q.IP.Proto == protoUDPLite && len(h) >= udpLen
	if !tcp && !udp && !lite {
		return
	}
	k := s.socket()
	*k = Socket{Proto: q.IP.Proto, Version: q.IP.Version, Quoted: true, Fragment: s.frag, Partial: true,
		Src: q.IP.Src, Dst: q.IP.Dst, Sport: q.Sport, Dport: q.Dport}
	if tcp {
		k.Seq, k.Ack, k.Flags = be.Uint32(h[4:]), be.Uint32(h[8:]), uint16(h[12]&1)<<8|uint16(h[13])
	}
}
