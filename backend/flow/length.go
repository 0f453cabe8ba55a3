package flow

import (
	"cmp"
	"slices"
)

// lengths holds how many bytes of each frame lie around its payload: few different numbers, so that a fact has one of some
// codes. Arithmetic is modulo 2^32, for a header may claim more payload than the frame is long.
type lengths struct {
	around  []uint32 // by code
	codes   [256]uint8
	unusual []longFrame // frames of noCode, in their order
}

type longFrame struct{ frame, around uint32 }

// noCode says that a frame stands among the unusual ones.
const noCode = 1<<7 - 1

// code gives the code of a frame, by its index, with that many bytes around its payload.
func (l *lengths) code(frame, around uint32) uint8 {
	if around < uint32(len(l.codes)) {
		if k := l.codes[around]; k > 0 {
			return k - 1
		}
	} else if k := slices.Index(l.around, around); k >= 0 {
		return uint8(k)
	}
	k := uint8(len(l.around))
	if k == noCode {
		l.unusual = append(roomy(l.unusual), longFrame{frame, around})
		return noCode
	}
	l.around = append(l.around, around)
	if around < uint32(len(l.codes)) {
		l.codes[around] = k + 1
	}
	return k
}

// sort orders what was not noted in the order of frames.
func (l *lengths) sort() {
	slices.SortFunc(l.unusual, func(x, y longFrame) int { return cmp.Compare(x.frame, y.frame) })
}

// setLength notes how long the frame of a fact was, by its index, once the fact has its payload's length.
func (c *Capture) setLength(f *Fact, frame, length uint32) {
	f.more = f.more&^(noCode<<codeShift) | uint32(c.lengths.code(frame, length-f.Len))<<codeShift
}

// FrameLen is the length on the wire of the frame in a place, bytes.
func (c *Capture) FrameLen(i uint32) uint32 {
	f := c.At(i)
	if k := f.more >> codeShift & noCode; k < noCode {
		return f.Len + c.lengths.around[k]
	}
	k, _ := slices.BinarySearchFunc(c.lengths.unusual, c.frames[i], func(x longFrame, frame uint32) int { return cmp.Compare(x.frame, frame) })
	return f.Len + c.lengths.unusual[k].around
}
