package flow

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

// What is guessed of a frame from its bytes is what its headers say once they are read: in every recorded case, and in nearly
// all frames of those that Ethernet carries plainly.
func TestHashAhead(t *testing.T) {
	files, err := filepath.Glob("../../testdata/*/*.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	guessed, frames := 0, 0
	for _, file := range files {
		r, err := capture.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		var p capture.Packet
		var d decode.Packet
		for {
			err := r.Next(&p)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			frames++
			h, ok := hashAhead(p.Link, bytes.Clone(p.Data))
			if !ok {
				continue
			}
			guessed++
			decode.Decode(p.Link, p.Data, p.OrigLen, &d)
			if d.NSocket == 0 {
				t.Fatalf("%s: frame %d has no TCP or UDP header, but a guess", file, p.Number)
			}
			k := &d.Socket[0]
			e := end{src: halves(&k.Src), dst: halves(&k.Dst), word: makeWord(shared(k.Proto), true, k.Sport, k.Dport)}
			if e.hash() != h {
				t.Fatalf("%s: frame %d: guessed %x, is %x", file, p.Number, h, e.hash())
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if guessed < frames/2 {
		t.Errorf("%d of %d frames guessed", guessed, frames)
	}
}
