package annotate

import (
	"bufio"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/corr-dev/corr/backend/capture"
)

// WriteMatches prints each pair of frames once, at the point that comes first on the packet's path.
func WriteMatches(w io.Writer, f *File) error {
	t := newTSV(w, f, "#capture\tframe\tpeer_capture\tpeer_frame\tmatch\tconfidence\tdelay_ns\n")
	return t.each(true, func(point int, n capture.FrameNo, fr *Frame, c *Class) {
		if fr.Peer != 0 && c.PeerDown {
			t.match(point, n, c.PeerPoint, fr.Peer, c.Match, c.Confidence, fr.HasDelay, fr.Delay)
		}
		if fr.Extra == nil {
			return
		}
		for i := range fr.Extra.Peers {
			if p := &fr.Extra.Peers[i]; p.Down {
				t.match(point, n, p.Point, p.Frame, p.Match, p.Confidence, p.HasDelay, p.Delay)
			}
		}
	})
}

func (t *tsv) match(point int, n capture.FrameNo, peer int, m capture.FrameNo, match string, confidence int, hasDelay bool, delay int64) {
	t.pair(point, n, peer, m)
	t.text(match)
	t.b = append(t.b, '\t')
	t.known(int64(confidence), confidence >= 0)
	t.b = append(t.b, '\t')
	t.known(delay, hasDelay)
	t.end()
}

// WriteMessages prints the pairs of frames that carry the same application message in other bytes.
func WriteMessages(w io.Writer, f *File) error {
	t := newTSV(w, f, "#capture\tframe\tpeer_capture\tpeer_frame\tkind\tconfidence\n")
	return t.each(true, func(point int, n capture.FrameNo, fr *Frame, _ *Class) {
		if fr.Extra == nil {
			return
		}
		for i := range fr.Extra.MessagePeers {
			p := &fr.Extra.MessagePeers[i]
			if !p.Down {
				continue
			}
			t.pair(point, n, p.Point, p.Frame)
			t.text(p.Match)
			t.b = append(t.b, '\t')
			t.known(int64(p.Confidence), p.Confidence >= 0)
			t.end()
		}
	})
}

// WriteFrames prints what became of every frame.
func WriteFrames(w io.Writer, f *File) error {
	t := newTSV(w, f, "#capture\tframe\tflow\tfate\torigin\ttime_ns\thops\n")
	return t.each(false, func(point int, n capture.FrameNo, fr *Frame, c *Class) {
		t.b = append(t.b, t.cells[point]...)
		t.b = strconv.AppendUint(t.b, uint64(n), 10)
		t.b = append(t.b, '\t')
		t.known(int64(fr.Flow), fr.Flow != 0)
		t.b = append(t.b, '\t')
		t.text(c.Fate)
		t.b = append(t.b, '\t')
		t.text(c.Origin)
		t.b = append(t.b, '\t')
		ref, ok := f.Tables.Points[point].Ref(n, fr.Time)
		t.known(ref, ok && fr.Time != 0)
		t.b = append(t.b, '\t')
		t.known(int64(c.Hops), c.Hops >= 0)
		t.end()
	})
}

// tsv builds lines.
type tsv struct {
	f     *File
	w     *bufio.Writer
	b     []byte
	err   error
	cells [][]byte // capture column and its tab
}

func newTSV(w io.Writer, f *File, header string) *tsv {
	t := &tsv{f: f, w: bufio.NewWriterSize(w, 1<<18)}
	for i := range f.Tables.Points {
		t.b = t.b[:0]
		t.text(f.Tables.Points[i].Cell)
		t.cells = append(t.cells, append(append([]byte(nil), t.b...), '\t'))
	}
	t.b = t.b[:0]
	_, t.err = t.w.WriteString(header)
	return t
}

func (t *tsv) each(extra bool, line func(point int, n capture.FrameNo, fr *Frame, c *Class)) error {
	for point := range t.f.Tables.Points {
		var h *heapView
		if extra {
			h = t.f.heapView(point, heapWindow)
		}
		err := t.f.each(point, h, func(n capture.FrameNo, fr *Frame, c *Class) error {
			line(point, n, fr, c)
			return t.err
		})
		if err != nil {
			return err
		}
	}
	return t.w.Flush()
}

func (t *tsv) pair(point int, n capture.FrameNo, peer int, m capture.FrameNo) {
	t.b = append(t.b, t.cells[point]...)
	t.b = strconv.AppendUint(t.b, uint64(n), 10)
	t.b = append(t.b, '\t')
	if peer >= 0 && peer < len(t.cells) {
		t.b = append(t.b, t.cells[peer]...)
	} else {
		t.b = append(t.b, '\t')
	}
	t.b = strconv.AppendUint(t.b, uint64(m), 10)
	t.b = append(t.b, '\t')
}

func (t *tsv) known(v int64, ok bool) {
	if ok {
		t.b = strconv.AppendInt(t.b, v, 10)
	}
}

func (t *tsv) text(s string) { t.b = appendEscaped(t.b, s) }

func (t *tsv) end() {
	t.b = append(t.b, '\n')
	if t.err == nil {
		_, t.err = t.w.Write(t.b)
	}
	t.b = t.b[:0]
}

// appendEscaped keeps a cell in its column, and a terminal from obeying it: control characters and what is no UTF-8
// become Go escapes.
func appendEscaped(b []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != '\\' {
			b = append(b, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if n == 1 && r == utf8.RuneError {
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		} else if q := strconv.AppendQuoteRune(nil, r); c != '\\' {
			b = append(b, q[1:len(q)-1]...)
		} else {
			b = append(b, '\\', '\\')
		}
		i += n
	}
	return b
}

const hexDigits = "0123456789abcdef"
