package flow

import (
	"cmp"
	"slices"
)

// envelope is what lies around a frame's payload.
type envelope struct {
	bytes uint32 // how many; arithmetic is modulo 2^32, for a header may claim more payload than the frame is long
	link  uint16 // index into Capture.Links
}

// envelopes are the envelopes of a capture's frames: few different ones, so that a fact has a number of one.
type envelopes struct {
	all     []envelope
	number  map[envelope]uint16
	recent  [envelopesKept]recentEnvelope
	unusual []lateEnvelope // of frames that are numbered noEnvelope, in their order
}

type recentEnvelope struct {
	envelope
	number uint16
	used   bool
}

// lateEnvelope is that of a frame, by its index, which came when all numbers were taken.
type lateEnvelope struct {
	frame uint32
	envelope
}

const (
	// envelopesKept is how many envelopes are looked at before the map of all.
	envelopesKept = 256
	// noEnvelope says that a frame stands among the unusual ones.
	noEnvelope = 1<<16 - 1
)

// add gives the number of a frame's envelope.
func (l *envelopes) add(frame uint32, e envelope) uint16 {
	k := &l.recent[(e.bytes^uint32(e.link)*37)%envelopesKept]
	if !k.used || k.envelope != e {
		n, ok := l.number[e]
		if !ok {
			if len(l.all) == noEnvelope {
				l.unusual = append(roomy(l.unusual), lateEnvelope{frame, e})
				return noEnvelope
			}
			if l.number == nil {
				l.number = map[envelope]uint16{}
			}
			n = uint16(len(l.all))
			l.all = append(l.all, e)
			l.number[e] = n
		}
		*k = recentEnvelope{e, n, true}
	}
	return k.number
}

// sort orders what was not added in the order of frames.
func (l *envelopes) sort() {
	slices.SortFunc(l.unusual, func(x, y lateEnvelope) int { return cmp.Compare(x.frame, y.frame) })
}

// enclose notes how long a fact's frame was, by its index, and its link-layer context, once the fact has its payload's length.
func (c *Capture) enclose(f *Fact, frame, length uint32, link uint16) {
	f.envelope = c.envelopes.add(frame, envelope{length - f.Len(), link})
}

// around is the envelope of the frame in a place.
func (c *Capture) around(f *Fact, i uint32) *envelope {
	if f.envelope < noEnvelope {
		return &c.envelopes.all[f.envelope]
	}
	k, _ := slices.BinarySearchFunc(c.envelopes.unusual, c.frames[i], func(x lateEnvelope, frame uint32) int { return cmp.Compare(x.frame, frame) })
	return &c.envelopes.unusual[k].envelope
}

// FrameLen is the length on the wire of the frame in a place, bytes.
func (c *Capture) FrameLen(i uint32) uint32 {
	f := c.At(i)
	return f.Len() + c.around(f, i).bytes
}

// LinkID tells the link-layer contexts of frames apart, by place.
func (c *Capture) LinkID(i uint32) uint16 { return c.around(c.At(i), i).link }

// Link is the link-layer context of the frame in a place.
func (c *Capture) Link(i uint32) *Link { return &c.Links[c.LinkID(i)] }
