package flow

import (
	"encoding/binary"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// Frames of more link-layer contexts than facts can number share an empty one; those before keep theirs, whatever order they
// come in.
func TestLinks(t *testing.T) {
	w, file := ethernet(t)
	const contexts = 1<<16 + 100
	// Each source twice, with others between; then all of them once more.
	source := func(i int) int {
		if i < 2*contexts {
			return i/2&^3 + (i/8+i)%4
		}
		return i - 2*contexts
	}
	for i := range 3 * contexts {
		b := make([]byte, 60)
		binary.BigEndian.PutUint32(b[8:], uint32(source(i)))
		binary.BigEndian.PutUint16(b[12:], 0x88cc) // LLDP
		w.Frame(capturetest.Frame{Time: capture.LocalTime(1e18) + capture.LocalTime(i)*1000, Data: b})
	}
	c := build(t, file(), Options{})
	lost := 0
	for i := range uint32(c.Len()) {
		l := c.Link(i)
		if got := int(binary.BigEndian.Uint32(l.Src[2:])); l.HasMAC && got != source(int(c.Frame(i))-1) {
			t.Fatalf("frame %d has the context of source %d, not %d", c.Frame(i), got, source(int(c.Frame(i))-1))
		} else if !l.HasMAC {
			lost++
		}
	}
	if want := 3 * (contexts - (1<<16 - 1)); len(c.Links) != 1<<16 || lost != want || c.Oddities["too-many-links"] != int64(want) {
		t.Errorf("%d contexts, %d frames without and %d counted, want %d", len(c.Links), lost, c.Oddities["too-many-links"], want)
	}
}
