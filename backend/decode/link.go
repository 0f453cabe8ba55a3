package decode

import "github.com/corr-dev/corr/backend/capture"

// Ethertypes (IEEE 802 numbers).
const (
	etherIPv4    = 0x0800
	etherARP     = 0x0806
	etherTEB     = 0x6558 // transparent Ethernet bridging (RFC 1701)
	etherRARP    = 0x8035
	etherVLAN    = 0x8100 // IEEE 802.1Q
	etherIPv6    = 0x86dd
	etherPPP     = 0x880b
	etherWCCP    = 0x883e
	etherMPLS    = 0x8847
	etherMPLSMC  = 0x8848
	etherPPPoED  = 0x8863
	etherPPPoES  = 0x8864
	etherEAPOL   = 0x888e
	etherQinQ    = 0x88a8 // IEEE 802.1ad
	etherERSPAN  = 0x88be // types I and II
	etherPreauth = 0x88c7 // IEEE 802.11i, carries EAPOL
	etherLLDP    = 0x88cc
	etherQinQ91  = 0x9100 // tags of makers, before 802.1ad
	etherQinQ92  = 0x9200
	etherQinQ93  = 0x9300
	etherERSPAN3 = 0x22eb
)

// maxLength is the largest value of the type field that is a length (IEEE 802.3 §3.2.6).
const maxLength = 1500

const (
	ethernetLen = 14
	vlanLen     = 4
	sllLen      = 16
	sll2Len     = 20
)

// Link types that package capture does not name.
const (
	linkPPPSerial  capture.LinkType = 50
	linkPPPEther   capture.LinkType = 51
	linkCHDLC      capture.LinkType = 104
	linkPPPWithDir capture.LinkType = 204
)

// link starts at the frame's first byte by link type.
func (s *state) link(t capture.LinkType) {
	switch t {
	case capture.LinkEthernet:
		s.ethernet(0)
	case capture.LinkRaw, capture.LinkRawBSD, capture.LinkRawOpen, capture.LinkIPv4, capture.LinkIPv6:
		s.raw(0)
	case capture.LinkSLL:
		s.sll()
	case capture.LinkSLL2:
		s.sll2()
	case capture.LinkNull, capture.LinkLoop:
		s.null()
	case capture.LinkPPP:
		s.ppp(0)
	case linkPPPSerial, linkCHDLC:
		s.serial()
	case linkPPPEther:
		s.pppoe(0)
	case linkPPPWithDir:
		s.ppp(1)
	}
}

// ethernet reads an Ethernet header (IEEE 802.3 §3.2).
func (s *state) ethernet(off int) {
	if !s.has(off, ethernetLen) || !s.enter() {
		return
	}
	p, h := s.p, s.b[off:off+ethernetLen]
	if !p.HasMAC || s.mirror {
		p.HasMAC, s.mirror = true, false
		p.DstMAC, p.SrcMAC = [6]byte(h[0:6]), [6]byte(h[6:12])
	}
	switch t := be.Uint16(h[12:14]); {
	case t == etherIPv4:
		s.ipv4(off+ethernetLen, etherIPv4)
	case t > maxLength:
		s.etherType(off+ethernetLen, t)
	default:
		s.limit(off + ethernetLen + int(t))
		s.llc(off + ethernetLen)
	}
}

// etherType goes on by ethertype, through VLAN tags.
func (s *state) etherType(off int, t uint16) {
	for {
		switch t {
		case etherIPv4:
			s.ipv4(off, t)
		case etherIPv6:
			s.ipv6(off, t)
		case etherVLAN, etherQinQ, etherQinQ91, etherQinQ92, etherQinQ93:
			if !s.has(off, vlanLen) {
				s.nonIP(t, KindNonIP)
				return
			}
			if s.p.VLANs == 0 {
				s.p.VLAN = be.Uint16(s.b[off:]) & 0x0fff
			}
			if s.p.VLANs < 255 {
				s.p.VLANs++
			}
			t = be.Uint16(s.b[off+2:])
			off += vlanLen
			if t > maxLength {
				continue
			}
			s.limit(off + int(t))
			s.llc(off)
		case etherMPLS, etherMPLSMC:
			s.nonIP(t, KindNonIP)
			s.mpls(off)
		case etherPPPoES:
			s.nonIP(t, KindNonIP)
			s.pppoe(off)
		case etherTEB:
			s.ethernet(off)
		case etherPPP:
			s.ppp(off)
		case etherARP, etherRARP:
			s.nonIP(t, KindARP)
		case etherLLDP:
			s.nonIP(t, KindLLDP)
		case etherEAPOL, etherPreauth:
			s.nonIP(t, KindEAPOL)
		case etherPPPoED:
			s.nonIP(t, KindPPPoED)
		default:
			s.nonIP(t, KindNonIP)
		}
		return
	}
}

// LLC service access points (IEEE 802.2) and SNAP organisation codes (RFC 1042).
const (
	sapSNAP = 0xaa
	sapIP   = 0x06

	ouiEthernet = 0x000000
	ouiCisco90  = 0x0000f8 // old bridges put ethertypes under it
	ouiCisco    = 0x00000c
	pidCDP      = 0x2000
	llcLen      = 3
	snapLen     = 5
	llcUnnumbed = 0x03 // unnumbered information
)

