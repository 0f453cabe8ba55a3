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

func BenchmarkReadPcap(b *testing.B)   { benchmark(b, capturetest.Options{}) }
func BenchmarkReadPcapng(b *testing.B) { benchmark(b, capturetest.Options{Format: ng}) }
func BenchmarkReadGzip(b *testing.B)   { benchmark(b, capturetest.Options{Compress: "gzip"}) }
func BenchmarkReadZstd(b *testing.B)   { benchmark(b, capturetest.Options{Compress: "zstd"}) }
func BenchmarkReadLZ4(b *testing.B)    { benchmark(b, capturetest.Options{Compress: "lz4"}) }

// benchmark reads a file of frames of common sizes; one operation is one frame.
func benchmark(b *testing.B, o capturetest.Options) {
	const count = 100_000
	var buf bytes.Buffer
	w := capturetest.NewWriter(&buf, o)
	sizes := []int{12, 1000, 12, 12, 400, 80}
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
