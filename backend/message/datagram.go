package message

import (
	"encoding/binary"
	"strconv"
)

const (
	stunHeader = 20
	stunCookie = 0x2112a442
)

// isSTUN: two zero bits, the cookie, a length in fours that fills the datagram (RFC 8489 §5).
func isSTUN(b []byte, wire int) bool {
	if len(b) < stunHeader || b[0] > 0x3f || binary.BigEndian.Uint32(b[4:]) != stunCookie {
		return false
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	return n%4 == 0 && n+stunHeader <= wire
}

// nameSTUN names method and class (RFC 8489 §5, TURN: RFC 8656 §17).
func nameSTUN(i *Info, b []byte, wire int, _ uint8) bool {
	if !isSTUN(b, wire) {
		return false
	}
	t := binary.BigEndian.Uint16(b)
	method := int(t&0xf | t>>1&0x70 | t>>2&0xf80)
	class := t>>4&1 | t>>7&2
	names := [...]string{1: "Binding", 3: "Allocate", 4: "Refresh", 6: "Send", 7: "Data", 8: "CreatePermission",
		9: "ChannelBind", 10: "Connect", 11: "ConnectionBind", 12: "ConnectionAttempt"}
	label := "method " + strconv.Itoa(method)
	if method < len(names) && names[method] != "" {
		label = names[method]
	}
	kind := [...]string{"request", "indication", "response", "error"}[class]
	i.only(kind, label+" "+kind, stunHeader+int(binary.BigEndian.Uint16(b[2:])), len(b))
	return true
}

// nameNTP names a message by its mode (RFC 5905 §7.3). Bytes alone don't prove NTP: Name asks for the port.
func nameNTP(i *Info, b []byte, wire int, _ uint8) bool {
	mode, version := b[0]&7, b[0]>>3&7
	if version < 1 || version > 4 || mode == 0 || wire < 48 && mode < 6 {
		return false
	}
	names := [...]string{"", "symmetric active", "symmetric passive", "client", "server", "broadcast", "control", "private"}
	i.only(names[mode], names[mode], wire, len(b))
	return true
}

const (
	dhcpCookieOff = 236
	dhcpCookie    = 0x63825363
)

// isDHCP: op, a sane hardware address length, and the cookie of RFC 2131 §3.
func isDHCP(b []byte) bool {
	return len(b) >= dhcpCookieOff+4 && (b[0] == 1 || b[0] == 2) && b[2] <= 16 &&
		binary.BigEndian.Uint32(b[dhcpCookieOff:]) == dhcpCookie
}

// nameDHCP names the message type (RFC 2132 §9.6), BOOTP where there is none.
func nameDHCP(i *Info, b []byte, wire int, _ uint8) bool {
	if !isDHCP(b) {
		return false
	}
	label := "BOOTP"
	c := cursor{b: b[dhcpCookieOff+4:]}
	for len(c.b) > 1 && c.b[0] != 255 {
		code := c.uint(1)
		if code == 0 {
			continue
		}
		v := c.vector(1)
		names := [...]string{1: "Discover", 2: "Offer", 3: "Request", 4: "Decline", 5: "ACK", 6: "NAK", 7: "Release", 8: "Inform"}
		if code == 53 && len(v.b) == 1 && v.b[0] > 0 && int(v.b[0]) < len(names) {
			label = names[v.b[0]]
			break
		}
	}
	i.only(label, label, wire, len(b))
	return true
}

// nameDHCPv6 names the message type (RFC 8415 §7.3). Name asks for the ports.
func nameDHCPv6(i *Info, b []byte, wire int, _ uint8) bool {
	names := [...]string{1: "Solicit", 2: "Advertise", 3: "Request", 4: "Confirm", 5: "Renew", 6: "Rebind", 7: "Reply",
		8: "Release", 9: "Decline", 10: "Reconfigure", 11: "Information-request", 12: "Relay-forward", 13: "Relay-reply"}
	if wire < 4 || b[0] == 0 || int(b[0]) >= len(names) {
		return false
	}
	i.only(names[b[0]], names[b[0]], wire, len(b))
	return true
}
