package message_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/message"
)

// TestSniffAllocates: the hot path asks Sniff of every payload.
func TestSniffAllocates(t *testing.T) {
	for _, row := range rows {
		b := unhex(t, row.payload)
		if n := testing.AllocsPerRun(10, func() { message.Sniff(b) }); n != 0 {
			t.Errorf("%s: %v allocations", row.name, n)
		}
	}
}

// TestSniffNoise: bytes without meaning are no protocol. One in a million may pass: a header of five bytes is no more.
func TestSniffNoise(t *testing.T) {
	noise := rand.New(rand.NewPCG(1, 2))
	found := map[message.Proto]int{}
	b := make([]byte, 64)
	const payloads = 1_000_000
	for range payloads {
		for k := 0; k < len(b); k += 8 {
			v := noise.Uint64()
			for j := range 8 {
				b[k+j] = byte(v >> (8 * j))
			}
		}
		if p := message.Sniff(b); p != message.ProtoNone {
			found[p]++
		}
	}
	total := 0
	for _, n := range found {
		total += n
	}
	if total > 5 {
		t.Errorf("of %d payloads: %v", payloads, found)
	}
}

// TestSniffProse: text that is no protocol.
func TestSniffProse(t *testing.T) {
	for _, s := range []string{"Data follows.\r\n", "USER manual\r\n", "HELP\r\n", "OPTIONS are many", "250 grams of flour\r\n",
		"POST is a word\r\n", "SSH is a protocol\r\n", "200 OK\r\n", "PORT Royal\r\n", "+OK\r\n", "STAT 1\r\n", "xHTTP/1.1 200 OK"} {
		if p := message.Sniff([]byte(s)); p != message.ProtoNone {
			t.Errorf("%q: %s", s, p)
		}
	}
}

func BenchmarkSniff(b *testing.B) {
	noise := make([]byte, 1448)
	rand.NewChaCha8([32]byte{}).Read(noise)
	for _, row := range []struct {
		name string
		b    []byte
	}{
		{"middle of a stream", noise},
		{"TLS", []byte(record23)},
		{"HTTP", []byte(get)},
		{"DNS", []byte(query[2:])},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				message.Sniff(row.b)
			}
		})
	}
	b.Run("recorded", func(b *testing.B) {
		payloads := recordedPayloads(b)
		for k := 0; b.Loop(); k++ {
			message.Sniff(payloads[k%len(payloads)])
		}
	})
}

func BenchmarkName(b *testing.B) {
	payloads := recordedPayloads(b)
	b.ReportAllocs()
	for k := 0; b.Loop(); k++ {
		p := payloads[k%len(payloads)]
		message.Name(6, 40000, 443, p, len(p))
	}
}

func BenchmarkStream(b *testing.B) {
	piece := strings.Repeat(record23, 56)
	b.SetBytes(int64(len(piece)))
	b.ReportAllocs()
	s := message.NewStream(true, 443)
	for off := uint64(0); b.Loop(); off += uint64(len(piece)) {
		s.Write(off, []byte(piece))
		s.Messages()
	}
}

// recordedPayloads are those of one case with TLS.
func recordedPayloads(b *testing.B) (payloads [][]byte) {
	eachPacket(b, "../../testdata/tls-offload/a.pcap", func(_ int, p *decode.Packet) {
		if p.Reach == decode.ReachTransport && len(p.Payload) > 0 {
			payloads = append(payloads, append([]byte(nil), p.Payload...))
		}
	})
	return payloads
}
