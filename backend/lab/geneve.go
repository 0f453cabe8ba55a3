package lab

var geneveTransform = Transform{"geneve", "@CAPTURE", "wraps frames into GENEVE, with an option", eachCapture(encapsulate("GENEVE (UDP 6081, VNI 4712)", geneve))}

func geneve(w *wrap) []byte {
	b := []byte{2, 0, etherTEB >> 8, etherTEB & 0xff, 0, 0, 4712 >> 8 & 0xff, 4712 & 0xff}
	be.PutUint32(b[4:], 4712<<8)
	return w.overUDP(portGENEVE, append(b, 0x01, 0x02, 0x03, 1, 0xde, 0xad, 0xbe, 0xef)) // class, type, one word of data
}
