package decode

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// unhex reads hex digits; what stands behind # in a line is a comment.
func unhex(text string) []byte {
	var digits strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		panic(err)
	}
	return b
}

const (
	macs    = "020000000002 020000000001" // destination, source
	eth4    = macs + "0800"
	ethIPv4 = eth4
	ethIPv6 = macs + "86dd"

	// 4000 → 443, seq 1, ack 2, no options; a SYN; NOP NOP timestamps.
	tcpPlain = "0fa0 01bb 00000001 00000002 5010 0400 0000 0000 "
	tcpTS    = "0fa0 01bb 00000001 00000002 8018 0400 0000 0000 0101 080a 0000000a 0000000b "
	// 5000 → 53, four bytes of payload.
	udp4 = "1388 0035 000c 0000 01020304 "
)

// ip4 is an IPv4 header 10.0.0.1 → 10.0.0.2, id 0x1234, DF, TTL 64, around n bytes.
func ip4(proto string, n int) string { return ip4frag(proto, n, "4000") }

// ip4frag has the flags and offset field given.
func ip4frag(proto string, n int, fragment string) string {
	return fmt.Sprintf("4500 %04x 1234 %s 40 %s 0000 0a000001 0a000002 ", 20+n, fragment, proto)
}

// ip6 is an IPv6 header 2001:db8::1 → 2001:db8::2, traffic class 0xb9, hop limit 60, around n bytes.
func ip6(next string, n int) string {
	return fmt.Sprintf("6b900000 %04x %s 3c 20010db8000000000000000000000001 20010db8000000000000000000000002 ", n, next)
}

// sized returns a header made for the length of the body behind it, with the body.
func sized(header func(proto string, n int) string, proto string, body string) string {
	return header(proto, len(unhex(body))) + body
}

func in4(proto, body string) string { return sized(ip4, proto, body) }
func in6(next, body string) string  { return sized(ip6, next, body) }

// inUDP puts a UDP header 12345 → port in front of body.
func inUDP(port int, body string) string {
	return fmt.Sprintf("3039 %04x %04x 0000 ", port, 8+len(unhex(body))) + body
}
