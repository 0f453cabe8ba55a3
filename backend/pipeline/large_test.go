package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
	"github.com/corr-dev/corr/backend/model"
)

// recorded writes a capture of Ethernet frames.
func recorded(t *testing.T, path string, frames func(w *capturetest.Writer)) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := capturetest.NewWriter(f, capturetest.Options{Interface: capturetest.Interface{Link: capture.LinkEthernet}})
	frames(w)
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// twoPoints writes two captures, of the first and of the second point that see the same traffic.
func twoPoints(t *testing.T, frames func(point int, w *capturetest.Writer)) (inputs []Input) {
	t.Helper()
	dir := t.TempDir()
	for point, name := range []string{"a.pcap", "b.pcap"} {
		path := filepath.Join(dir, name)
		recorded(t, path, func(w *capturetest.Writer) { frames(point, w) })
		inputs = append(inputs, Input{Path: path})
	}
	return inputs
}

// between makes an Ethernet frame of IPv4 from one host to another, or back, as the first or the second of two points with a router
// between them has it: size bytes from the IP header on, some of which are captured, up to the ports filled.
func between(point int, back bool, proto byte, id, size, captured int, sport, dport uint16) []byte {
	b := make([]byte, 14+captured)
	copy(b[12:], []byte{8, 0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, byte(64 - point), proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2})
	if back {
		copy(b[26:], []byte{10, 0, 0, 2, 10, 0, 0, 1})
		b[22] = byte(63 + point)
		sport, dport = dport, sport
	}
	binary.BigEndian.PutUint16(b[16:], uint16(size))
	binary.BigEndian.PutUint16(b[18:], uint16(id))
	binary.BigEndian.PutUint16(b[34:], sport)
	binary.BigEndian.PutUint16(b[36:], dport)
	return b
}

