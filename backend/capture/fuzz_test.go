package capture_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

// FuzzPcap and FuzzPcapng read anything: no panic, an end, and no frame that the bytes can't hold.
func FuzzPcap(f *testing.F)   { fuzz(f, "pcap-") }
func FuzzPcapng(f *testing.F) { fuzz(f, "pcapng-") }

func fuzz(f *testing.F, prefix string) {
	for _, v := range variants {
		// Compressed seeds would have the fuzzer search decompressors, which have fuzzers of their own.
		if data := v.bytes(f); strings.HasPrefix(v.name+"-", prefix) && v.opts.Compress == "" && len(data) < 1<<12 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := capture.OpenReader("x", bytes.NewReader(data))
		if err != nil {
			wellFormed(t, err)
			return
		}
		defer r.Close()
		packed := strings.Contains(r.Info().Format, "(")
		var p capture.Packet
		var last capture.FrameNo
		total := 0
		for err = r.Next(&p); err == nil; err = r.Next(&p) {
			if p.Number <= last {
				t.Fatalf("frame %d follows frame %d", p.Number, last)
			}
			last = p.Number
			total += len(p.Data) + 16
			if b, _ := r.Peek(int(last % 3)); !packed && len(b) > len(data) {
				t.Fatalf("behind frame %d: %d bytes to come", p.Number, len(b))
			}
			if !packed && total > len(data) {
				t.Fatalf("frame %d: %d bytes out of %d", p.Number, total, len(data))
			}
		}
		if err != io.EOF {
			wellFormed(t, err)
		}
	})
}

// wellFormed holds errors to one line and one of two kinds.
func wellFormed(t *testing.T, err error) {
	t.Helper()
	var cut *capture.TruncatedError
	var open *capture.OpenError
	if !errors.As(err, &cut) && !errors.As(err, &open) {
		t.Fatalf("%T: %v", err, err)
	}
	if strings.ContainsAny(err.Error(), "\n\r\x00") {
		t.Fatalf("%q", err)
	}
}
