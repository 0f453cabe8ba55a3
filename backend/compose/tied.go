package compose

import (
	"math/bits"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
)

// tied finds the digests of a window's frames that share their time and length with another one: none in most captures, a quarter
// of all in some.
type tied struct {
	src   *flow.Capture
	next  int             // of the capture's ties, the first behind the window
	first int             // in it
	size  capture.FrameNo // of a window
	base  capture.FrameNo // its first frame
	set   []uint64
	count []uint32 // by word of set: frames of it in words before
}

func newTied(src *flow.Capture, window int) *tied {
	n := (min(window, src.Len()) + 63) / 64
	return &tied{src: src, size: capture.FrameNo(window), set: make([]uint64, n), count: make([]uint32, n)}
}

// turn goes on to the window that ends with a frame.
func (t *tied) turn(end capture.FrameNo) {
	if t.first = t.next; t.first > 0 {
		clear(t.set)
	}
	t.base = end - t.size + 1
	for ; t.next < t.src.Ties() && t.src.Tie(t.next).Frame <= end; t.next++ {
		k := t.src.Tie(t.next).Frame - t.base
		t.set[k/64] |= 1 << (k % 64)
	}
	n := uint32(0)
	for k, w := range t.set {
		t.count[k] = n
		n += uint32(bits.OnesCount64(w))
	}
}

// digest is that of a frame of the window, 0 for one that is not tied.
func (t *tied) digest(n capture.FrameNo) uint32 {
	k := n - t.base
	w := t.set[k/64]
	if w>>(k%64)&1 == 0 {
		return 0
	}
	return t.src.Tie(t.first + int(t.count[k/64]) + bits.OnesCount64(w&(1<<(k%64)-1))).Digest
}
