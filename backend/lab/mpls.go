package lab

var mplsTransform = Transform{"mpls", "@CAPTURE", "adds two MPLS labels", eachCapture(encapsulate("MPLS labels 16001, 24005", mpls))}

func mpls(w *wrap) []byte {
	b := w.macs(etherMPLS)
	b = be.AppendUint32(b, 16001<<12|63)
	b = be.AppendUint32(b, 24005<<12|1<<8|63)
	return concat(b, w.body)
}
