package annotate

import (
	"fmt"

	"github.com/corr-dev/corr/backend/capture"
)

// maxEntry bounds what one frame's heap entry may claim, in words.
const maxEntry = 1 << 22

// extra reads the heap entry at word offset off into fr.
func (h *heapView) extra(off uint32, fr *Frame) error {
	n, err := h.words(uint64(off), 1)
	if err != nil {
		return err
	}
	if word(n, 0) > maxEntry {
		return fmt.Errorf("%w: a heap entry of %d words", ErrDamaged, word(n, 0))
	}
	b, err := h.words(uint64(off)+1, uint64(word(n, 0)))
	if err != nil {
		return err
	}
	b = append(h.entry[:0], b...) // reading its texts moves the window
	h.entry = b
	x := &Extra{}
	empty := true
	for len(b) > 0 {
		tag, count := word(b, 0)&0xff, uint64(word(b, 0)>>8)
		b = b[4:]
		size := count * uint64(elementWords(tag)) * 4
		if size > uint64(len(b)) {
			return fmt.Errorf("%w: a heap entry's list is longer than the entry", ErrDamaged)
		}
		if tag == tagDelay && count == 1 {
			fr.Delay, fr.HasDelay = getStamp(b)
		} else if err := h.item(tag, b[:size], x); err != nil {
			return err
		} else {
			empty = false
		}
		b = b[size:]
	}
	if !empty {
		fr.Extra = x
	}
	return nil
}

// elementWords is the size of a list's element. An unknown tag has one word an element, so it can be passed over.
func elementWords(tag uint32) int {
	switch tag {
	case tagDelay:
		return 2
	case tagPeers, tagMessagePeers:
		return peerWords
	case tagFarPeers, tagFarMessagePeers:
		return farPeerWords
	}
	return 1
}

func (h *heapView) item(tag uint32, b []byte, x *Extra) (err error) {
	switch tag {
	case tagPeers, tagFarPeers:
		x.Peers, err = h.peers(b, tag == tagFarPeers)
	case tagMessagePeers, tagFarMessagePeers:
		x.MessagePeers, err = h.peers(b, tag == tagFarMessagePeers)
	case tagChangedText:
		x.ChangedText, err = h.texts(b)
	case tagMessage:
		var l []string
		if l, err = h.texts(b); len(l) > 0 {
			x.Message = l[0]
		}
	case tagTie:
		if len(b) >= 4 {
			x.Tie = word(b, 0)
		}
	case tagFindings:
		x.Findings, err = indexes(b, len(h.f.Tables.Findings))
	case tagLogs:
		x.Logs, err = indexes(b, len(h.f.Tables.Logs))
	}
	return err
}

func indexes(b []byte, n int) (l []int, err error) {
	for ; len(b) > 0; b = b[4:] {
		i := word(b, 0)
		if uint64(i) >= uint64(n) {
			return nil, fmt.Errorf("%w: refers to entry %d of %d", ErrDamaged, i, n)
		}
		l = append(l, int(i))
	}
	return l, nil
}

func (h *heapView) peers(b []byte, far bool) (l []Peer, err error) {
	for len(b) > 0 {
		q, err := h.kind(word(b, 0))
		if err != nil {
			return nil, err
		}
		q.Frame = capture.FrameNo(word(b, 1))
		if far {
			if d, ok := getStamp(b[2*4:]); ok {
				q.Delay, q.HasDelay = d, true
			}
			b = b[farPeerWords*4:]
		} else {
			if d := word(b, 2); d != delayNone {
				q.Delay, q.HasDelay = int64(int32(d)), true
			}
			b = b[peerWords*4:]
		}
		l = append(l, q)
	}
	return l, nil
}

// kind gives a peer of the kind that lies at word offset off.
func (h *heapView) kind(off uint32) (Peer, error) {
	if q, ok := h.kinds[off]; ok {
		return q, nil
	}
	b, err := h.words(uint64(off), kindWords)
	if err != nil {
		return Peer{}, err
	}
	if uint64(word(b, 0)) >= uint64(len(h.f.points)) {
		return Peer{}, fmt.Errorf("%w: a peer at point %d of %d", ErrDamaged, word(b, 0), len(h.f.points))
	}
	q := Peer{Point: int(word(b, 0)), Stream: -1, Down: word(b, 2)&peerDown != 0, Confidence: int(int32(word(b, 4)))}
	if s := word(b, 1); s != noneWord {
		q.Stream = int64(s)
	}
	if q.Match, err = h.text(word(b, 3)); err != nil {
		return Peer{}, err
	}
	if len(h.kinds) >= heapTexts {
		clear(h.kinds)
	}
	h.kinds[off] = q
	return q, nil
}

func (h *heapView) texts(b []byte) (l []string, err error) {
	for ; len(b) > 0; b = b[4:] {
		s, err := h.text(word(b, 0))
		if err != nil {
			return nil, err
		}
		l = append(l, s)
	}
	return l, nil
}

func (h *heapView) text(off uint32) (string, error) {
	if s, ok := h.known[off]; ok {
		return s, nil
	}
	b, err := h.words(uint64(off), 1)
	if err != nil {
		return "", err
	}
	n := word(b, 0)
	if n > maxTextSize {
		return "", fmt.Errorf("%w: a text of %d bytes", ErrDamaged, n)
	}
	if b, err = h.words(uint64(off)+1, (uint64(n)+3)/4); err != nil {
		return "", err
	}
	if len(h.known) >= heapTexts {
		clear(h.known)
	}
	s := string(b[:n])
	h.known[off] = s
	return s, nil
}

// heapView reads the heap of one capture. Entries lie in the order of frames, so a window that moves on serves most
// reads; texts and kinds of peers that repeat are kept.
type heapView struct {
	f      *File
	p      *pointData
	window []byte
	start  uint64 // word offset of window
	known  map[uint32]string
	kinds  map[uint32]Peer
	entry  []byte
	size   int // bytes to read ahead
}

const heapWindow = 1 << 18

func (f *File) heapView(point, readAhead int) *heapView {
	return &heapView{f: f, p: &f.points[point], known: map[uint32]string{}, kinds: map[uint32]Peer{}, size: readAhead}
}

// words gives n words at word offset off; valid until the next call.
func (h *heapView) words(off, n uint64) ([]byte, error) {
	all := uint64(h.p.heap.count)
	if off+n > all {
		return nil, fmt.Errorf("%w: leads outside of the heap", ErrDamaged)
	}
	if off < h.start || off+n > h.start+uint64(len(h.window))/4 {
		want := min(max(n*4, uint64(h.size)), (all-off)*4)
		if uint64(cap(h.window)) < want {
			h.window = make([]byte, want)
		}
		h.window, h.start = h.window[:want], off
		if _, err := h.f.in.ReadAt(h.window, int64(h.p.heap.off+off*4)); err != nil {
			h.window = h.window[:0]
			return nil, err
		}
	}
	at := (off - h.start) * 4
	return h.window[at : at+n*4], nil
}
