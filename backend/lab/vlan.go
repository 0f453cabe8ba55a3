package lab

var (
	vlanTransform = Transform{"vlan", "@CAPTURE", "adds an 802.1Q tag", eachCapture(encapsulate("802.1Q tag 210", tag(etherVLAN, 210)))}
	qinqTransform = Transform{"qinq", "@CAPTURE", "adds an 802.1ad and an 802.1Q tag", eachCapture(encapsulate("802.1ad tag 7, 802.1Q tag 210", tag(etherQinQ, 7, etherVLAN, 210)))}
)

// tag inserts tags, given as ethertype and VLAN id, behind the MAC addresses.
func tag(words ...uint16) wrapper {
	return func(w *wrap) []byte {
		out := append([]byte(nil), w.link[:12]...)
		for _, v := range words {
			out = be.AppendUint16(out, v)
		}
		return concat(out, w.link[12:], w.body)
	}
}
