package infer

import (
	"fmt"
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

// addr prints an address.
func addr(version uint8, a decode.Addr) string { return a.Netip(version).String() }

// protoName is Wireshark's short name of an IP protocol.
func protoName(p uint8) string {
	switch p {
	case flow.ProtoTCP:
		return "tcp"
	case flow.ProtoUDP:
		return "udp"
	case flow.ProtoICMP:
		return "icmp"
	case flow.ProtoICMPv6:
		return "icmpv6"
	case flow.ProtoSCTP:
		return "sctp"
	case flow.ProtoESP:
		return "esp"
	case 47:
		return "gre"
	case 2:
		return "igmp"
	case 89:
		return "ospf"
	case 136:
		return "udplite"
	}
	return fmt.Sprintf("ip-%d", p)
}

// ProtoName is Wireshark's short name of an IP protocol.
func ProtoName(p uint8) string { return protoName(p) }

// Addr prints an address.
func Addr(version uint8, a decode.Addr) string { return addr(version, a) }

// sortedKeys lists a map's keys in order: no output may depend on the order of a map.
func sortedKeys[K comparable, V any](m map[K]V, less func(a, b K) bool) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b K) int {
		switch {
		case less(a, b):
			return -1
		case less(b, a):
			return 1
		}
		return 0
	})
	return out
}

// name words the boxes of a stretch, with the maker of the network card that speaks for them.
func (v *Verdict) name(s *Segment) {
	slices.SortStableFunc(s.Boxes, func(x, y *Box) int { return slices.Index(kindOrder, x.Kind) - slices.Index(kindOrder, y.Kind) })
	for _, x := range s.Boxes {
		x.Name = kindWords[x.Kind]
		if x.Vendor = v.vendor(s, x); x.Vendor != "" {
			x.Name += " (" + x.Vendor + ")"
		}
	}
}

// MAC prints a hardware address.
func MAC(m [6]byte) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// optionNames are TCP option kinds (IANA, TCP Option Kind Numbers).
var optionNames = map[uint8]string{0: "EOL", 1: "NOP", 2: "MSS", 3: "WScale", 4: "SACK-permitted", 5: "SACK", 8: "Timestamps", 19: "MD5", 28: "UTO",
	29: "TCP-AO", 30: "MPTCP", 34: "TFO", 69: "ENO", 253: "experiment-253", 254: "experiment-254"}

// OptionName names a TCP option kind.
func OptionName(k uint8) string {
	if n, ok := optionNames[k]; ok {
		return n
	}
	return fmt.Sprintf("kind-%d", k)
}

// FlagNames lists TCP flags as analysts write them: "SYN/ACK".
func FlagNames(flags uint16) string {
	out := ""
	for _, x := range []struct {
		bit  uint16
		name string
	}{{decode.SYN, "SYN"}, {decode.FIN, "FIN"}, {decode.RST, "RST"}, {decode.PSH, "PSH"}, {decode.ACK, "ACK"}, {decode.URG, "URG"}, {decode.ECE, "ECE"}, {decode.CWR, "CWR"}} {
		if flags&x.bit != 0 && (x.bit != decode.PSH || out == "") {
			if out != "" {
				out += "/"
			}
			out += x.name
		}
	}
	return out
}
