package annotate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// heap collects the variable parts of one capture in a temporary file, since how long it gets is known at the end.
type heap struct {
	path  string
	f     *os.File
	out   *bufio.Writer
	words uint32
	buf   []byte
	// refs are texts written lately: most repeat, and a bound keeps memory flat where each is new.
	refs  map[string]uint32
	lists [4][]byte // room for the parts of an entry
	// kinds are those of peers, written lately, and recent where the last ones lie, by their place in a list.
	kinds  map[peerKind]uint32
	recent [8]struct {
		kind peerKind
		at   uint32
	}
}

const (
	heapTexts   = 1 << 16
	maxTextSize = 1 << 16
	maxElements = 1<<24 - 1
	maxWords    = 1<<31 - 1<<26
)

// entry writes what f has beside its record and gives the entry's word offset.
func (h *heap) entry(f *Frame, delay bool, t *Tables) (uint32, error) {
	if err := h.open(); err != nil {
		return 0, err
	}
	x := f.Extra
	if x == nil {
		x = &Extra{}
	}
	if err := x.check(t); err != nil {
		return 0, err
	}
	// Texts first: they lie before the entry that refers to them.
	l := &h.lists
	var err1, err2, err3, err4 error
	l[0], err1 = h.texts(l[0][:0], x.ChangedText...)
	if l[1] = l[1][:0]; x.Message != "" {
		l[1], err2 = h.texts(l[1], x.Message)
	}
	var tags [2]uint32
	l[2], tags[0], err3 = h.peers(l[2][:0], x.Peers, tagPeers, tagFarPeers)
	l[3], tags[1], err4 = h.peers(l[3][:0], x.MessagePeers, tagMessagePeers, tagFarMessagePeers)
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		return 0, errors.Join(err1, err2, err3, err4)
	}
	h.buf = append(h.buf[:0], 0, 0, 0, 0)
	if delay {
		h.item(tagDelay, 1)
		h.buf = appendStamp(h.buf, f.Delay, true)
	}
	h.raw(tags[0], len(x.Peers), l[2])
	h.raw(tagChangedText, len(x.ChangedText), l[0])
	h.raw(tagMessage, len(l[1])/4, l[1])
	h.raw(tags[1], len(x.MessagePeers), l[3])
	h.intItem(tagFindings, x.Findings)
	h.intItem(tagLogs, x.Logs)
	h.tied(x.Tie)
	return h.write(h.buf)
}

// tie writes the entry of a frame of which nothing is said but what tells it apart.
func (h *heap) tie(digest uint32) (uint32, error) {
	if err := h.open(); err != nil {
		return 0, err
	}
	h.buf = append(h.buf[:0], 0, 0, 0, 0)
	h.tied(digest)
	return h.write(h.buf)
}

// tied ends an entry with what tells its frame apart, 0 for nothing, and fills in how long it is.
func (h *heap) tied(digest uint32) {
	if digest != 0 {
		h.item(tagTie, 1)
		h.buf = le.AppendUint32(h.buf, digest)
	}
	le.PutUint32(h.buf, uint32(len(h.buf)/4-1))
}

// check refuses references that lead nowhere: a mistake of the caller must not become a damaged file.
func (x *Extra) check(t *Tables) error {
	for _, l := range [...][]Peer{x.Peers, x.MessagePeers} {
		for _, p := range l {
			if p.Point < 0 || p.Point >= len(t.Points) {
				return fmt.Errorf("peer at point %d of %d", p.Point, len(t.Points))
			}
		}
	}
	for _, i := range x.Findings {
		if i < 0 || i >= len(t.Findings) {
			return fmt.Errorf("finding %d of %d", i, len(t.Findings))
		}
	}
	for _, i := range x.Logs {
		if i < 0 || i >= len(t.Logs) {
			return fmt.Errorf("log record %d of %d", i, len(t.Logs))
		}
	}
	if n := max(len(x.Peers), len(x.MessagePeers), len(x.ChangedText), len(x.Findings), len(x.Logs)); n > maxElements/farPeerWords {
		return fmt.Errorf("a list of %d elements", n)
	}
	return nil
}

func (h *heap) open() error {
	if h.f != nil {
		return nil
	}
	f, err := os.Create(h.path)
	if err != nil {
		return err
	}
	h.f, h.out, h.refs, h.kinds = f, bufio.NewWriterSize(f, 1<<18), map[string]uint32{}, map[peerKind]uint32{}
	_, err = h.write([]byte{0, 0, 0, 0}) // offset 0 means none
	return err
}

func (h *heap) write(b []byte) (uint32, error) {
	at := h.words
	n := uint64(at) + uint64(len(b)/4)
	if n > maxWords {
		return 0, errors.New("more than 16 GiB of texts and lists")
	}
	if _, err := h.out.Write(b); err != nil {
		return 0, err
	}
	h.words = uint32(n)
	return at, nil
}

// text writes s, or finds it again, and gives its word offset: length, bytes, padding.
func (h *heap) text(s string) (uint32, error) {
	if len(s) > maxTextSize {
		s = cutText(s, maxTextSize)
	}
	if r, ok := h.refs[s]; ok {
		return r, nil
	}
	b := le.AppendUint32(nil, uint32(len(s)))
	b = append(b, s...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	r, err := h.write(b)
	if err != nil {
		return 0, err
	}
	if len(h.refs) >= heapTexts {
		clear(h.refs)
	}
	h.refs[s] = r
	return r, nil
}

// cutText cuts s to at most n bytes without splitting a character.
func cutText(s string, n int) string {
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// texts appends the references of texts.
func (h *heap) texts(b []byte, l ...string) ([]byte, error) {
	for _, s := range l {
		r, err := h.text(s)
		if err != nil {
			return b, err
		}
		b = le.AppendUint32(b, r)
	}
	return b, nil
}

func appendStamp(b []byte, ns int64, known bool) []byte {
	var s [8]byte
	if known {
		putStamp(s[:], ns)
	} else {
		putNoStamp(s[:])
	}
	return append(b, s[:]...)
}

func (h *heap) item(tag uint32, n int) { h.buf = le.AppendUint32(h.buf, tag|uint32(n)<<8) }

func (h *heap) raw(tag uint32, n int, b []byte) {
	if n > 0 {
		h.item(tag, n)
		h.buf = append(h.buf, b...)
	}
}

func (h *heap) intItem(tag uint32, l []int) {
	if len(l) > 0 {
		h.item(tag, len(l))
		for _, i := range l {
			h.buf = le.AppendUint32(h.buf, uint32(i))
		}
	}
}

// copyTo writes the whole heap to w.
func (h *heap) copyTo(w io.Writer) error {
	if h.f == nil {
		return nil
	}
	if err := h.out.Flush(); err != nil {
		return err
	}
	if _, err := h.f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	n, err := h.move(w)
	if err == nil && n != int64(h.words)*4 {
		err = fmt.Errorf("%s: %d bytes written, %d read back", h.path, int64(h.words)*4, n)
	}
	return err
}

// discard removes the temporary file.
func (h *heap) discard() error {
	if h.f == nil {
		return nil
	}
	f := h.f
	h.f = nil
	return errors.Join(f.Close(), os.Remove(h.path))
}

// move copies the temporary file to w and gives back what it held of the disk, and of the system's memory for that, as it goes.
func (h *heap) move(w io.Writer) (int64, error) {
	for at := int64(0); ; {
		n, err := io.CopyN(w, h.f, moveMost)
		letGo(h.f, at, n)
		at += n
		if errors.Is(err, io.EOF) {
			return at, nil
		}
		if err != nil {
			return at, err
		}
	}
}

const moveMost = 1 << 20
