package lab

import "net/netip"

// set overwrites bytes in place and carries the change into every checksum that covers them (RFC 1624), so that what
// was right stays right and what was wrong (offload) stays wrong. A checksum of 0 that isn't the right one is left alone: there is none.
func (h *header) set(off int, b []byte) {
	type change struct {
		off      int
		old, new byte
	}
	var none uint64 // bits of the checksums that are not there
	for i, s := range h.sums {
		if h.has(s.at, 2) && be.Uint16(h.data[s.at:]) == 0 && !h.zeroIsRight(s) {
			none |= 1 << i
		}
	}
	var changes []change
	write := func(at int, v byte) {
		if at < len(h.data) && h.data[at] != v {
			changes = append(changes, change{at, h.data[at], v})
			h.data[at] = v
		}
	}
	for i, v := range b {
		write(off+i, v)
	}
	for i := len(h.sums) - 1; i >= 0; i-- { // the innermost first: it lies in the range of those around it
		s := h.sums[i]
		if !h.has(s.at, 2) || none&(1<<i) != 0 {
			continue
		}
		acc, hit := uint32(^be.Uint16(h.data[s.at:])), false
		for _, c := range changes {
			in := c.off >= s.from && c.off < s.to || c.off >= s.addrs[0] && c.off < s.addrs[1]
			if !in || c.off == s.at || c.off == s.at+1 {
				continue
			}
			shift := uint(8)
			if (c.off-s.from)&1 != 0 {
				shift = 0
			}
			acc += uint32(^(uint16(c.old) << shift)) + uint32(c.new)<<shift
			hit = true
		}
		if !hit {
			continue
		}
		v := ^fold(acc)
		if v == 0 && s.udp() {
			v = 0xffff // RFC 768: 0 would mean no checksum
		}
		write(s.at, byte(v>>8))
		write(s.at+1, byte(v))
	}
}

func (s sumOver) udp() bool { return s.at-s.from == 6 }

// zeroIsRight reports whether a checksum field of 0 is the packet's checksum.
func (h *header) zeroIsRight(s sumOver) bool {
	if s.udp() || s.to > len(h.data) || s.to < s.from {
		return false
	}
	var pseudo []byte
	if s.addrs[0] != s.addrs[1] {
		proto := byte(protoTCP)
		if s.at-s.from == 2 {
			proto = protoICMPv6
		}
		pseudo = append(pseudo, h.data[s.addrs[0]:s.addrs[1]]...)
		pseudo = append(be.AppendUint32(pseudo, uint32(s.to-s.from)), 0, 0, 0, proto)
	}
	return checksum(pseudo, h.data[s.from:s.to]) == 0
}

func fold(acc uint32) uint16 {
	for acc>>16 != 0 {
		acc = acc&0xffff + acc>>16
	}
	return uint16(acc)
}

func (h *header) set16(off int, v uint16) { h.set(off, be.AppendUint16(nil, v)) }
func (h *header) set32(off int, v uint32) { h.set(off, be.AppendUint32(nil, v)) }

// addrs gives the offsets of source and destination of the IP header, and their length.
func (l layer) addrs() (src, dst, n int) {
	if l.proto == 6 {
		return l.off + 8, l.off + 24, 16
	}
	return l.off + 12, l.off + 16, 4
}

func (h *header) addrAt(off, n int) netip.Addr {
	a, _ := netip.AddrFromSlice(h.data[off : off+n])
	return a
}

// checksum computes an Internet checksum (RFC 1071).
func checksum(parts ...[]byte) uint16 {
	var acc uint32
	for _, b := range parts {
		for i := 0; i+1 < len(b); i += 2 {
			acc += uint32(be.Uint16(b[i:]))
		}
		if len(b)&1 != 0 {
			acc += uint32(b[len(b)-1]) << 8
		}
		acc = uint32(fold(acc))
	}
	return ^fold(acc)
}

// resum makes the innermost packet's checksums anew; for frames that hold all of it.
func (h *header) resum() {
	if h.version == 4 {
		n := int(h.data[h.ip]&15) * 4
		be.PutUint16(h.data[h.ip+10:], 0)
		be.PutUint16(h.data[h.ip+10:], checksum(h.data[h.ip:h.ip+n]))
	}
	at := map[byte]int{protoTCP: 16, protoUDP: 6, protoICMP: 2, protoICMPv6: 2}[h.proto]
	if h.l4 < 0 || at == 0 || !h.whole() {
		return
	}
	be.PutUint16(h.data[h.l4+at:], 0)
	seg := h.data[h.l4:h.end]
	var pseudo []byte
	if h.proto != protoICMP {
		src, dst, n := (layer{off: h.ip, proto: h.version}).addrs()
		pseudo = append(pseudo, h.data[src:src+n]...)
		pseudo = append(pseudo, h.data[dst:dst+n]...)
		pseudo = be.AppendUint32(pseudo, uint32(len(seg)))
		pseudo = append(pseudo, 0, 0, 0, h.proto)
	}
	v := checksum(pseudo, seg)
	if v == 0 && h.proto == protoUDP {
		v = 0xffff
	}
	be.PutUint16(h.data[h.l4+at:], v)
}
