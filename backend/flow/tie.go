package flow

import "github.com/corr-dev/corr/backend/capture"

// digestBytes is how many bytes of a frame Digest covers: all headers, and some payload.
const digestBytes = 128

// Digest is a number of 24 bits made from a frame's first bytes, by arithmetic that the plugin's Lua, which has only
// floating-point numbers in older versions, does alike.
func Digest(b []byte) uint32 {
	h := uint32(1)
	for _, x := range b[:min(len(b), digestBytes)] {
		h = (h*31 + uint32(x)) & 0xffffff
	}
	return h
}

// tieWithin is the time, ns, below which the plugin can't tell two frames apart: Wireshark gives it times as doubles, whose
// rounding error is 120 ns in this century's first half; the plugin allows for some more, on both sides.
const tieWithin = 500

// tieFinder finds frames of equal length and, but for tieWithin, equal time near each other.
type tieFinder struct {
	recent [8]struct {
		frame uint32
		time  capture.LocalTime
		len   uint32
		n     int
		bytes [digestBytes]byte
	}
	next int
}

// see takes the next frame.
func (t *tieFinder) see(c *Capture, i uint32, at capture.LocalTime, length uint32, b []byte) {
	tied := false
	for k := range t.recent {
		r := &t.recent[k]
		if d := at - r.time; r.n == 0 || d > tieWithin || d < -tieWithin || r.len != length {
			continue
		}
		tied = true
		if c.Ties == nil {
			c.Ties = map[uint32]uint32{}
		}
		c.Ties[r.frame] = Digest(r.bytes[:r.n])
	}
	if tied {
		c.Ties[i] = Digest(b)
	}
	r := &t.recent[t.next%len(t.recent)]
	t.next++
	r.frame, r.time, r.len = i, at, length
	r.n = copy(r.bytes[:], b)
}
