package message

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
)

// h2 writes HTTP/2 frames.
type h2 struct {
	bytes.Buffer
	block bytes.Buffer
	enc   *hpack.Encoder
}

func (w *h2) frame(kind, flags uint8, stream uint32, payload []byte) {
	n := len(payload)
	w.Write([]byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags})
	_ = binary.Write(w, binary.BigEndian, stream)
	w.Write(payload)
}

// fields packs name, value, name, value …
func (w *h2) fields(l ...string) []byte {
	if w.enc == nil {
		w.enc = hpack.NewEncoder(&w.block)
	}
	w.block.Reset()
	for i := 0; i < len(l); i += 2 {
		if err := w.enc.WriteField(hpack.HeaderField{Name: l[i], Value: l[i+1]}); err != nil {
			panic(err)
		}
	}
	return bytes.Clone(w.block.Bytes())
}

func get(path string) []string {
	return []string{":method", "GET", ":scheme", "https", ":path", path, ":authority", "www.example", "cookie", "a-cookie-of-some-length", "x-forwarded-for", "192.0.2.7"}
}

// says lists the names of the messages.
func says(ms []StreamMessage) string {
	var l []string
	for _, m := range ms {
		l = append(l, fmt.Sprintf("%d:%s", m.Frame, m.Label))
	}
	return strings.Join(l, " ")
}

// Header fields are read in every form that frames give them, and from whatever segments they come in.
func TestStreamHTTP2Fields(t *testing.T) {
	w := &h2{}
	w.WriteString(http2Preface)
	w.frame(4, 0, 0, nil)
	w.frame(1, 0x5, 1, w.fields(get("/first")...))
	b := w.fields(get("/second")...)
	w.frame(1, 0x1|0x8|0x20, 3, append(append([]byte{4, 0, 0, 0, 1, 16}, b[:3]...), 0, 0, 0, 0)) // padded, with a priority, goes on
	w.frame(9, 0x4, 3, b[3:])
	w.frame(1, 0x4, 5, w.fields(":method", "POST", ":path", "/third", "content-length", "5"))
	w.frame(0, 0x1, 5, []byte("hello"))
	const want = "0:preface 0:SETTINGS 1:GET /first 3:HEADERS 3:GET /second 5:POST /third 5:DATA"
	for _, size := range []int{1, 7, 40, 4096} {
		s := NewStream(true, 443)
		for at := 0; at < w.Len(); at += size {
			s.Write(uint64(at), w.Bytes()[at:min(at+size, w.Len())])
		}
		s.Close()
		ms := s.Messages()
		if got := says(ms); got != want {
			t.Errorf("in segments of %d: %s\nwant %s", size, got, want)
			continue
		}
		h := ms[4].HTTP
		if h.Host != "www.example" || h.ForwardedFor != "192.0.2.7" || len(h.Fields) != 2 {
			t.Errorf("fields: %+v", h)
		}
		// As HTTP/1 would write it.
		head := "GET /second HTTP/1.1\r\nhost: www.example\r\ncookie: a-cookie-of-some-length\r\nx-forwarded-for: 192.0.2.7\r\n\r\n"
		if h.HeadLen != len(head) {
			t.Errorf("its head is said to have %d bytes, it has %d", h.HeadLen, len(head))
		}
		if ms[5].HTTP.ContentLength != 5 || ms[6].Flags&HTTP2EndStream == 0 {
			t.Errorf("third: %+v, %+v", ms[5].HTTP, ms[6])
		}
	}
}

// Behind header fields that are missing, or can't be read, none is believed: each may refer to those before it.
func TestStreamHTTP2FieldsMissing(t *testing.T) {
	begin := func() (*h2, *Stream) {
		w := &h2{}
		w.WriteString(http2Preface)
		w.frame(1, 0x5, 1, w.fields(get("/first")...))
		s := NewStream(true, 443)
		s.Write(0, w.Bytes())
		return w, s
	}
	w, s := begin()
	at := w.Len()
	w.frame(1, 0x5, 3, w.fields(get("/second")...))
	lost := w.Len()
	w.frame(1, 0x5, 5, w.fields(get("/third")...))
	s.Write(uint64(lost), w.Bytes()[lost:])
	s.Close()
	if got := says(s.Messages()); strings.Contains(got, "third") || !strings.Contains(got, "1:GET /first") {
		t.Errorf("with bytes %d to %d missing: %s", at, lost, got)
	}
	// A hole in data loses none.
	w, s = begin()
	at = w.Len()
	w.frame(0, 0, 1, make([]byte, 1000))
	next := w.Len()
	w.frame(1, 0x5, 3, w.fields(get("/second")...))
	s.Write(uint64(at), w.Bytes()[at:at+100])
	s.Write(uint64(next), w.Bytes()[next:])
	s.Close()
	if got := says(s.Messages()); !strings.Contains(got, "3:GET /second") {
		t.Errorf("with a hole in data: %s", got)
	}
	for name, bad := range map[string][]byte{"no such entry": {0xff, 0xff, 0x7f}, "a string that goes on": {0x40, 0x7f}} {
		w, s = begin()
		w.frame(1, 0x5, 3, bad)
		w.frame(1, 0x5, 5, w.fields(get("/third")...))
		s.Write(0, w.Bytes())
		s.Close()
		if got := says(s.Messages()); strings.Contains(got, "third") || !strings.Contains(got, "3:HEADERS") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
