package capture

import "fmt"

var linkNames = map[LinkType]string{LinkNull: "BSD loopback", LinkEthernet: "Ethernet", LinkPPP: "PPP", LinkRawBSD: "raw IP", LinkRawOpen: "raw IP", LinkRaw: "raw IP",
	LinkLoop: "OpenBSD loopback", LinkSLL: "Linux cooked", LinkIPv4: "raw IPv4", LinkIPv6: "raw IPv6", LinkSLL2: "Linux cooked v2"}

// String is the link type's name, with its number where corr does not decode it.
func (l LinkType) String() string {
	if n, ok := linkNames[l]; ok {
		return n
	}
	return fmt.Sprintf("link type %d", uint16(l))
}
