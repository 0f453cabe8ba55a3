package lab

var greTransform = Transform{"gre", "@CAPTURE", "wraps packets into GRE with a key", eachCapture(encapsulate("GRE, key 77", gre))}

func gre(w *wrap) []byte {
	b := []byte{0x20, 0, 0, 0, 0, 0, 0, 77}
	be.PutUint16(b[2:], w.ether)
	return concat(w.macs(etherIPv4), w.outerIPv4(protoGRE, len(b)+w.wire), b, w.body)
}
