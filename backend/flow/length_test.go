package flow

import (
	"bytes"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// Every frame keeps its length, however many different ones there are, in an index too.
func TestFrameLen(t *testing.T) {
	w, file := ethernet(t)
	var want []uint32
	for i := range 3000 {
		b := make([]byte, 60+i*7919%900) // of no known protocol: all around no payload
		b[12], b[13] = 0x88, 0xcc
		orig := uint32(len(b))
		switch i % 3 {
		case 1: // UDP, and whatever Ethernet pads it with
			b = udp(i%500, i%11)
			orig = uint32(len(b))
		case 2: // a header that claims more than the frame is long
			b = udp(i%500, 0)
			b[16], b[17] = 0xff, 0xf0
			orig = uint32(len(b))
		}
		if i%5 == 0 {
			orig += 70_000
		}
		want = append(want, orig)
		w.Frame(capturetest.Frame{Time: capture.LocalTime(1e18 + i*1000), Data: b, OrigLen: orig})
	}
	c := build(t, file(), Options{})
	if len(c.lengths.unusual) == 0 || len(c.lengths.around) != noCode {
		t.Fatalf("%d lengths have a code, %d frames have none", len(c.lengths.around), len(c.lengths.unusual))
	}
	check := func(c *Capture) {
		t.Helper()
		if c.Len() != len(want) {
			t.Fatalf("%d frames", c.Len())
		}
		for i := range uint32(c.Len()) {
			if n := c.FrameLen(i); n != want[c.Frame(i)-1] {
				t.Fatalf("frame %d is %d bytes long, want %d", c.Frame(i), n, want[c.Frame(i)-1])
			}
		}
	}
	check(c)
	c.Seal(NewKey([]byte("of a test")), &Sealed{})
	var index bytes.Buffer
	if err := c.WriteIndex(&index, "test"); err != nil {
		t.Fatal(err)
	}
	again, _, err := ReadIndex(&index, nil)
	if err != nil {
		t.Fatal(err)
	}
	check(again)
}

// udp is a frame of a datagram with n bytes of payload, padded.
func udp(n, pad int) []byte {
	b := make([]byte, 14+20+8+n+pad)
	b[12], b[14] = 8, 0x45
	b[16], b[17] = byte((28+n)>>8), byte(28+n)
	b[22], b[23] = 64, ProtoUDP
	b[26], b[30], b[33] = 10, 10, 1
	b[34], b[36] = 0x80, 0x90
	b[38], b[39] = byte((8+n)>>8), byte(8+n)
	return b
}
