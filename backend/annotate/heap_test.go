package annotate

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// A heap of several pieces lies in the file as it was written, whatever is given back while it is copied.
func TestHeapMoves(t *testing.T) {
	dir := t.TempDir()
	h := heap{path: filepath.Join(dir, "heap")}
	if err := h.open(); err != nil {
		t.Fatal(err)
	}
	want := []byte{0, 0, 0, 0}
	for k := range uint32(2*moveMost/4 + 1000) {
		b := le.AppendUint32(nil, k*2654435761)
		if _, err := h.write(b); err != nil {
			t.Fatal(err)
		}
		want = append(want, b...)
	}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := h.copyTo(out); err != nil {
		t.Fatal(err)
	}
	if err := h.discard(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes differ from the %d that were written", len(got), len(want))
	}
}
