package flow

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

// FuzzBuild: whatever a capture holds, every frame has a fact in its place, every conversation's packets are its own, and plain frames are
// read as all others are.
func FuzzBuild(f *testing.F) {
	paths, err := filepath.Glob("../../testdata/*/*.pcap*")
	if err != nil || len(paths) == 0 {
		f.Fatalf("no captures: %v", err)
	}
	seeded := 0
	for _, p := range paths {
		// The beginning of a capture is one, cut in a frame.
		if b, err := os.ReadFile(p); err == nil && filepath.Ext(p) != ".gz" && filepath.Ext(p) != ".zst" {
			f.Add(b[:min(len(b), 4096)])
			seeded++
		}
	}
	if seeded == 0 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := capture.OpenReader("x", bytes.NewReader(b))
		if err != nil {
			return
		}
		defer r.Close()
		c, err := Build(context.Background(), r, Options{PayloadBudget: 1 << 16})
		if err != nil {
			return
		}
		comparePlain(t, b)
		seen := make([]bool, c.Len())
		for i := range c.Len() {
			n := c.Frame(uint32(i))
			if n == 0 || int(n) > c.Len() || seen[n-1] || c.Place(n) != uint32(i) {
				t.Fatalf("place %d holds frame %d, which lies at %d", i, n, c.Place(n))
			}
			seen[n-1] = true
		}
		for id := range c.Convs {
			in := &c.Convs[id]
			n := uint32(0)
			for i := range UpTo(c.Span(ConvID(id))) {
				if c.ID(i) != ConvID(id) {
					t.Fatalf("conversation %d holds a packet of %d", id, c.ID(i))
				}
				n++
			}
			if n != in.Packets[0]+in.Packets[1] {
				t.Fatalf("conversation %d: %d packets, counted %d and %d", id, n, in.Packets[0], in.Packets[1])
			}
		}
	})
}
