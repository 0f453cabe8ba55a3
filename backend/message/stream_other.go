package message

import "encoding/binary"

// head opens a message whose header lies in all, taken bytes of it new, and whose body has a known length. Bytes
// gathered beyond the header are read again.
func (s *Stream) head(m StreamMessage, all []byte, taken int, body uint64) int {
	off, size := s.origin(all, taken), int(m.HeadLen)
	over := rest(all, taken, size)
	var again []byte
	if over < 0 {
		again = append(again, all[size:len(all)-taken]...)
		over = 0
	}
	s.drop()
	s.begin(m, off)
	if s.left = body; body == 0 {
		s.emit()
	}
	if len(again) > 0 {
		s.next -= uint64(len(again))
		s.consume(again)
	}
	return over
}

func (s *Stream) stepSIP(b []byte) int {
	if n := s.skipBlank(b); n > 0 {
		return n
	}
	n, head, end := s.gatherHead(b, func(b []byte) bool { return sniffStart(b) == ProtoSIP })
	if end == 0 {
		return n
	}
	sip := parseSIP(head[:end], ProtoSIP)
	if sip == nil {
		s.lose()
		return 0
	}
	kind, label := sip.label()
	// Over streams Content-Length is a must (RFC 3261 §18.3); without it there is no body.
	body := uint64(max(sip.ContentLength, 0))
	m := StreamMessage{Proto: ProtoSIP, Kind: kind, Label: label, HeadLen: uint64(end), Len: uint64(end) + body, SIP: sip}
	if body > 0 {
		m.Body = BodyLength
	}
	return s.head(m, head, n, body)
}

// dnsGoesOn reports whether b may be the first part of a DNS message of ordinary length.
func dnsGoesOn(b []byte) bool {
	length := int(binary.BigEndian.Uint16(b))
	return length > dnsHeader && length < maxDNS && len(b) < 2+length && len(b) < maxDNS &&
		b[6] == 0 && b[7] == 1 && b[4]&0x78 <= 0x30 && b[5]&0x40 == 0
}

// stepDNS reads the length of two bytes and begins to gather the message (RFC 1035 §4.2.2).
func (s *Stream) stepDNS(b []byte) int {
	n, all := s.gather(b, maxDNS)
	if len(all) < 2 {
		s.keep(all)
		return n
	}
	length := int(binary.BigEndian.Uint16(all))
	if length < dnsHeader {
		s.lose()
		return 0
	}
	if len(all) < min(2+length, maxDNS) {
		s.keep(all)
		return n
	}
	d := parseDNS(all[2:min(2+length, len(all))])
	if d == nil {
		s.lose()
		return 0
	}
	kind, label := d.label()
	m := StreamMessage{Proto: ProtoDNS, Kind: kind, Label: label, HeadLen: 2, Len: uint64(2 + length), Body: BodyLength, DNS: d}
	return s.head(m, all, n, uint64(length))
}

func (s *Stream) stepPROXY(b []byte) int {
	n, all := s.gather(b, maxHead+proxyV2Fixed)
	p, whole := parsePROXY(all)
	if p == nil {
		s.lose()
		return 0
	}
	if !whole {
		s.keep(all)
		return n
	}
	m := StreamMessage{Proto: ProtoPROXY, Kind: "PROXY " + p.Protocol, Label: p.label(), HeadLen: uint64(p.HeadLen),
		Len: uint64(p.HeadLen), Proxy: p}
	s.enter(s.origin(all, n) + uint64(p.HeadLen))
	return s.head(m, all, n, 0)
}
