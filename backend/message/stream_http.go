package message

import (
	"bytes"
	"math"
)

// bodyState is how far an HTTP body came.
type bodyState struct {
	begun   bool // bytes of it were passed
	trailer bool // the last chunk came, trailer fields follow
}

// bodyless finds a response that announces a body and has none, as HEAD is answered, by the next response that
// comes in its place. It also finds what a CONNECT opened where its answer alone doesn't tell.
func (st *bodyState) bodyless(s *Stream, b []byte) bool {
	if st.begun || s.cur.HTTP.Status == 0 {
		return false
	}
	if s.cur.Body == BodyClose && isTLSRecord(b) {
		s.endHead()
		s.enter(s.next)
		return true
	}
	if s.cur.Body != BodyClose && hasPrefix(b, "HTTP/1.") && sniffStart(b) == ProtoHTTP {
		s.endHead()
		return true
	}
	return false
}

// endHead emits the message begun as one without a body.
func (s *Stream) endHead() {
	s.cur.Body, s.cur.Len = BodyNone, s.cur.HeadLen
	s.emit()
}

func (s *Stream) stepHTTP(b []byte) int {
	if s.open { // chunked: between chunks
		if len(s.buf) == 0 && s.body.bodyless(s, b) {
			return 0
		}
		return s.stepChunk(b)
	}
	if n := s.skipBlank(b); n > 0 {
		return n
	}
	n, head, end := s.gatherHead(b, sniffHTTP)
	if end == 0 {
		return n
	}
	h := parseHTTP(head[:end])
	if h == nil {
		s.lose()
		return 0
	}
	kind, label := h.label()
	m := StreamMessage{Proto: ProtoHTTP, Kind: kind, Label: label, HeadLen: uint64(end), Len: uint64(end), HTTP: h}
	off, taken := s.origin(head, n), rest(head, n, end)
	s.drop()
	s.begin(m, off)
	s.beginBody(h, off+uint64(end))
	return taken
}

func sniffHTTP(b []byte) bool { return sniffStart(b) == ProtoHTTP }

// beginBody decides how the body's end is found (RFC 9112 §6.3).
func (s *Stream) beginBody(h *HTTP, at uint64) {
	switch {
	case h.Method == "CONNECT", h.Status == 101,
		h.Status >= 200 && h.Status < 300 && containsFold([]byte(h.Reason), "connection established"):
		s.emit()
		s.enter(at)
	case h.Status >= 100 && h.Status < 200, h.Status == 204, h.Status == 304:
		s.emit()
	case h.Chunked:
		s.cur.Body = BodyChunked
	case h.ContentLength > 0:
		s.cur.Body, s.left = BodyLength, uint64(h.ContentLength)
		s.cur.Len += s.left
	case h.ContentLength == 0, h.Status == 0:
		s.emit()
	default:
		s.cur.Body, s.left = BodyClose, math.MaxUint64
	}
}

// stepChunk reads the line that gives a chunk's size, or a line of the trailer (RFC 9112 §7.1).
func (s *Stream) stepChunk(b []byte) int {
	const maxChunkLine = 4096
	n := len(b)
	if end := bytes.IndexByte(b, '\n'); end >= 0 {
		n = end + 1
	}
	if len(s.buf)+n > maxChunkLine {
		s.lose()
		return 0
	}
	s.buf = append(s.buf, b[:n]...)
	if b[n-1] != '\n' {
		return n
	}
	line := bytes.TrimSpace(s.buf)
	s.drop()
	end := s.next + uint64(n)
	switch size, ok := chunkSize(line); {
	case s.body.trailer && len(line) == 0:
		s.cur.Len = end - s.cur.Off
		s.emit()
	case s.body.trailer:
	case !ok:
		s.lose()
		return 0
	case size == 0:
		s.body.trailer = true
	default:
		s.left = size + 2 // the line end behind the data
	}
	return n
}

// chunkSize reads hexadecimal digits, an extension behind them aside.
func chunkSize(line []byte) (uint64, bool) {
	if semi := bytes.IndexByte(line, ';'); semi >= 0 {
		line = bytes.TrimSpace(line[:semi])
	}
	if len(line) == 0 || len(line) > 15 {
		return 0, false
	}
	size := uint64(0)
	for _, c := range line {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		size = size<<4 | uint64(c)
	}
	return size, true
}

// skipBlank passes over line ends in front of a message, which HTTP (RFC 9112 §2.2) and SIP (keep-alive, RFC 5626
// §3.5.1) allow.
func (s *Stream) skipBlank(b []byte) int {
	n := 0
	for len(s.buf) == 0 && n < len(b) && (b[n] == '\r' || b[n] == '\n') {
		n++
	}
	return n
}

// gatherHead waits for the blank line that ends a head. end is the head's length, 0 while it goes on or where it was
// given up; then n bytes of b are used up.
func (s *Stream) gatherHead(b []byte, fits func([]byte) bool) (n int, head []byte, end int) {
	searched := max(len(s.buf)-3, 0)
	n, head = s.gather(b, maxHead)
	if end = headEnd(head, searched); end > 0 {
		return n, head, end
	}
	if len(head) >= maxHead || len(head) >= maxStart && !fits(head) {
		s.lose()
		return 0, nil, 0
	}
	s.keep(head)
	return n, nil, 0
}

// headEnd returns the offset behind the first blank line that ends at or after from; 0: none.
func headEnd(b []byte, from int) int {
	for from < len(b) {
		at := bytes.IndexByte(b[from:], '\n')
		if at < 0 {
			return 0
		}
		from += at + 1
		if from < len(b) && b[from] == '\n' {
			return from + 1
		}
		if from+1 < len(b) && b[from] == '\r' && b[from+1] == '\n' {
			return from + 2
		}
	}
	return 0
}
