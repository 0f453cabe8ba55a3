package annotate

import (
	"fmt"

	"github.com/corr-dev/corr/backend/capture"
)

// peerKind is what many peers have in common.
type peerKind struct {
	point, confidence int
	stream            int64
	down              bool
	match             string
}

// peers appends counterparts, and gives the tag of a list of such: near, or far where a delay takes more than a word.
func (h *heap) peers(b []byte, l []Peer, near, far uint32) (out []byte, tag uint32, err error) {
	tag = near
	for i := range l {
		if _, long := delayWord(l[i].Delay, l[i].HasDelay); long {
			tag = far
		}
	}
	for i := range l {
		p := &l[i]
		kind, err := h.kind(i, p)
		if err != nil {
			return b, tag, err
		}
		b = le.AppendUint32(b, kind)
		b = le.AppendUint32(b, uint32(p.Frame))
		if tag == far {
			b = appendStamp(b, p.Delay, p.HasDelay)
		} else {
			delay, _ := delayWord(p.Delay, p.HasDelay)
			b = le.AppendUint32(b, delay)
		}
	}
	return b, tag, nil
}

// kind writes the kind of the i-th peer of a list, or finds it again, and gives its word offset.
func (h *heap) kind(i int, p *Peer) (uint32, error) {
	k := peerKind{p.Point, p.Confidence, p.Stream, p.Down, p.Match}
	last := &h.recent[i%len(h.recent)]
	if last.at != 0 && last.kind == k {
		return last.at, nil
	}
	at, ok := h.kinds[k]
	if !ok {
		match, err := h.text(p.Match)
		if err != nil {
			return 0, err
		}
		var b [kindWords * 4]byte
		le.PutUint32(b[0:], uint32(p.Point))
		le.PutUint32(b[4:], streamWord(p.Stream))
		if p.Down {
			le.PutUint32(b[8:], peerDown)
		}
		le.PutUint32(b[12:], match)
		le.PutUint32(b[16:], uint32(int32(p.Confidence)))
		if at, err = h.write(b[:]); err != nil {
			return 0, err
		}
		if len(h.kinds) >= heapTexts {
			clear(h.kinds)
		}
		h.kinds[k] = at
	}
	last.kind, last.at = k, at
	return at, nil
}

func streamWord(s int64) uint32 {
	if s < 0 || s >= noneWord {
		return noneWord
	}
	return uint32(s)
}

// Others is what the frames have in common whose further counterparts are of the same kinds, in the same order, and which
// differ from them in the same.
type Others struct{ kinds, texts []uint32 }

// Meeting is the rest of a further counterpart: its frame, and the delay as in Peer.
type Meeting struct {
	Frame    capture.FrameNo
	Delay    int64
	HasDelay bool
}

// others keeps what x says of all such frames.
func (h *heap) others(x *Extra, t *Tables) (*Others, error) {
	if err := h.open(); err != nil {
		return nil, err
	}
	if err := x.check(t); err != nil {
		return nil, err
	}
	o := &Others{}
	for i := range x.Peers {
		kind, err := h.kind(i, &x.Peers[i])
		if err != nil {
			return nil, err
		}
		o.kinds = append(o.kinds, kind)
	}
	for _, s := range x.ChangedText {
		ref, err := h.text(s)
		if err != nil {
			return nil, err
		}
		o.texts = append(o.texts, ref)
	}
	return o, nil
}

// with writes the entry of such a frame.
func (h *heap) with(o *Others, met []Meeting, tie uint32) (uint32, error) {
	h.buf = append(h.buf[:0], 0, 0, 0, 0)
	h.item(tagPeers, len(o.kinds))
	for i, kind := range o.kinds {
		m := &met[i]
		delay, long := delayWord(m.Delay, m.HasDelay)
		if long {
			return 0, fmt.Errorf("a delay of %d ns does not fit", m.Delay)
		}
		h.buf = le.AppendUint32(h.buf, kind)
		h.buf = le.AppendUint32(h.buf, uint32(m.Frame))
		h.buf = le.AppendUint32(h.buf, delay)
	}
	if len(o.texts) > 0 {
		h.item(tagChangedText, len(o.texts))
		for _, ref := range o.texts {
			h.buf = le.AppendUint32(h.buf, ref)
		}
	}
	h.tied(tie)
	return h.write(h.buf)
}
