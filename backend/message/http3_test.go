package message

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/quic-go/qpack"
)

// STREAM frames are found among all others, with and without what they may leave out.
func TestQUICPieces(t *testing.T) {
	join := func(l ...[]byte) []byte { return bytes.Join(l, nil) }
	others := join(
		[]byte{0, 0, 1},                                   // PADDING, PADDING, PING
		[]byte{2, 0x44, 0x00, 0, 1, 0, 2, 3},              // ACK of 1024 with one more range
		[]byte{3, 5, 0, 0, 0, 1, 2, 3},                    // with ECN
		[]byte{4, 0, 1, 2, 5, 0, 1},                       // RESET_STREAM, STOP_SENDING
		[]byte{6, 0, 3, 'a', 'b', 'c', 7, 2, 'x', 'y'},    // CRYPTO, NEW_TOKEN
		[]byte{0x10, 0xc0, 0, 0, 0, 0x80, 0, 0, 0},        // MAX_DATA of eight bytes
		[]byte{0x11, 4, 9, 0x12, 3, 0x13, 3, 0x14, 9},     // MAX_STREAM_DATA, MAX_STREAMS twice, DATA_BLOCKED
		[]byte{0x15, 4, 9, 0x16, 3, 0x17, 3, 0x19, 0},     // the same blocked, RETIRE_CONNECTION_ID
		join([]byte{0x18, 1, 0, 4}, make([]byte, 4+16)),   // NEW_CONNECTION_ID
		join([]byte{0x1a}, make([]byte, 8), []byte{0x1e}), // PATH_CHALLENGE, HANDSHAKE_DONE
		[]byte{0x40, 0x31, 2, 'd', 'g'},                   // DATAGRAM
		[]byte{0x1c, 0, 0, 2, 'n', 'o'},                   // CONNECTION_CLOSE
	)
	frames := join(others, []byte{0x0f, 4, 7, 3, 'o', 'n', 'e'}, others, []byte{0x0a, 8, 3, 't', 'w', 'o'}, []byte{0x08, 12, 'r', 'e', 's', 't'})
	var l []string
	for _, p := range QUICPieces(frames) {
		l = append(l, fmt.Sprintf("%d@%d %s %v", p.Stream, p.Off, p.Data, p.Fin))
	}
	if got, want := strings.Join(l, ", "), "4@7 one true, 8@0 two false, 12@0 rest false"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	for n := range frames { // cut anywhere: what is whole before
		if got := QUICPieces(frames[:n]); len(got) > 3 {
			t.Errorf("cut at %d: %v", n, got)
		}
	}
}

func packed(fields ...string) []byte {
	var b bytes.Buffer
	e := qpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		if err := e.WriteField(qpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

func TestHTTP3Head(t *testing.T) {
	h := HTTP3Head(packed(":method", "GET", ":scheme", "https", ":authority", "www.example", ":path", "/a", "x-forwarded-for", "192.0.2.7"))
	if h == nil || h.Method != "GET" || h.Target != "/a" || h.Host != "www.example" || h.ForwardedFor != "192.0.2.7" {
		t.Errorf("%+v", h)
	}
	if h := HTTP3Head(packed(":status", "404")); h == nil || h.Status != 404 {
		t.Errorf("%+v", h)
	}
	if h := HTTP3Head(packed("grpc-status", "0")); h != nil {
		t.Errorf("a trailer is taken for a head: %+v", h)
	}
	if h := HTTP3Head([]byte{1, 0, 0x80}); h != nil { // refers to a table that another stream fills
		t.Errorf("%+v", h)
	}
}

// FuzzHTTP3: bytes of any kind are read as frames of a packet, of a stream, and as fields, and no more is found than there is.
func FuzzHTTP3(f *testing.F) {
	f.Add([]byte{0x0f, 4, 7, 3, 'o', 'n', 'e', 0x1c, 0, 0, 2, 'n', 'o'})
	f.Add(append([]byte{1, 40}, packed(":method", "GET", ":path", "/", "cookie", "some")...))
	f.Add(packed(":status", "200", "content-length", "12"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		for _, p := range QUICPieces(b) {
			n += len(p.Data)
		}
		if n > len(b) {
			t.Fatalf("%d bytes of streams in %d", n, len(b))
		}
		if kind, length, head := HTTP3Frame(b); head > len(b) || head == 0 && (kind|length) != 0 {
			t.Fatalf("a frame of type %d, %d bytes behind %d", kind, length, head)
		}
		if h := HTTP3Head(b); h != nil && h.Method == "" && h.Status == 0 {
			t.Fatal("a head that says nothing")
		}
		if off, ok := QUICShort(b); ok && off >= len(b) {
			t.Fatalf("a packet at %d of %d", off, len(b))
		}
	})
}
