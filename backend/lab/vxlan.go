package lab

var vxlanTransform = Transform{"vxlan", "@CAPTURE", "wraps frames into VXLAN", eachCapture(encapsulate("VXLAN (UDP 4789, VNI 4711)", vxlan))}

func vxlan(w *wrap) []byte {
	b := be.AppendUint32([]byte{8, 0, 0, 0}, 4711<<8)
	return w.overUDP(portVXLAN, b)
}

// overUDP carries the whole frame behind a header on a UDP port.
func (w *wrap) overUDP(port uint16, b []byte) []byte {
	inner := len(b) + len(w.link) + w.wire
	return concat(w.macs(etherIPv4), w.outerIPv4(protoUDP, 8+inner), w.outerUDP(port, inner), b, w.link, w.body)
}
