package flow

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// Memory is 64 bytes a packet with all that is found out of it: facts are most of that.
func TestFactSize(t *testing.T) {
	if n := unsafe.Sizeof(Fact{}); n > 44 {
		t.Errorf("a fact takes %d bytes", n)
	}
}

// Every frame keeps its length and its link-layer context, however many different ones there are, in an index too.
func TestEnvelopes(t *testing.T) {
	w, file := ethernet(t)
	var want []uint32
	source := func(i int) byte { return byte(i % 5) }
	for i := range 150_000 {
		b := make([]byte, 60+i*7919%900) // of no known protocol: all around no payload
		b[12], b[13] = 0x88, 0xcc
		orig := uint32(len(b))
		switch i % 4 {
		case 1: // UDP, and whatever Ethernet pads it with
			b = udp(i%500, i%11)
			orig = uint32(len(b))
		case 2: // a header that claims more than the frame is long
			b = udp(i%500, 0)
			b[16], b[17] = 0xff, 0xf0
			orig = uint32(len(b))
		case 3: // cut by the card later on, so that the header has no length
			b = udp(8, 0)
			b[16], b[17], b[38], b[39] = 0, 0, 0, 0
			orig = 14 + 20 + 8 + 2*lenMost
		}
		if i%3 != 0 {
			orig += 70_000 + uint32(i)
		}
		b[11] = source(i)
		want = append(want, orig)
		w.Frame(capturetest.Frame{Time: capture.LocalTime(1e18 + i*1000), Data: b, OrigLen: orig})
	}
	c := build(t, file(), Options{})
	if e := &c.envelopes; len(e.unusual) == 0 || len(e.all) != noEnvelope {
		t.Fatalf("%d envelopes have a number, %d frames have none", len(e.all), len(e.unusual))
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
			if l := c.Link(i); l.Src[5] != source(int(c.Frame(i)-1)) {
				t.Fatalf("frame %d is from %x", c.Frame(i), l.Src)
			}
		}
	}
	check(c)
	key := NewKey([]byte("of a test"))
	c.Seal(key, &Sealed{}, c.Fingerprints(key))
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
