package flow

import "github.com/corr-dev/corr/backend/capture"

// digestBytes is how many bytes of a frame Digest covers: all headers, and some payload.
const digestBytes = 128

// Digest is a number of 24 bits made from a frame's first bytes, by arithmetic that the plugin's Lua, which has only
// floating-point numbers in older versions, does alike: h = (31 h + byte) mod 2^24, from 1 on.
func Digest(b []byte) uint32 {
	const (
		p1 = 31
		p2 = 31 * p1
		p3 = 31 * p2
		p4 = 31 * p3
	)
	b = b[:min(len(b), digestBytes)]
	h := uint32(1) // modulo 2^32 on the way, which 2^24 divides
	for len(b) >= 8 {
		x := uint32(b[0])*p3 + uint32(b[1])*p2 + uint32(b[2])*p1 + uint32(b[3])
		y := uint32(b[4])*p3 + uint32(b[5])*p2 + uint32(b[6])*p1 + uint32(b[7])
		h = (h*p4+x)*p4 + y
		b = b[8:]
	}
	for _, x := range b {
		h = h*31 + uint32(x)
	}
	return h & 0xffffff
}

// tieWithin is the time, ns, below which the plugin can't tell two frames apart: Wireshark gives it times as doubles, whose
// rounding error is 120 ns in this century's first half; the plugin allows for some more, on both sides.
const tieWithin = 500

// Tie is a frame whose time and length another frame near by has too: only their bytes tell such apart.
type Tie struct {
	Frame  capture.FrameNo
	Digest uint32 // of its bytes
}

// ties are in the order of frames; in pieces, since no list of millions should be copied to grow.
type ties struct {
	pieces [][]Tie
	n      int
}

// tiesPiece is the length of a piece.
const tiesPiece = 1 << 12

func (t *ties) at(k int) *Tie { return &t.pieces[k/tiesPiece][k%tiesPiece] }

// add puts a tie in its place: it is noticed some frames late.
func (t *ties) add(x Tie) {
	if t.n == len(t.pieces)*tiesPiece {
		t.pieces = append(t.pieces, make([]Tie, tiesPiece))
	}
	k := t.n
	t.n++
	for ; k > 0 && t.at(k-1).Frame > x.Frame; k-- {
		*t.at(k) = *t.at(k - 1)
	}
	*t.at(k) = x
}

// Ties is the number of frames that are tied, and Tie one of them, in their order.
func (c *Capture) Ties() int { return c.ties.n }

// Tie: see Ties.
func (c *Capture) Tie(k int) Tie { return *c.ties.at(k) }

// tieRecent is how many frames back a tie is looked for.
const tieRecent = 8

// tieFinder finds frames of equal length and, but for tieWithin, equal time near each other.
type tieFinder struct {
	newest capture.LocalTime
	time   [tieRecent]capture.LocalTime
	len    [tieRecent]uint32
	frame  [tieRecent]uint32
	tied   [tieRecent]bool // noted already
	n      [tieRecent]int
	bytes  [tieRecent][digestBytes]byte
	next   int
}

// see takes the next frame.
func (t *tieFinder) see(c *Capture, i uint32, at capture.LocalTime, length uint32, b []byte) {
	tied := false
	if at <= t.newest+tieWithin {
		for k := range t.time {
			if d := at - t.time[k]; d > tieWithin || d < -tieWithin || t.n[k] == 0 || t.len[k] != length {
				continue
			}
			if tied = true; !t.tied[k] {
				t.tied[k] = true
				c.ties.add(Tie{capture.FrameNo(t.frame[k] + 1), Digest(t.bytes[k][:t.n[k]])})
			}
		}
	}
	if tied {
		c.ties.add(Tie{capture.FrameNo(i + 1), Digest(b)})
	}
	t.newest = max(t.newest, at)
	k := t.next
	t.next = (k + 1) % tieRecent
	t.frame[k], t.time[k], t.len[k], t.tied[k] = i, at, length, tied
	t.n[k] = copy(t.bytes[k][:], b)
}
