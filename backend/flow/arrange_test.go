package flow

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// tcpFrames writes n TCP segments of some conversations that come and go, a few frames without conversation among them.
func tcpFrames(t *testing.T, n int) []byte {
	t.Helper()
	w, file := ethernet(t)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		// Ethernet, IPv4, TCP, 4 bytes of payload; conversations of the last ten thousand frames.
		b := make([]byte, 14+20+20+4)
		if r.IntN(50) == 0 {
			binary.BigEndian.PutUint16(b[12:], 0x88cc) // LLDP
		} else {
			id := r.IntN(40) + i/10000*20
			binary.BigEndian.PutUint16(b[12:], 0x0800)
			ip, tcp := b[14:], b[34:]
			copy(ip, []byte{0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, byte(id >> 8), byte(id), 10, 1, 0, 1})
			binary.BigEndian.PutUint16(tcp, uint16(1024+id))
			binary.BigEndian.PutUint16(tcp[2:], 80)
			if i%3 == 0 { // an answer
				copy(ip[12:], []byte{10, 1, 0, 1, 10, 0, byte(id >> 8), byte(id)})
				binary.BigEndian.PutUint16(tcp, 80)
				binary.BigEndian.PutUint16(tcp[2:], uint16(1024+id))
			}
			binary.BigEndian.PutUint32(tcp[4:], uint32(i))
			tcp[12], tcp[13] = 5<<4, 0x18
			binary.BigEndian.PutUint32(b[54:], r.Uint32())
		}
		w.Frame(capturetest.Frame{Time: capture.LocalTime(1e18) + capture.LocalTime(i)*1000, Data: b})
	}
	return file()
}

// ethernet begins a capture file; file ends and gives it.
func ethernet(t *testing.T) (w *capturetest.Writer, file func() []byte) {
	t.Helper()
	var b bytes.Buffer
	w = capturetest.NewWriter(&b, capturetest.Options{Interface: capturetest.Interface{Link: capture.LinkEthernet}})
	return w, func() []byte {
		t.Helper()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
}

func build(t *testing.T, file []byte, o Options) *Capture {
	t.Helper()
	r, err := capture.OpenReader("test", bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Build(context.Background(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Facts lie by conversation, inside of each in the order of frames, and every frame has one place, however many stretches
// were merged; notes taken while reading point to the right places.
func TestFactsLieByConversation(t *testing.T) {
	for _, n := range []int{1, 100, stretchMost, stretchMost + 1, 5*stretchMost + 77} {
		c := build(t, tcpFrames(t, n), Options{PayloadBudget: DefaultPayloadBudget})
		if c.Len() != n {
			t.Fatalf("%d facts of %d frames", c.Len(), n)
		}
		seen := make([]bool, n+1)
		check := func(i uint32, before capture.FrameNo) capture.FrameNo {
			k := c.Frame(i)
			if k <= before || seen[k] {
				t.Fatalf("%d frames: place %d holds frame %d behind frame %d", n, i, k, before)
			}
			seen[k] = true
			if want := capture.LocalTime(1e18) + capture.LocalTime(k-1)*1000; c.At(i).Time() != want {
				t.Fatalf("%d frames: place %d has another time than its frame %d", n, i, k)
			}
			return k
		}
		next := uint32(0)
		for id := range c.Convs {
			from, to := c.Span(ConvID(id))
			if from != next || to == from {
				t.Fatalf("%d frames: conversation %d lies from %d up to %d, the one before ends at %d", n, id, from, to, next)
			}
			next = to
			last := capture.FrameNo(0)
			for i := range UpTo(c.Span(ConvID(id))) {
				last = check(i, last)
				if f := c.At(i); c.ID(i) != ConvID(id) || f.Seq != uint32(c.Frame(i)-1) {
					t.Fatalf("%d frames: place %d of conversation %d holds %+v", n, i, id, f)
				}
				if b, ok := c.Payload(i); !ok || hash32(b) != c.At(i).Full {
					t.Fatalf("%d frames: the payload kept for place %d is another frame's", n, i)
				}
			}
			in := &c.Convs[id]
			if in.First != from || in.Last != to-1 || in.Packets[0]+in.Packets[1] != to-from {
				t.Fatalf("%d frames: conversation %d from %d up to %d says %+v", n, id, from, to, in)
			}
		}
		last := capture.FrameNo(0)
		for i := range c.Loose() {
			last = check(i, last)
		}
		for k := 1; k <= n; k++ {
			if !seen[k] {
				t.Fatalf("%d frames: frame %d has no place", n, k)
			}
		}
		if c.Frame(c.FirstFrame()) != 1 || c.Frame(c.LastFrame()) != capture.FrameNo(n) {
			t.Errorf("%d frames: first frame %d, last frame %d", n, c.Frame(c.FirstFrame()), c.Frame(c.LastFrame()))
		}
	}
}

// A conversation that was heard of before it had a frame of its own comes where its frames come, one without frames nowhere.
func TestByFirstFrame(t *testing.T) {
	c := &Capture{Convs: make([]Info, 4), start: []uint32{0, 2, 2, 3, 4}, frames: []uint32{300, 301, 0, 7}}
	if got := c.ByFirstFrame(); !slices.Equal(got, []ConvID{2, 3, 0}) {
		t.Errorf("got %v", got)
	}
}
