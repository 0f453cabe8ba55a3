package lab

import (
	"encoding/binary"
	"net/netip"

	"github.com/corr-dev/corr/backend/capture"
)

var be = binary.BigEndian

// Protocol numbers and ethertypes that the walker follows.
const (
	protoICMP   = 1
	protoIPIP   = 4
	protoTCP    = 6
	protoUDP    = 17
	protoIPv6   = 41
	protoGRE    = 47
	protoESP    = 50
	protoICMPv6 = 58

	etherIPv4  = 0x0800
	etherARP   = 0x0806
	etherVLAN  = 0x8100
	etherQinQ  = 0x88a8
	etherMPLS  = 0x8847
	etherIPv6  = 0x86dd
	etherTEB   = 0x6558
	portVXLAN  = 4789
	portGENEVE = 6081
)

// layer is a header's place in a frame.
type layer struct {
	off    int
	proto  byte // 4 or 6 of an IP header; the protocol number of a transport header
	quoted bool // inside an ICMP error
}

// sumOver is a checksum field and the bytes it covers.
type sumOver struct {
	at       int
	from, to int
	addrs    [2]int // the addresses in the pseudo header; equal: none
}

// tuple is source and destination of a packet; ICMP echo has its identifier as both ports.
type tuple struct {
	proto        byte
	src, dst     netip.Addr
	sport, dport uint16
}

func (t tuple) reverse() tuple {
	return tuple{t.proto, t.dst, t.src, t.dport, t.sport}
}

// header says where a frame's headers lie. It is read anew after each change of length.
type header struct {
	data  []byte
	frame *Frame
	macs  []int // Ethernet headers
	arp   int   // -1: none
	ips   []layer
	trans []layer
	sums  []sumOver

	// Innermost packet that is not quoted. l4 -1: none (later fragment, cut, unknown).
	ip      int // offset of its IP header, -1 none
	version byte
	proto   byte
	l4      int
	payload int
	end     int // of the IP datagram; may lie behind the captured bytes
	tuple   tuple
	inner   tuple // of the quoted packet, where quoted
	quoted  bool

	nd bool // neighbour discovery, MLD: never leaves the link
}

// read walks the frame. It never fails: fields behind what it could read stay unset.
func read(link capture.LinkType, f *Frame) *header {
	h := &header{data: f.Data, frame: f, arp: -1, ip: -1, l4: -1, end: len(f.Data)}
	h.link(link)
	return h
}

func (h *header) has(off, n int) bool { return off >= 0 && off+n <= len(h.data) }

func (h *header) link(link capture.LinkType) {
	switch link {
	case capture.LinkEthernet:
		h.ethernet(0)
	case capture.LinkSLL:
		if h.has(14, 2) {
			h.ether(be.Uint16(h.data[14:]), 16)
		}
	case capture.LinkSLL2:
		if h.has(0, 20) {
			h.ether(be.Uint16(h.data), 20)
		}
	case capture.LinkNull, capture.LinkLoop:
		h.bare(4)
	default:
		h.bare(0)
	}
}

// bare is an IP packet without a type in front.
func (h *header) bare(off int) {
	if !h.has(off, 1) {
		return
	}
	switch h.data[off] >> 4 {
	case 4:
		h.ipv4(off, false)
	case 6:
		h.ipv6(off, false)
	}
}

func (h *header) ethernet(off int) {
	if !h.has(off, 14) {
		return
	}
	h.macs = append(h.macs, off)
	h.ether(be.Uint16(h.data[off+12:]), off+14)
}

func (h *header) ether(t uint16, off int) {
	for t == etherVLAN || t == etherQinQ {
		if !h.has(off, 4) {
			return
		}
		t, off = be.Uint16(h.data[off+2:]), off+4
	}
	switch t {
	case etherIPv4, etherIPv6:
		h.bare(off)
	case etherARP:
		h.arp = off
	case etherTEB:
		h.ethernet(off)
	case etherMPLS:
		for h.has(off, 4) && h.data[off+2]&1 == 0 {
			off += 4
		}
		h.bare(off + 4)
	}
}

func (h *header) ipv4(off int, quoted bool) {
	if !h.has(off, 20) {
		return
	}
	n := int(h.data[off]&15) * 4
	if n < 20 {
		return // a header that ends before its fields: what follows would be itself again
	}
	total := int(be.Uint16(h.data[off+2:]))
	if total == 0 { // segmentation offload
		total = int(h.frame.OrigLen) - off
	}
	h.ips = append(h.ips, layer{off, 4, quoted})
	h.sums = append(h.sums, sumOver{at: off + 10, from: off, to: off + n})
	src, _ := netip.AddrFromSlice(h.data[off+12 : off+16])
	dst, _ := netip.AddrFromSlice(h.data[off+16 : off+20])
	h.enter(off, 4, h.data[off+9], off+total, src, dst, quoted)
	if be.Uint16(h.data[off+6:])&0x1fff == 0 {
		h.transport(h.data[off+9], off+n, off+total, [2]int{off + 12, off + 20}, quoted)
	}
}

