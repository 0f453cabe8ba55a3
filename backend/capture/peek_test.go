package capture_test

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

// What Peek gives, Next gives later, in the same place; of files that are read in large pieces it gives nearly all.
func TestPeek(t *testing.T) {
	files, err := filepath.Glob("../../testdata/*/*.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	given, frames := 0, 0
	for _, file := range files {
		r, err := capture.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		var coming [3][]byte // what Peek said of the next frame and of those behind it
		var there [3][]byte  // where
		var long [3]uint32
		var p capture.Packet
		for {
			for n := range coming {
				if b, onWire := r.Peek(n); b != nil {
					if coming[n] != nil && !bytes.Equal(coming[n], b) {
						t.Fatalf("%s: after frame %d, frame %d from there was %x and is %x", file, p.Number, n, coming[n], b)
					}
					coming[n], there[n], long[n] = bytes.Clone(b), b, onWire
				}
			}
			err := r.Next(&p)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			frames++
			if b := coming[0]; b != nil {
				given++
				if !bytes.Equal(b, p.Data) || long[0] != p.OrigLen {
					t.Fatalf("%s: frame %d was %x of %d bytes before, and is %x of %d", file, p.Number, b, long[0], p.Data, p.OrigLen)
				}
				if len(b) > 0 && &there[0][0] != &p.Data[0] {
					t.Fatalf("%s: frame %d has moved", file, p.Number)
				}
			}
			coming = [3][]byte{coming[1], coming[2]}
			there, long = [3][]byte{there[1], there[2]}, [3]uint32{long[1], long[2]}
		}
		if coming[0] != nil {
			t.Fatalf("%s: a frame behind the last: %x", file, coming[0])
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if given < frames*9/10 {
		t.Errorf("%d of %d frames were there before", given, frames)
	}
}
