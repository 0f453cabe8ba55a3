package flow

import (
	"math/bits"

	"github.com/corr-dev/corr/backend/capture"
)

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

// ties are none of most captures' frames, a quarter of some's; a list in pieces, since no list of millions should be copied to grow.
type ties struct {
	set    []uint64 // of frame indexes
	before []uint32 // by word of set: digests of frames in words before
	pieces [][][3]byte
	n      int
}

// tiesPiece is the length of a piece.
const tiesPiece = 1 << 12

// add notes a frame's digest, by its index; frames ascend.
func (t *ties) add(frame, digest uint32) {
	for int(frame/64) >= len(t.set) {
		t.set, t.before = append(roomy(t.set), 0), append(roomy(t.before), uint32(t.n))
	}
	t.set[frame/64] |= 1 << (frame % 64)
	if t.n == len(t.pieces)*tiesPiece {
		t.pieces = append(t.pieces, make([][3]byte, tiesPiece))
	}
	t.pieces[t.n/tiesPiece][t.n%tiesPiece] = [3]byte{byte(digest), byte(digest >> 8), byte(digest >> 16)}
	t.n++
}

func (t *ties) digest(k int) uint32 {
	b := &t.pieces[k/tiesPiece][k%tiesPiece]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
}

// Tied is the digest of the frame in a place if it is tied, 0 for any other.
func (c *Capture) Tied(i uint32) uint32 {
	t, frame := &c.ties, c.frames[i]
	if int(frame/64) >= len(t.set) {
		return 0
	}
	w := t.set[frame/64]
	if w>>(frame%64)&1 == 0 {
		return 0
	}
	return t.digest(int(t.before[frame/64]) + bits.OnesCount64(w&(1<<(frame%64)-1)))
}

// Ties are all frames that are tied, in their order.
func (c *Capture) Ties() []Tie {
	out := make([]Tie, c.ties.n)
	next := c.EachTie()
	for k := range out {
		out[k], _ = next()
	}
	return out
}

// EachTie gives what Ties lists, one at each call; ok is false behind the last one.
func (c *Capture) EachTie() func() (t Tie, ok bool) {
	k, n := 0, 0
	var w uint64
	if len(c.ties.set) > 0 {
		w = c.ties.set[0]
	}
	return func() (t Tie, ok bool) {
		for w == 0 {
			if k++; k >= len(c.ties.set) {
				return t, false
			}
			w = c.ties.set[k]
		}
		t = Tie{capture.FrameNo(k*64+bits.TrailingZeros64(w)) + 1, c.ties.digest(n)}
		w &= w - 1
		n++
		return t, true
	}
}

// tieRecent is how many frames back a tie is looked for.
const tieRecent = 8

// tieFinder finds frames of equal length and, but for tieWithin, equal time near each other.
type tieFinder struct {
	newest capture.LocalTime
	len    [tieRecent]uint32
	time   [tieRecent]capture.LocalTime
	some   uint8 // set of those that have any bytes,
	tied   uint8 // that are tied,
	kept   uint8 // and whose bytes are own's
	bytes  [tieRecent][]byte
	own    [tieRecent][digestBytes]byte
	frame  [tieRecent]uint32
	next   int
}

// see takes the next frame, whose bytes must stay as they are until keep.
func (t *tieFinder) see(c *Capture, i uint32, at capture.LocalTime, length uint32, b []byte) {
	like := uint8(0)
	if at <= t.newest+tieWithin {
		// In arithmetic: where frames come close together, a processor guesses wrong at half of what would be asked.
		for k := range t.len {
			since := int64(at-t.time[k]) + tieWithin
			differs := uint64(t.len[k]^length) | uint64(since|(2*tieWithin-since))>>63
			like |= uint8((differs-1)>>63) << k
		}
		like &= t.some
	}
	t.newest = max(t.newest, at)
	k := t.next
	t.tied |= like
	t.leave(c, k)
	t.next = (k + 1) % tieRecent
	t.frame[k], t.time[k], t.len[k], t.bytes[k] = i, at, length, b[:min(len(b), digestBytes)]
	it := uint8(1) << k
	t.some, t.tied, t.kept = t.some&^it, t.tied&^it, t.kept&^it
	if len(b) > 0 {
		t.some |= it
	}
	if like != 0 {
		t.tied |= it
	}
}

// keep has the bytes of frames stay, whatever happens to where they were.
func (t *tieFinder) keep() {
	for k, b := range t.bytes {
		if t.kept>>k&1 == 0 {
			t.bytes[k] = t.own[k][:copy(t.own[k][:], b)]
		}
	}
	t.kept = 1<<tieRecent - 1
}

// leave notes a frame that no later one is compared to any more.
func (t *tieFinder) leave(c *Capture, k int) {
	if t.tied>>k&1 != 0 {
		c.ties.add(t.frame[k], Digest(t.bytes[k]))
	}
}

// end notes the last frames.
func (t *tieFinder) end(c *Capture) {
	for k := range t.bytes {
		t.leave(c, (t.next+k)%tieRecent)
	}
}