// In captures of more than one window of frames every frame gets its annotation, also of a conversation that was first heard
// of in a tunnel's outer header and has its first own frame in a later window.
func TestWindows(t *testing.T) {
	udp := func(src, dst byte, sport, dport, id uint16, payload []byte) []byte {
		b := make([]byte, 28, 28+len(payload))
		copy(b, []byte{0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, src, 10, 0, 0, dst})
		binary.BigEndian.PutUint16(b[2:], uint16(28+len(payload)))
		binary.BigEndian.PutUint16(b[4:], id)
		binary.BigEndian.PutUint16(b[20:], sport)
		binary.BigEndian.PutUint16(b[22:], dport)
		binary.BigEndian.PutUint16(b[24:], uint16(8+len(payload)))
		return append(b, payload...)
	}
	ethernet := append(make([]byte, 12), 8, 0)
	frame := func(ip []byte) []byte { return append(append([]byte(nil), ethernet...), ip...) }
	inner := append([]byte{8, 0, 0, 0, 0, 0, 5, 0}, frame(udp(9, 8, 1000, 53, 7, []byte("inside of a tunnel")))...)
	const n = annotate.WindowMost + 2000
	inputs := twoPoints(t, func(point int, w *capturetest.Writer) {
		for i := range n {
			var payload [16]byte
			binary.BigEndian.PutUint64(payload[:], uint64(i)*0x9E3779B97F4A7C15)
			b := udp(1, byte(10+i%50), uint16(2000+i%50), 5000, uint16(i)|1, payload[:])
			switch i {
			case 0:
				b = udp(2, 3, 5555, 4789, 1, inner) // VXLAN
			case n - 1000:
				b = udp(2, 3, 5555, 4789, 2, nil) // of the outer conversation itself
			}
			w.Frame(capturetest.Frame{Time: capture.LocalTime(1e18) + capture.LocalTime(i*20_000+point*5_000_000), Data: frame(b)})
		}
	})
	out := filepath.Join(t.TempDir(), "out")
	if _, err := Correlate(context.Background(), Options{Inputs: inputs, Out: out}); err != nil {
		t.Fatal(err)
	}
	ann, err := annotate.Open(filepath.Join(out, "corr.ann"))
	if err != nil {
		t.Fatal(err)
	}
	defer ann.Close()
	paired := 0
	if err := ann.Each(0, func(k capture.FrameNo, fr *annotate.Frame, _ *annotate.Class) error {
		if fr.Peer == k {
			paired++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if paired != n {
		t.Errorf("%d of %d frames have their counterpart", paired, n)
	}
}

// A conversation that one point alone saw takes time that grows with its packets: if it is asked for each of them what became of all, this
// does not end.
func TestLongOneSidedConversation(t *testing.T) {
	unlessShort(t)
	const shared, alone = 400, 400_000
	inputs := twoPoints(t, func(point int, w *capturetest.Writer) {
		send := func(at, id int, sport, dport uint16, back bool) {
			b := between(point, back, 17, id, 28+16, 28+16, sport, dport)
			binary.BigEndian.PutUint16(b[38:], 24)
			binary.BigEndian.PutUint64(b[42:], uint64(id+1)*0x9E3779B97F4A7C15)
			w.Frame(capturetest.Frame{Time: capture.LocalTime(1e18) + capture.LocalTime(at), Data: b})
		}
		for i := range alone {
			if n := i * shared / alone; n*alone/shared == i {
				delay := 3_000_000 * point
				if n%2 == 1 {
					delay = -delay
				}
				send(i*100_000+delay, n+1, 3000, 4000, n%2 == 1)
			}
			if point == 0 {
				send(i*100_000+50_000, 1<<20+i, 5000, 6000, false)
			}
		}
	})
	doc, err := Correlate(context.Background(), Options{Inputs: inputs, Out: filepath.Join(t.TempDir(), "out")})
	if err != nil {
		t.Fatal(err)
	}
	if n := doc.Captures[0].Fates["delivered"]; n != shared {
		t.Errorf("%d of %d frames are delivered", n, shared)
	}
}

// A conversation of more bytes than sequence numbers can tell apart at once: nothing of it is taken for missed, lost or sent again.
func TestNumbersGoRound(t *testing.T) {
	for _, segments := range []int{50_000, 100_000} { // half round, and once
		doc := numbersGoRound(t, segments, nil)
		for _, f := range doc.Findings {
			if f.ID == "capture-drops" || f.ID == "loss" {
				t.Errorf("%d segments: %s: %s", segments, f.ID, f.Title)
			}
		}
		for _, c := range doc.Captures {
			if c.Fates["delivered"] != c.Frames {
				t.Errorf("%d segments: %s: %d of %d frames are delivered: %v", segments, c.Name, c.Fates["delivered"], c.Frames, c.Fates)
			}
		}
		if n := len(doc.Flows); n != 1 || len(doc.Flows[0].Again) > 0 {
			t.Errorf("%d segments: %d conversations, %+v sent again", segments, n, doc.Flows[0].Again)
		}
	}
	// What is acknowledged was not lost, however far on.
	const segments = 90_000
	missed := []int{1_000, 40_000, 80_000}
	doc := numbersGoRound(t, segments, missed)
	if n := doc.Captures[0].Fates["lost"]; n != 0 {
		t.Errorf("%d frames are lost that a recorder missed", n)
	}
	if !slices.ContainsFunc(doc.Findings, func(f model.Finding) bool { return f.ID == "capture-drops" }) {
		t.Error("the recorder is not said to have missed any")
	}
}

// numbersGoRound correlates a conversation of so many large segments, of which the second capture lacks some.
func numbersGoRound(t *testing.T, segments int, missed []int) *model.Document {
	t.Helper()
	const size, every = 64_000, 8
	inputs := twoPoints(t, func(point int, w *capturetest.Writer) {
		id := 0
		send := func(at, dir int, seq, ack uint32, flags byte, n int) {
			id++
			b := between(point, dir == 1, 6, id, 40+n, 40+min(n, 16), 40000, 443)
			binary.BigEndian.PutUint32(b[38:], seq)
			binary.BigEndian.PutUint32(b[42:], ack)
			b[46], b[47] = 5<<4, flags
			binary.BigEndian.PutUint16(b[48:], 60000)
			if n > 0 {
				binary.BigEndian.PutUint64(b[54:], uint64(seq)*0x9E3779B97F4A7C15)
			}
			way := 3000 * point
			if dir == 1 {
				way = 3000 * (1 - point)
			}
			w.Frame(capturetest.Frame{Time: capture.LocalTime(1e18) + capture.LocalTime(at+way), OrigLen: uint32(54 + n), Data: b})
		}
		const syn, ack = 2, 16
		x, y := uint32(4_000_000_000), uint32(7)
		send(0, 0, x, 0, syn, 0)
		send(10_000, 1, y, x+1, syn|ack, 0)
		send(20_000, 0, x+1, y+1, ack, 0)
		x, y = x+1, y+1
		for i := range segments {
			at := 40_000 + i*20_000
			switch {
			case i%1000 == 500: // out of order
				send(at, 0, x+size, y, ack, size)
				send(at+1000, 0, x, y, ack, size)
			case i%1000 == 501:
			case point == 1 && slices.Contains(missed, i):
				id++
			default:
				send(at, 0, x, y, ack, size)
			}
			if x += size; i%1000 == 500 {
				continue
			}
			if i%every == 0 || i == segments-1 {
				send(at+10_000, 1, y, x, ack, 0)
			}
		}
	})
	doc, err := Correlate(context.Background(), Options{Inputs: inputs, Out: filepath.Join(t.TempDir(), "out")})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
