package compose

import (
	"bytes"
	"context"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
	"github.com/corr-dev/corr/backend/flow"
)

// Each tied frame gets its own digest in whatever window it lies, and no other frame one.
func TestTied(t *testing.T) {
	var file bytes.Buffer
	w := capturetest.NewWriter(&file, capturetest.Options{Interface: capturetest.Interface{Link: capture.LinkEthernet}})
	const frames = 1000
	at := capture.LocalTime(1e18)
	for i := range frames {
		if i%7 > 2 { // three of seven come at one time
			at += 100_000
		}
		b := make([]byte, 60)
		b[12], b[13], b[20], b[21] = 0x88, 0xcc, byte(i>>8), byte(i)
		w.Frame(capturetest.Frame{Time: at, Data: b})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := capture.OpenReader("test", bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	c, err := flow.Build(context.Background(), r, flow.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[capture.FrameNo]uint32{}
	for k := range c.Ties() {
		x := c.Tie(k)
		want[x.Frame] = x.Digest
	}
	if len(want) < frames/3 {
		t.Fatalf("%d of %d frames are tied", len(want), frames)
	}
	for _, window := range []int{1, 64, 100, 500, frames, 5000} {
		x := newTied(c, window)
		for end := capture.FrameNo(window); ; end += capture.FrameNo(window) {
			x.turn(end)
			for n := end - capture.FrameNo(window) + 1; n <= min(end, frames); n++ {
				if got := x.digest(n); got != want[n] {
					t.Fatalf("windows of %d: frame %d has %x, want %x", window, n, got, want[n])
				}
			}
			if end >= frames {
				break
			}
		}
	}
}
