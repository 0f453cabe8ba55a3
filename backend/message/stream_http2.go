package message

import (
	"encoding/binary"
	"strconv"

	"golang.org/x/net/http2/hpack"
)

// Flags of HTTP/2 frames (RFC 9113 §6.1, §6.2).
const (
	HTTP2EndStream  = 0x01
	http2EndHeaders = 0x04
	http2Padded     = 0x08
	http2Priority   = 0x20
)

const (
	http2HeadersFrame = 1
	http2PushPromise  = 5
	http2Continuation = 9
)

func (s *Stream) stepHTTP2(b []byte) int {
	n, head := s.gather(b, max(len(http2Preface), s.fields.want))
	m := StreamMessage{Proto: ProtoHTTP2, HeadLen: http2Header, Body: BodyLength}
	length := 0
	switch preface := http2Preface[:min(len(head), len(http2Preface))]; {
	case string(head[:len(preface)]) == preface:
		if len(head) < len(http2Preface) {
			s.keep(head)
			return n
		}
		m.Kind, m.HeadLen, m.Body = "preface", uint64(len(http2Preface)), BodyNone
	case len(head) < http2Header:
		s.keep(head)
		return n
	case !isHTTP2Frame(head):
		s.lose()
		return 0
	default:
		m.Kind, m.Flags, m.Frame = http2Frame(head[3]), head[4], binary.BigEndian.Uint32(head[5:])
		length = int(head[0])<<16 | int(head[1])<<8 | int(head[2])
		switch head[3] {
		case http2HeadersFrame, http2Continuation:
			if whole := http2Header + length; length <= maxHead {
				if len(head) < whole {
					s.fields.want = whole
					s.keep(head)
					return n
				}
				s.fields.want = 0
				m.HTTP = s.fields.read(head[3], m.Flags, head[http2Header:whole])
				m.HeadLen, m.Body, length = uint64(whole), BodyNone, 0
			} else {
				s.fields.lost = true
			}
		case http2PushPromise: // its fields are not read, though later ones may refer to them
			s.fields.lost = true
		}
	}
	if m.HTTP != nil {
		_, m.Label = m.HTTP.label()
	}
	if m.Label == "" {
		m.Label = m.Kind
	}
	m.Len = m.HeadLen + uint64(length)
	return s.head(m, head, n, uint64(length))
}

// http2Fields reads the header blocks of one direction, each of which may refer to those before it (RFC 7541): with one
// missing, none behind it is read.
type http2Fields struct {
	dec   *hpack.Decoder
	want  int // bytes of the frame that is waited for
	lost  bool
	block []byte // of frames that the block began in
}

// read takes the payload of a HEADERS or CONTINUATION frame; of the one that ends a block it gives what the fields say, nil
// where they can't be read and for a trailer.
func (f *http2Fields) read(kind, flags uint8, b []byte) *HTTP {
	if f.lost {
		return nil
	}
	if kind == http2HeadersFrame {
		f.block = f.block[:0]
		if flags&http2Padded != 0 {
			if len(b) == 0 || int(b[0]) >= len(b) {
				f.lost = true
				return nil
			}
			b = b[1 : len(b)-int(b[0])]
		}
		if flags&http2Priority != 0 {
			b = b[min(5, len(b)):]
		}
	}
	if len(f.block)+len(b) > maxHead {
		f.lost = true
		return nil
	}
	if flags&http2EndHeaders == 0 {
		f.block = append(f.block, b...)
		return nil
	}
	if len(f.block) > 0 {
		b = append(f.block, b...)
	}
	if f.dec == nil {
		f.dec = hpack.NewDecoder(4096, nil) // the size that both ends begin with (RFC 9113 §6.5.2)
		f.dec.SetAllowedMaxDynamicTableSize(maxHead)
		f.dec.SetMaxStringLength(maxHead)
	}
	h := newHTTP2()
	f.dec.SetEmitFunc(func(x hpack.HeaderField) { h.http2(x.Name, x.Value) })
	_, err := f.dec.Write(b)
	if err == nil {
		err = f.dec.Close()
	}
	f.block = nil
	if err != nil {
		f.lost = true
		return nil
	}
	if h.Method == "" && h.Status == 0 {
		return nil
	}
	return h
}

// newHTTP2 is a head of which no field has been read.
func newHTTP2() *HTTP {
	return &HTTP{Minor: 1, ContentLength: -1, HeadLen: len("  HTTP/1.1\r\n\r\n")}
}

// http2 notes a field of HTTP/2 or HTTP/3.
func (h *HTTP) http2(name, value string) {
	switch name {
	case ":method":
		h.Method = text([]byte(value))
		h.HeadLen += len(value)
		return
	case ":path":
		h.Target = text([]byte(value))
		h.HeadLen += len(value)
		return
	case ":status":
		h.Status, _ = strconv.Atoi(value)
		h.HeadLen += len(value)
		return
	case ":authority":
		h.Host = text([]byte(value))
		h.HeadLen += len("host: \r\n") + len(value)
		return
	case ":scheme":
		return
	case "content-length":
		h.ContentLength = number([]byte(value))
	}
	h.HeadLen += len(name) + len(": \r\n") + len(value)
	f := header{[]byte(name), []byte(value)}
	h.field(f)
	h.digest(f)
}
