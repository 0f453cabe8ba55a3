package match_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/corr-dev/corr/backend/match"
)

// BenchmarkConversations shows how time grows with the number of conversations: opened through a NAT, 5 ms and four routers
// apart, with some bytes of their own ("talk") or none at all, all to one server ("alike").
func BenchmarkConversations(b *testing.B) {
	for _, x := range []struct {
		name string
		n    int
		talk bool
	}{{"talk/1k", 1e3, true}, {"talk/100k", 1e5, true}, {"talk/1M", 1e6, true}, {"alike/1k", 1e3, false}, {"alike/100k", 1e5, false}} {
		b.Run(x.name, func(b *testing.B) {
			a, c := pairOf(b, x.n, x.talk)
			b.ResetTimer()
			for b.Loop() {
				b.StopTimer()
				caps := read(b, []string{a, c})
				b.StartTimer()
				r, err := match.Run(context.Background(), caps, nil)
				if err != nil {
					b.Fatal(err)
				}
				if err := match.Packets(context.Background(), r); err != nil {
					b.Fatal(err)
				}
				joined := 0
				for _, f := range r.Flows {
					if !f.Alone() {
						joined++
					}
				}
				if joined != x.n {
					b.Fatalf("%d of %d conversations joined", joined, x.n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(x.n), "ns/conversation")
		})
	}
}

// pairOf writes two captures of n conversations.
func pairOf(b *testing.B, n int, talk bool) (string, string) {
	b.Helper()
	dir := b.TempDir()
	var files [2]*bufio.Writer
	var names [2]string
	for k := range files {
		names[k] = filepath.Join(dir, fmt.Sprintf("%c.pcap", 'a'+k))
		f, err := os.Create(names[k])
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		files[k] = bufio.NewWriterSize(f, 1<<20)
		head := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
		head = append(head, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
		if _, err := files[k].Write(head); err != nil {
			b.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(7, uint64(n)))
	for i := range n {
		x, y := r.Uint32(), r.Uint32()
		at := int64(i) * 50_000
		segment := func(back bool, seq, ack uint32, flags byte, payload []byte) {
			id := uint16(r.Uint32())
			for k, w := range files {
				src := [6]byte{10, byte(i >> 16), byte(i >> 8), byte(i), byte(i >> 8), byte(i) | 1}
				if k == 1 { // behind the NAT: 250 addresses, ports of its own
					src = [6]byte{192, 0, 2, byte(i / 60000), byte((i%60000 + 1024) >> 8), byte(i%60000 + 1024)}
				}
				ttl := byte(64 - 4*k)
				if back {
					ttl = byte(60 + 4*k)
				}
				t := at + int64(k)*5_000_000
				if back {
					t = at + int64(1-k)*5_000_000
				}
				writeSegment(w, t, src, back, ttl, id, seq, ack, flags, payload)
			}
			at += 12_000_000
		}
		segment(false, x, 0, 2, nil)
		segment(true, y, x+1, 18, nil)
		segment(false, x+1, y+1, 16, nil)
		if talk {
			own := binary.BigEndian.AppendUint64([]byte("a message of its own: "), r.Uint64())
			segment(false, x+1, y+1, 24, own)
			segment(true, y+1, x+1+uint32(len(own)), 24, own[8:])
		}
	}
	for _, w := range files {
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
	}
	return names[0], names[1]
}

// writeSegment writes one frame; server 198.51.100.1:443.
func writeSegment(w *bufio.Writer, t int64, client [6]byte, back bool, ttl byte, id uint16, seq, ack uint32, flags byte, payload []byte) {
	be, le := binary.BigEndian, binary.LittleEndian
	size := 54 + len(payload)
	f := le.AppendUint32(nil, uint32(1_700_000_000+t/1e9))
	f = le.AppendUint32(f, uint32(t%1e9/1000))
	f = le.AppendUint32(le.AppendUint32(f, uint32(size)), uint32(size))
	f = append(f, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0)
	f = be.AppendUint16(f, uint16(size-14))
	f = be.AppendUint16(f, id)
	f = append(f, 0x40, 0, ttl, 6, 0, 0)
	server := [6]byte{198, 51, 100, 1, 443 >> 8, 443 & 0xff}
	src, dst := client, server
	if back {
		src, dst = server, client
	}
	f = append(append(f, src[:4]...), dst[:4]...)
	f = append(append(f, src[4:]...), dst[4:]...)
	f = be.AppendUint32(be.AppendUint32(f, seq), ack)
	f = append(f, 0x50, flags, 0xfa, 0xf0, 0, 0, 0, 0)
	_, _ = w.Write(append(f, payload...)) // Flush tells
}
