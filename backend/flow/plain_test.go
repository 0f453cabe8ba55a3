package flow

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
	"github.com/corr-dev/corr/backend/decode"
)

// What is made of a plain frame is what is made of any: in every recorded case.
func TestPlain(t *testing.T) {
	files, err := filepath.Glob("../../testdata/*/*.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	all, plain := 0, 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n, k := comparePlain(t, b)
		all, plain = all+n, plain+k
	}
	if plain < all/3 {
		t.Errorf("%d of %d frames are plain", plain, all)
	}
}

// And of frames that differ from plain ones in one byte or bit of their headers, or are cut anywhere, in captures of all lengths.
func TestNearlyPlain(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	frames := map[string][]byte{
		"TCP": segment(false, nil, 200), "TCP with timestamps": segment(false, stamp, 200), "no payload": segment(false, stamp, 0),
		"TCP in IPv6": segment(true, stamp, 200), "UDP": datagram(false, 200), "VLAN": tagged(segment(false, stamp, 100)), "UDP in IPv6": datagram(true, 200),
	}
	for name, frame := range frames {
		t.Run(name, func(t *testing.T) {
			back := bytes.Clone(frame)
			turn(back)
			all, plain := 0, 0
			// compare looks at frames of a conversation that was seen in both directions.
			compare := func(some func(put func(b []byte, orig int))) {
				w, file := ethernet(t)
				at := capture.LocalTime(1e18)
				put := func(b []byte, orig int) {
					at += 1000
					w.Frame(capturetest.Frame{Time: at, Data: b, OrigLen: uint32(orig)})
				}
				for range 2 {
					put(frame, len(frame))
					put(back, len(back))
				}
				some(put)
				put(frame, len(frame))
				n, k := comparePlain(t, file())
				all, plain = all+n, plain+k
			}
			const together = 8
			for is := range slices.Chunk(upTo(min(len(frame), 120)), together) {
				compare(func(put func(b []byte, orig int)) {
					for _, i := range is {
						for _, x := range []byte{1, 2, 4, 8, 16, 32, 64, 128, 0xff} {
							b := bytes.Clone(frame)
							b[i] ^= x
							put(b, len(b))
							put(back, len(back))
						}
					}
				})
			}
			for ns := range slices.Chunk(upTo(len(frame)), together) {
				compare(func(put func(b []byte, orig int)) {
					for _, n := range ns {
						put(frame[:n], len(frame)) // as a snaplen cuts it
						put(frame[:n], n)          // as if there were no more of it
						put(append(bytes.Clone(frame), make([]byte, n)...), len(frame)+n)
					}
				})
			}
			if plain < all/3 || plain == all {
				t.Errorf("%d of %d frames are plain", plain, all)
			}
		})
	}
}

// upTo are the numbers below n.
func upTo(n int) []int {
	var out []int
	for i := range n {
		out = append(out, i)
	}
	return out
}

// A connection that uses the ports of a closed one, and whose SYN is not in the capture, is another conversation: its first segments are
// not read at one look.
func TestPlainAfterClose(t *testing.T) {
	w, file := ethernet(t)
	at := capture.LocalTime(1e18)
	put := func(flags byte, add uint32) {
		for _, back := range []bool{false, true} {
			b := segment(false, stamp, 100)
			if back {
				turn(b)
			}
			tcp := b[34:]
			tcp[13] |= flags
			binary.BigEndian.PutUint32(tcp[4:], 0x11223344+add)
			binary.BigEndian.PutUint32(tcp[8:], 0x11223344+add)
			at += 1000
			w.Frame(capturetest.Frame{Time: at, Data: b})
		}
	}
	for range 3 {
		put(0, 0)
	}
	put(byte(decode.FIN), 200)
	for range 3 {
		put(0, 0x50000000)
	}
	b := file()
	if _, plain := comparePlain(t, b); plain == 0 {
		t.Error("no frame is plain")
	}
	if c := build(t, b, Options{}); len(c.Convs) != 2 {
		t.Errorf("%d conversations", len(c.Convs))
	}
}

// What lies in a tunnel, or belongs to a message that began in an earlier segment, is not read at one look either.
func TestPlainOutside(t *testing.T) {
	w, file := ethernet(t)
	at := capture.LocalTime(1e18)
	put := func(b []byte) {
		at += 1000
		w.Frame(capturetest.Frame{Time: at, Data: b})
	}
	put(datagram(false, 30)) // so that the addresses of the link are known
	// VXLAN, to its port and from it.
	inner := append([]byte{8, 0, 0, 0, 0, 0, 5, 0}, datagram(false, 30)...)
	for _, port := range []int{34, 36} {
		tunnel := append(datagram(false, 0), inner...)
		binary.BigEndian.PutUint16(tunnel[16:], uint16(28+len(inner)))
		binary.BigEndian.PutUint16(tunnel[38:], uint16(8+len(inner)))
		binary.BigEndian.PutUint16(tunnel[port:], 4789)
		put(tunnel)
		put(tunnel)
	}
	// A SIP message in two segments.
	seq := uint32(0x11223344)
	say := func(text string) {
		b := append(segment(false, stamp, 0), text...)
		binary.BigEndian.PutUint16(b[16:], uint16(52+len(text)))
		binary.BigEndian.PutUint32(b[38:], seq)
		seq += uint32(len(text))
		put(b)
	}
	back := segment(false, stamp, 0)
	say("")
	turn(back)
	put(back)
	say("")
	put(back)
	say("INVITE sip:a@b.example SIP/2.0\r\nCall-ID: 1\r\nContent-Type: application/sdp\r\nContent-Length: 62\r\n")
	say("\r\nv=0\r\nc=IN IP4 10.9.9.9\r\nm=audio 5004 RTP/AVP 0\r\na=rtpmap:0 PCMU\r\n")
	if _, plain := comparePlain(t, file()); plain == 0 {
		t.Error("no frame is plain")
	}
}