// llc reads an IEEE 802.2 header, with SNAP where there is one.
func (s *state) llc(off int) {
	s.nonIP(0, KindSTP)
	if !s.has(off, llcLen) {
		return
	}
	h := s.b[off:]
	if h[0] == sapIP && h[1] == sapIP && h[2] == llcUnnumbed {
		s.ipv4(off+llcLen, etherIPv4)
		return
	}
	if h[0] != sapSNAP || h[1] != sapSNAP || h[2] != llcUnnumbed || !s.has(off, llcLen+snapLen) {
		return
	}
	oui, pid := be.Uint32(h[2:])&0xffffff, be.Uint16(h[6:])
	switch {
	case oui == ouiEthernet || oui == ouiCisco90:
		s.etherType(off+llcLen+snapLen, pid)
	case oui == ouiCisco && pid == pidCDP:
		s.nonIP(pid, KindLLDP)
	}
}

// raw reads an IP header whose version only itself tells.
func (s *state) raw(off int) {
	if !s.has(off, 1) {
		return
	}
	switch s.b[off] >> 4 {
	case 4:
		s.ipv4(off, etherIPv4)
	case 6:
		s.ipv6(off, etherIPv6)
	default:
		s.nonIP(0, KindNonIP)
	}
}

// sll reads a Linux cooked header (LINKTYPE_LINUX_SLL).
func (s *state) sll() {
	if s.has(0, sllLen) {
		s.direction(be.Uint16(s.b[0:]))
		s.cooked(be.Uint16(s.b[2:]), uint8(be.Uint16(s.b[4:])), s.b[6:14], be.Uint16(s.b[14:]), sllLen)
	}
}

// sll2 reads a Linux cooked header, version 2 (LINKTYPE_LINUX_SLL2).
func (s *state) sll2() {
	if s.has(0, sll2Len) {
		s.direction(uint16(s.b[10]))
		s.p.InterfaceIndex = be.Uint32(s.b[4:])
		s.cooked(be.Uint16(s.b[8:]), s.b[11], s.b[12:20], be.Uint16(s.b[0:]), sll2Len)
	}
}

// Values of the kernel's ARPHRD_ and ETH_P_ that change what the protocol field means.
const (
	arphrdNetlink = 824
	ethP802_2     = 0x0004
)

// sentByUs is the packet type of what the recording host sent itself (LINKTYPE_LINUX_SLL).
const sentByUs = 4

func (s *state) direction(packetType uint16) {
	s.p.Direction = capture.Inbound
	if packetType == sentByUs {
		s.p.Direction = capture.Outbound
	}
}

func (s *state) cooked(hw uint16, addrLen uint8, addr []byte, proto uint16, off int) {
	if hw == arphrdNetlink {
		s.nonIP(proto, KindNonIP)
		return
	}
	if addrLen == 6 {
		s.p.HasMAC, s.p.SrcMAC = true, [6]byte(addr[:6])
	}
	switch {
	case proto == ethP802_2:
		s.llc(off)
	case proto <= maxLength:
		s.nonIP(proto, KindNonIP)
	default:
		s.etherType(off, proto)
	}
}

// null reads the address family of a BSD loopback header: in the byte order of the host that captured (LINKTYPE_NULL) or
// of the network (LINKTYPE_LOOP); files of either kind exist with both.
func (s *state) null() {
	if !s.has(0, 4) {
		return
	}
	af := be.Uint32(s.b)
	if af > 0xffff {
		af = uint32(s.b[0]) | uint32(s.b[1])<<8 | uint32(s.b[2])<<16 | uint32(s.b[3])<<24
	}
	switch af {
	case 2:
		s.ipv4(4, etherIPv4)
	case 10, 24, 28, 30: // Linux; NetBSD and OpenBSD; FreeBSD; Darwin
		s.ipv6(4, etherIPv6)
	default:
		s.nonIP(0, KindNonIP)
	}
}

// PPP protocol numbers (IANA).
const (
	pppIPv4   = 0x0021
	pppIPv6   = 0x0057
	pppMPLS   = 0x0281
	pppMPLSMC = 0x0283
)

// ppp reads a PPP header (RFC 1661 §2), behind HDLC framing (RFC 1662 §3.1) where there is some.
func (s *state) ppp(off int) {
	if !s.has(off, 2) {
		return
	}
	if s.b[off] == 0xff && s.b[off+1] == 0x03 {
		off += 2
		if !s.has(off, 2) {
			return
		}
	}
	proto, n := be.Uint16(s.b[off:]), 2
	if s.b[off]&1 != 0 { // protocol field compression, RFC 1661 §6.5
		proto, n = uint16(s.b[off]), 1
	}
	switch proto {
	case pppIPv4:
		s.ipv4(off+n, etherIPv4)
	case pppIPv6:
		s.ipv6(off+n, etherIPv6)
	case pppMPLS, pppMPLSMC:
		s.mpls(off + n)
	default:
		s.nonIP(0, KindNonIP)
	}
}

// serial reads PPP in HDLC framing or Cisco HDLC (address 0x0f or 0x8f, then an ethertype).
func (s *state) serial() {
	if !s.has(0, 4) {
		return
	}
	if s.b[0] == 0x0f || s.b[0] == 0x8f {
		s.etherType(4, be.Uint16(s.b[2:]))
		return
	}
	s.ppp(0)
}

// pppoe reads the header of a PPPoE session packet (RFC 2516 §4).
func (s *state) pppoe(off int) {
	if !s.has(off, 6) {
		return
	}
	if s.b[off] != 0x11 || s.b[off+1] != 0 {
		return
	}
	s.limit(off + 6 + int(be.Uint16(s.b[off+4:])))
	s.through(TunnelPPPoE)
	s.ppp(off + 6)
}
