package lab

var ipipTransform = Transform{"ipip", "@CAPTURE", "wraps packets into IPv4 (IPv6: 6in4)", eachCapture(encapsulate("IPv4", ipip))}

func ipip(w *wrap) []byte {
	proto := byte(protoIPIP)
	if w.ether == etherIPv6 {
		proto = protoIPv6
	}
	return concat(w.macs(etherIPv4), w.outerIPv4(proto, w.wire), w.body)
}
