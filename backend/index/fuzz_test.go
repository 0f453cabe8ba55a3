package index

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/corr-dev/corr/backend/flow"
)

// FuzzRead: whatever an index holds, it is refused, or every fact, name and exchange in it is one of its own conversations.
// The fuzzer sees the bytes as they are before compression.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"skype-story/a.pcap", "haproxy-tcp/b.pcap", "quic-nat/a.pcap", "tls-offload/a.pcap"} {
		// The beginning of a capture is one.
		whole, err := os.ReadFile("../../testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		path := filepath.Join(f.TempDir(), "begun.pcap")
		if err := os.WriteFile(path, whole[:min(len(whole), 3000)], 0o644); err != nil {
			f.Fatal(err)
		}
		var b bytes.Buffer
		if err := Write(&b, Seal(build(f, path), name, key, nil)); err != nil {
			f.Fatal(err)
		}
		z, err := zstd.NewReader(bytes.NewReader(b.Bytes()[headSize:]))
		if err != nil {
			f.Fatal(err)
		}
		var plain bytes.Buffer
		if _, err := plain.ReadFrom(z); err != nil {
			f.Fatal(err)
		}
		z.Close()
		f.Add(plain.Bytes())
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		x, err := unpacked(bufio.NewReader(bytes.NewReader(plain)), nil)
		if err != nil {
			return
		}
		c := x.Capture
		seen := make([]bool, c.Len())
		for i := range uint32(c.Len()) {
			n := c.Frame(i)
			if n == 0 || int(n) > c.Len() || seen[n-1] {
				t.Fatalf("place %d holds frame %d", i, n)
			}
			seen[n-1] = true
			_ = c.Link(i)
			if p, ok := c.Payload(i); ok && uint32(len(p)) > c.At(i).Len() {
				t.Fatalf("place %d has %d fingerprints of %d bytes", i, len(p), c.At(i).Len())
			}
		}
		for id := range c.Convs {
			id := flow.ConvID(id)
			_ = c.ClientDir(id)
			for i := range flow.UpTo(c.Span(id)) {
				if c.ID(i) != id {
					t.Fatalf("conversation %d holds a packet of %d", id, c.ID(i))
				}
			}
		}
	})
}
