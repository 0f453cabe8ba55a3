package message

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strings"
)

// Proxy is what a handshake in front of the payload proper says: a PROXY protocol header or a message of SOCKS.
type Proxy struct {
	// Protocol: "v1", "v2" (PROXY protocol), "4", "5" (SOCKS).
	Protocol string
	// Local: a PROXY header of the proxy's own connection (a health check), or v1 UNKNOWN: no addresses.
	Local bool
	// Src and Dst are the front connection's ends (PROXY) or the address that SOCKS is to connect to (Dst). Invalid
	// where there are none: a name, a local or a unix socket.
	Src, Dst netip.AddrPort
	Target   string // SOCKS: "name:port" or "address:port"
	// HeadLen is the length in bytes of the header; the payload proper begins there.
	HeadLen int
}

const (
	proxyV2      = "\r\n\r\n\x00\r\nQUIT\n"
	proxyV2Fixed = 16
	maxProxyV1   = 107 // with CRLF, haproxy proxy-protocol.txt §2.1
)

func isPROXYv1(b []byte) bool {
	return hasPrefix(b, "PROXY TCP") || hasPrefix(b, "PROXY UNKNOWN")
}

// isPROXYv2: the signature, version 2, command 0 or 1 (proxy-protocol.txt §2.2).
func isPROXYv2(b []byte) bool {
	return len(b) >= proxyV2Fixed && hasPrefix(b, proxyV2) && b[12]>>4 == 2 && b[12]&15 <= 1
}

// Proxied gives the ends of the connection in front of a proxy that the PROXY protocol header at the beginning of b
// names, in its initiator's direction; ok is false where there is no whole header or it names none.
func Proxied(b []byte) (src, dst netip.AddrPort, ok bool) {
	p, whole := parsePROXY(b)
	if p == nil || !whole || p.Local || !p.Src.IsValid() || !p.Dst.IsValid() {
		return src, dst, false
	}
	return p.Src, p.Dst, true
}

// parsePROXY reads a header that b begins with. nil: it is none; whole false: it goes on behind b.
func parsePROXY(b []byte) (p *Proxy, whole bool) {
	switch {
	case isPROXYv1(b):
		return parsePROXYv1(b)
	case isPROXYv2(b):
		return parsePROXYv2(b)
	}
	return nil, false
}

func parsePROXYv1(b []byte) (*Proxy, bool) {
	p := &Proxy{Protocol: "v1"}
	end := bytes.Index(b[:min(len(b), maxProxyV1)], []byte("\r\n"))
	if end < 0 {
		if len(b) >= maxProxyV1 {
			return nil, false
		}
		return p, false
	}
	p.HeadLen = end + 2
	part := strings.Split(string(b[:end]), " ")
	if part[1] == "UNKNOWN" {
		p.Local = true
		return p, true
	}
	if len(part) != 6 {
		return nil, false
	}
	var ok bool
	if p.Src, ok = addrPort(part[2], part[4]); ok {
		p.Dst, ok = addrPort(part[3], part[5])
	}
	if !ok {
		return nil, false
	}
	return p, true
}

func addrPort(addr, port string) (netip.AddrPort, bool) {
	a, err := netip.ParseAddr(addr)
	n := number([]byte(port))
	if err != nil || a.Zone() != "" || n < 0 || n > 65535 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(a, uint16(n)), true
}

func parsePROXYv2(b []byte) (*Proxy, bool) {
	p := &Proxy{Protocol: "v2", Local: b[12]&15 == 0}
	n := int(binary.BigEndian.Uint16(b[14:]))
	p.HeadLen = proxyV2Fixed + n
	c := cursor{b: b[proxyV2Fixed:min(len(b), p.HeadLen)]}
	size := 0
	switch b[13] >> 4 {
	case 1:
		size = 4
	case 2:
		size = 16
	}
	if size > 0 && !p.Local {
		src, _ := netip.AddrFromSlice(c.take(size))
		dst, _ := netip.AddrFromSlice(c.take(size))
		sport, dport := c.uint(2), c.uint(2)
		if !c.short {
			p.Src, p.Dst = netip.AddrPortFrom(src, uint16(sport)), netip.AddrPortFrom(dst, uint16(dport))
		}
	}
	return p, p.HeadLen <= len(b)
}

// label of the header: "v1 10.0.0.1:4711 → 10.0.0.2:443".
func (p *Proxy) label() string {
	if p.Local || !p.Src.IsValid() {
		return p.Protocol + " without addresses"
	}
	return p.Protocol + " " + p.Src.String() + " → " + p.Dst.String()
}

// namePROXY names the header and, where something is recognised behind it, names the segment after that.
func namePROXY(i *Info, b []byte, wire int, proto uint8) bool {
	p, whole := parsePROXY(b)
	if p == nil {
		return false
	}
	head := p.HeadLen
	if !whole {
		head = max(head, len(b))
	}
	if rest := min(head, len(b)); whole && rest < len(b) {
		// One header only: a chain of them would nest without end.
		if inner := sniff(b[rest:], wire-rest, proto); inner != ProtoPROXY && inner != ProtoNone {
			*i = NameAs(inner, proto, b[rest:], wire-rest)
			for k := range i.Messages {
				i.Messages[k].Off += rest
			}
		}
	}
	i.Messages = append([]Message{{Kind: "PROXY " + p.Protocol, Len: head, Whole: whole}}, i.Messages...)
	if i.Proto == ProtoNone || i.Proto == ProtoPROXY {
		i.Proto, i.Label = ProtoPROXY, p.label()
	}
	i.Proxy = p
	return true
}
