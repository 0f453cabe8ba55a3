package capture

import (
	"io"
)

const (
	// chunk is the size of reads. Smaller ones cost system calls, larger ones leave the processor's cache before they
	// are used: 256 KiB read pcapng 8 % faster than 1 MiB.
	chunk = 256 << 10
	// maxRecord bounds how far one record may make the buffer grow: no recorder writes frames of this size.
	maxRecord = 256 << 20
)

// source is a buffer in front of a reader: the bytes of a record lie in it in one piece.
type source struct {
	r    io.Reader
	buf  []byte
	pos  int   // the first byte not yet used
	end  int   // behind the last byte read
	base int64 // offset of buf[0] in the data
	err  error // what ended the data; io.EOF is a clean end
}

// offset is the place of the next byte in the data.
func (s *source) offset() int64 { return s.base + int64(s.pos) }

// endOffset is where the data end, once they did.
func (s *source) endOffset() int64 { return s.base + int64(s.end) }

// need reports whether n more bytes are in the buffer, after reading more if it must.
func (s *source) need(n int) bool { return s.end-s.pos >= n || s.fill(n) }

func (s *source) fill(n int) bool {
	s.base += int64(s.pos)
	s.end = copy(s.buf, s.buf[s.pos:s.end])
	s.pos = 0
	for s.end < n {
		if s.err != nil {
			return false
		}
		if s.end == len(s.buf) {
			// Growth follows the data that are there, not the length that a record claims.
			grown := make([]byte, min(2*len(s.buf), max(n, len(s.buf)+chunk)))
			copy(grown, s.buf)
			s.buf = grown
		}
		s.read()
	}
	return true
}

func (s *source) read() {
	// A reader that keeps giving nothing and no error would hang corr.
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if err != nil {
			s.err = err
			return
		}
		if n > 0 {
			return
		}
	}
	s.err = io.ErrNoProgress
}

// skip drops n bytes and reports whether there were as many.
func (s *source) skip(n int64) bool {
	for n > int64(s.end-s.pos) {
		n -= int64(s.end - s.pos)
		s.pos = s.end
		if !s.fill(1) {
			return false
		}
	}
	s.pos += int(n)
	return true
}