func (h *header) ipv6(off int, quoted bool) {
	if !h.has(off, 40) {
		return
	}
	end := off + 40 + int(be.Uint16(h.data[off+4:]))
	h.ips = append(h.ips, layer{off, 6, quoted})
	src, _ := netip.AddrFromSlice(h.data[off+8 : off+24])
	dst, _ := netip.AddrFromSlice(h.data[off+24 : off+40])
	proto, next := h.data[off+6], off+40
	for proto == 0 || proto == 43 || proto == 60 {
		if !h.has(next, 8) {
			return
		}
		proto, next = h.data[next], next+8+int(h.data[next+1])*8
	}
	h.enter(off, 6, proto, end, src, dst, quoted)
	h.transport(proto, next, end, [2]int{off + 8, off + 40}, quoted)
}

func (h *header) enter(off int, version, proto byte, end int, src, dst netip.Addr, quoted bool) {
	t := tuple{proto: proto, src: src, dst: dst}
	if quoted {
		h.quoted, h.inner = true, t
		return
	}
	h.ip, h.version, h.proto, h.l4, h.payload, h.end, h.tuple = off, version, proto, -1, 0, end, t
}

// setPorts stores ports in the tuple of the packet at hand.
func (h *header) setPorts(off int, sport, dport uint16, quoted bool) {
	if quoted {
		h.inner.sport, h.inner.dport = sport, dport
		return
	}
	h.tuple.sport, h.tuple.dport = sport, dport
	h.l4 = off
}

func (h *header) transport(proto byte, off, end int, addrs [2]int, quoted bool) {
	switch proto {
	case protoIPIP, protoIPv6:
		h.bare(off)
	case protoGRE:
		h.gre(off)
	case protoTCP:
		if !h.has(off, 8) {
			return
		}
		h.trans = append(h.trans, layer{off, proto, quoted})
		h.sums = append(h.sums, sumOver{off + 16, off, end, addrs})
		h.setPorts(off, be.Uint16(h.data[off:]), be.Uint16(h.data[off+2:]), quoted)
		if !quoted && h.has(off, 13) {
			h.payload = off + int(h.data[off+12]>>4)*4
		}
	case protoUDP:
		if !h.has(off, 8) {
			return
		}
		h.trans = append(h.trans, layer{off, proto, quoted})
		h.sums = append(h.sums, sumOver{off + 6, off, end, addrs})
		h.setPorts(off, be.Uint16(h.data[off:]), be.Uint16(h.data[off+2:]), quoted)
		if !quoted {
			h.payload = off + 8
			h.udpTunnel(off)
		}
	case protoICMP, protoICMPv6:
		h.icmp(proto, off, end, addrs, quoted)
	case protoESP:
		if h.has(off, 8) && !quoted {
			h.l4, h.payload = off, off+8
		}
	}
}

func (h *header) gre(off int) {
	if !h.has(off, 4) {
		return
	}
	flags, t := h.data[off], be.Uint16(h.data[off+2:])
	off += 4
	for _, bit := range []byte{0x80, 0x20, 0x10} {
		if flags&bit != 0 {
			off += 4
		}
	}
	h.ether(t, off)
}

func (h *header) udpTunnel(off int) {
	port := be.Uint16(h.data[off+2:])
	switch {
	case port == portVXLAN && h.has(off+8, 8) && h.data[off+8] == 8:
		h.ethernet(off + 16)
	case port == portGENEVE && h.has(off+8, 8) && be.Uint16(h.data[off+10:]) == etherTEB:
		h.ethernet(off + 16 + int(h.data[off+8]&0x3f)*4)
	}
}

// icmp: an error's quoted packet is walked too (RFC 792, RFC 4443).
func (h *header) icmp(proto byte, off, end int, addrs [2]int, quoted bool) {
	if !h.has(off, 8) {
		return
	}
	h.trans = append(h.trans, layer{off, proto, quoted})
	s := sumOver{at: off + 2, from: off, to: end}
	if proto == protoICMPv6 {
		s.addrs = addrs
	}
	h.sums = append(h.sums, s)
	typ := h.data[off]
	id := uint16(0)
	if isEcho(proto, typ) {
		id = be.Uint16(h.data[off+4:])
	}
	h.setPorts(off, id, id, quoted)
	if quoted {
		return
	}
	h.payload = off + 8
	h.nd = proto == protoICMPv6 && typ >= 130 && typ <= 143
	if isError(proto, typ) && h.has(off+8, 1) {
		switch h.data[off+8] >> 4 {
		case 4:
			h.ipv4(off+8, true)
		case 6:
			h.ipv6(off+8, true)
		}
	}
}

func isEcho(proto, typ byte) bool {
	if proto == protoICMP {
		return typ == 0 || typ == 8
	}
	return typ == 128 || typ == 129
}

func isError(proto, typ byte) bool {
	if proto == protoICMP {
		return typ == 3 || typ == 4 || typ == 5 || typ == 11 || typ == 12
	}
	return typ >= 1 && typ <= 4
}

// local reports a frame that never leaves its link.
func (h *header) local() bool { return h.nd || h.ip < 0 }
