package message

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"strconv"
)

// Address types of SOCKS5 (RFC 1928 §5).
const (
	socksIPv4   = 1
	socksDomain = 3
	socksIPv6   = 4
)

// isSOCKS recognises the greeting, request or reply of SOCKS5, and the request of SOCKS4, each filling its segment.
func isSOCKS(b []byte, wire int) bool {
	if len(b) != wire || len(b) < 3 {
		return false
	}
	if b[0] == 4 {
		return len(b) >= 9 && (b[1] == 1 || b[1] == 2) && socks4Len(b) == len(b)
	}
	return isSOCKS5Greeting(b) || socks5Len(b) == len(b)
}

// isSOCKS5Greeting: version, count, and as many methods that exist (RFC 1928 §3).
func isSOCKS5Greeting(b []byte) bool {
	if len(b) < 3 || b[0] != 5 || int(b[1]) != len(b)-2 || b[1] > 10 {
		return false
	}
	for _, m := range b[2:] {
		if m > 9 && m < 0x80 {
			return false
		}
	}
	return true
}

// socks5Len returns the length of a request or reply: version, code, zero, address, port. 0: it is none; -1: it goes on.
func socks5Len(b []byte) int {
	if len(b) < 5 {
		return -1
	}
	if b[0] != 5 || b[1] > 8 || b[2] != 0 {
		return 0
	}
	n := 0
	switch b[3] {
	case socksIPv4:
		n = 4 + 4 + 2
	case socksIPv6:
		n = 4 + 16 + 2
	case socksDomain:
		n = 4 + 1 + int(b[4]) + 2
	default:
		return 0
	}
	if n > len(b) {
		return -1
	}
	return n
}

// socks4Len returns the length of a SOCKS4 or 4a request, 0 where it is none, -1 where it goes on: version, command,
// port, address, user, zero; a name and a zero where the address is 0.0.0.x.
func socks4Len(b []byte) int {
	if len(b) < 9 {
		return -1
	}
	end := bytes.IndexByte(b[8:], 0)
	if end < 0 {
		if len(b) > 600 {
			return 0
		}
		return -1
	}
	n := 8 + end + 1
	if b[4]|b[5]|b[6] != 0 || b[7] == 0 {
		return n
	}
	name := bytes.IndexByte(b[n:], 0)
	switch {
	case name > 0:
		return n + name + 1
	case name == 0 || len(b)-n > 255:
		return 0
	}
	return -1
}

// isSOCKS4Reply: zero, 90 to 93, port and address, nothing else.
func isSOCKS4Reply(b []byte, wire int) bool {
	return wire == 8 && len(b) == 8 && b[0] == 0 && b[1] >= 90 && b[1] <= 93
}

// nameSOCKS names one message of the handshake. A code of 1 to 3 reads as a request's command; Name, knowing the
// ports, reads it as a reply where it comes from the server's.
func nameSOCKS(i *Info, b []byte, wire int, _ uint8) bool {
	p := &Proxy{}
	kind, label := "", ""
	switch {
	case isSOCKS4Reply(b, wire):
		kind, label = "reply", "4 reply "+strconv.Itoa(int(b[1]))
	case len(b) < 2:
		return false
	case b[0] == 4 && socks4Len(b) > 0 && (b[1] == 1 || b[1] == 2):
		kind, label = "request", "4 "+p.socks4(b)
	case b[0] == 5 && wire == 2 && (b[1] <= 9 || b[1] >= 0x80):
		kind, label = "method", "5 method "+strconv.Itoa(int(b[1]))
	case isSOCKS5Greeting(b):
		kind, label = "greeting", "5 greeting"
	case b[0] == 5 && socks5Len(b) > 0 && (b[1] == 0 || b[1] > 3):
		kind, label = "reply", "5 "+p.socks5(b)
	case b[0] == 5 && socks5Len(b) > 0:
		kind, label = "request", "5 "+p.socks5(b)
	default:
		return false
	}
	p.Protocol = label[:1]
	p.HeadLen = wire
	i.Proxy = p
	i.only(kind, label, wire, len(b))
	return true
}

// nameSOCKSReply renames a message from the server's port that looks like a request.
func nameSOCKSReply(i *Info, b []byte, wire int) {
	if len(b) > 1 && b[0] == 5 && i.Messages[0].Kind == "request" {
		*i = Info{Proto: ProtoSOCKS, Proxy: i.Proxy}
		i.Proxy.Target = ""
		i.only("reply", "5 "+socksReply(b[1]), wire, len(b))
	}
}

func socksCommand(code uint8) string {
	names := [...]string{"", "CONNECT", "BIND", "UDP ASSOCIATE"}
	return names[code&3]
}

// socksReply names a reply (RFC 1928 §6).
func socksReply(code uint8) string {
	names := [...]string{"succeeded", "general failure", "not allowed", "network unreachable", "host unreachable",
		"connection refused", "TTL expired", "command not supported", "address type not supported"}
	if int(code) < len(names) {
		return names[code]
	}
	return "reply " + strconv.Itoa(int(code))
}

// socks5 reads a whole request or reply and returns its label.
func (p *Proxy) socks5(b []byte) string {
	target := ""
	n := socks5Len(b)
	port := strconv.Itoa(int(binary.BigEndian.Uint16(b[n-2:])))
	if b[3] == socksDomain {
		target = text(b[5:n-2]) + ":" + port
	} else if addr, ok := netip.AddrFromSlice(b[4 : n-2]); ok {
		p.Dst = netip.AddrPortFrom(addr, binary.BigEndian.Uint16(b[n-2:]))
		target = p.Dst.String()
	}
	if b[1] == 0 || b[1] > 3 {
		p.Dst = netip.AddrPort{} // the proxy's own address there
		return socksReply(b[1])
	}
	p.Target = target
	return socksCommand(b[1]) + " " + target
}

// socks4 reads a whole SOCKS4 request and returns its label.
func (p *Proxy) socks4(b []byte) string {
	port := binary.BigEndian.Uint16(b[2:])
	user := 8 + bytes.IndexByte(b[8:], 0) + 1
	if n := socks4Len(b); n > user {
		p.Target = text(b[user:n-1]) + ":" + strconv.Itoa(int(port))
	} else {
		p.Dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port)
		p.Target = p.Dst.String()
	}
	return socksCommand(b[1]) + " " + p.Target
}
