package lab

import (
	"net/netip"

	"github.com/corr-dev/corr/backend/capture"
)

// siit is the path with a translator between IPv6 and IPv4 without state (RFC 7915) at the box's stretch.
func (w *world) siit() leg {
	g := w.whole()
	g.view = func(point int, dir byte, id uint32, ip []byte) []byte {
		if point < w.at {
			return ip
		}
		h := read(capture.LinkRaw, &Frame{Data: ip, OrigLen: uint32(len(ip))})
		src, dst := translated(h.tuple.src), translated(h.tuple.dst)
		l4 := append([]byte(nil), ip[h.l4:]...)
		return ipPacket(h.proto, src, dst, uint16(2*id)|1, true, l4)
	}
	return g
}

// translated: a server has its own IPv4 address, a client one of the translator's pool; ports stay.
func translated(a netip.Addr) netip.Addr {
	b := a.As16()
	if b[5] == 61 {
		return netip.AddrFrom4([4]byte{192, 0, 2 + b[14], b[15]})
	}
	return netip.AddrFrom4([4]byte{10, b[5], 1 + b[14], b[15]})
}
