package message

import (
	"errors"
	"io"

	"github.com/quic-go/qpack"
)

// Types of HTTP/3 frames (RFC 9114 §7.2).
const (
	HTTP3Data    = 0
	HTTP3Headers = 1
)

// HTTP3Frame reads the type and the length of the frame that b begins with, and how many bytes say so; 0: they are not all
// there (RFC 9114 §7.1).
func HTTP3Frame(b []byte) (kind, length uint64, head int) {
	c := cursor{b: b}
	kind = c.long()
	length = c.long()
	if c.short {
		return 0, 0, 0
	}
	return kind, length, len(b) - len(c.b)
}

// HTTP3Head reads the fields of a HEADERS frame; nil where they can't be read, refer to what was said in another stream (RFC
// 9204 §3.2), or are a trailer.
func HTTP3Head(b []byte) *HTTP {
	if len(b) > maxHead {
		return nil
	}
	h := newHTTP2()
	next := qpack.NewDecoder().Decode(b)
	for {
		f, err := next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil
		}
		h.http2(f.Name, f.Value)
	}
	if h.Method == "" && h.Status == 0 {
		return nil
	}
	return h
}
