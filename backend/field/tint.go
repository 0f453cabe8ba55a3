package field

// Tints are the backgrounds that tell conversations apart, red, green and blue, for black text: one conversation has the
// same in every window of Wireshark (the profile's colour rules on corr.flow) and in the report.
var Tints = [8][3]uint8{{255, 255, 255}, {226, 240, 217}, {221, 235, 247}, {255, 242, 204}, {237, 231, 246}, {252, 228, 214}, {218, 242, 242}, {242, 242, 228}}

// TintOf is the index in Tints of the conversation corr.flow: its low bits, which a display filter can test in every
// version of Wireshark where it can't calculate.
func TintOf(flow uint32) int { return int(flow) % len(Tints) }
