package capture_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// Payloads: mixed is common traffic, 283 bytes a frame with its record header; acks are 54-byte frames. Reading mixed
// is bound by the kernel's copy of the bytes alone (about 7 GB/s).
var (
	mixed = []int{12, 1000, 12, 12, 400, 80}
	acks  = []int{12}
)

func BenchmarkReadPcap(b *testing.B)       { benchmark(b, capturetest.Options{}, mixed) }
func BenchmarkReadPcapAcks(b *testing.B)   { benchmark(b, capturetest.Options{}, acks) }
func BenchmarkReadPcapng(b *testing.B)     { benchmark(b, capturetest.Options{Format: ng}, mixed) }
func BenchmarkReadPcapngAcks(b *testing.B) { benchmark(b, capturetest.Options{Format: ng}, acks) }
func BenchmarkReadGzip(b *testing.B)       { benchmark(b, capturetest.Options{Compress: "gzip"}, mixed) }
func BenchmarkReadZstd(b *testing.B)       { benchmark(b, capturetest.Options{Compress: "zstd"}, mixed) }
func BenchmarkReadLZ4(b *testing.B)        { benchmark(b, capturetest.Options{Compress: "lz4"}, mixed) }

// benchmark reads a file of frames with payloads of these sizes; one operation is one frame.
func benchmark(b *testing.B, o capturetest.Options, sizes []int) {
	const count = 100_000
	var buf bytes.Buffer
	w := capturetest.NewWriter(&buf, o)
	wire := 0
	for i := range count {
		data := datagram(sizes[i%len(sizes)])
		wire += len(data)
		w.Frame(capturetest.Frame{Time: start + capture.LocalTime(i)*1000, Data: data})
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "file")
	if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
	buf = bytes.Buffer{}
	b.SetBytes(int64(wire / count))
	b.ReportAllocs()
	b.ResetTimer()
	var p capture.Packet
	for n := 0; n < b.N; {
		r, err := capture.Open(file)
		if err != nil {
			b.Fatal(err)
		}
		for err = r.Next(&p); err == nil && n < b.N; err = r.Next(&p) {
			n++
		}
		r.Close()
		if err != nil && err != io.EOF {
			b.Fatal(err)
		}
	}
}