// comparePlain builds a capture with and without plain frames, and gives the number of its frames, and of plain ones.
func comparePlain(t *testing.T, file []byte) (frames, plain int) {
	t.Helper()
	read := func(slowly bool) *Capture {
		r, err := capture.OpenReader("test", bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		c, err := Build(context.Background(), r, Options{PayloadBudget: 1 << 20, summed: summedMost, slowly: slowly})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	x, y := read(false), read(true)
	plain, x.plain = x.plain, 0
	for i := range uint32(x.Len()) {
		if i < uint32(y.Len()) && *x.At(i) != *y.At(i) {
			t.Fatalf("frame %d: %+v, read slowly %+v", x.Frame(i), *x.At(i), *y.At(i))
		}
	}
	for id := range x.Convs {
		if id < len(y.Convs) && (x.Convs[id] != y.Convs[id] || *x.Conv(ConvID(id)) != *y.Conv(ConvID(id))) {
			t.Fatalf("conversation %d: %+v %+v, read slowly %+v %+v", id, x.Convs[id], *x.Conv(ConvID(id)), y.Convs[id], *y.Conv(ConvID(id)))
		}
	}
	if !reflect.DeepEqual(x, y) {
		t.Fatal("captures differ")
	}
	return x.Len(), plain
}

var stamp = []byte{1, 1, 8, 10, 0, 0, 1, 2, 0, 0, 3, 4}

// tagged puts a frame into a VLAN.
func tagged(b []byte) []byte {
	return append(append(bytes.Clone(b[:12]), 0x81, 0, 0x30, 0x64), b[12:]...)
}

// packet is an Ethernet frame of IP with n bytes inside.
func packet(six bool, proto uint8, inside []byte) []byte {
	b := []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00}
	if six {
		b[12], b[13] = 0x86, 0xdd
		ip := make([]byte, 40)
		ip[0], ip[1] = 0x6b, 0x80
		binary.BigEndian.PutUint16(ip[4:], uint16(len(inside)))
		ip[6], ip[7] = proto, 61
		ip[8], ip[23], ip[24], ip[39] = 0x20, 1, 0x20, 2
		return append(append(b, ip...), inside...)
	}
	ip := make([]byte, 20)
	ip[0], ip[1] = 0x45, 0xb8
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(inside)))
	ip[4], ip[5], ip[6], ip[8], ip[9] = 0x12, 0x34, 0x40, 61, proto
	copy(ip[12:], []byte{10, 1, 2, 3, 192, 168, 7, 8})
	return append(append(b, ip...), inside...)
}

func segment(six bool, options []byte, n int) []byte {
	h := make([]byte, 20, 20+len(options)+n)
	binary.BigEndian.PutUint16(h, 40000)
	binary.BigEndian.PutUint16(h[2:], 8443)
	binary.BigEndian.PutUint32(h[4:], 0x11223344)
	binary.BigEndian.PutUint32(h[8:], 0x55667788)
	h[12], h[13] = byte(20+len(options))/4<<4, byte(decode.ACK)
	binary.BigEndian.PutUint16(h[14:], 0x1f1f)
	return packet(six, protoTCP, append(append(h, options...), filled(n)...))
}

func datagram(six bool, n int) []byte {
	h := make([]byte, 8, 8+n)
	binary.BigEndian.PutUint16(h, 40000)
	binary.BigEndian.PutUint16(h[2:], 8443)
	binary.BigEndian.PutUint16(h[4:], uint16(8+n))
	return packet(six, protoUDP, append(h, filled(n)...))
}

func filled(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + 3)
	}
	return b
}

// turn makes of a frame one of the other direction.
func turn(b []byte) {
	swap := func(x, y []byte) {
		for i := range x {
			x[i], y[i] = y[i], x[i]
		}
	}
	swap(b[0:6], b[6:12])
	ip, at := b[14:], 12
	n, ports := 4, 20
	if b[12] == 0x81 {
		ip = b[18:]
	}
	if b[12] == 0x86 {
		at, n, ports = 8, 16, 40
	}
	swap(ip[at:at+n], ip[at+n:at+2*n])
	swap(ip[ports:ports+2], ip[ports+2:ports+4])
}
