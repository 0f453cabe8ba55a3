//go:build corpus

package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// What one pair of captures may take: all of them are small.
const (
	patience = 10 * time.Second
	room     = 512 << 20 // bytes at the peak
)

// peak is the most memory that the process has held, in bytes, since it was last asked.
func peak(t *testing.T) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	var kB int64
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
	return kB << 10
}

// TestCorpus correlates each capture that others test their parsers with, many of them broken on purpose, with the next
// one: no crash, no hang, and nothing joined where the two share no bytes.
func TestCorpus(t *testing.T) {
	files := capturetest.Corpus(t)
	pairs, joined, refused, slowest, largest := 0, 0, 0, time.Duration(0), int64(0)
	peak(t)
	for i, a := range files {
		b := files[(i+1)%len(files)]
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		from := time.Now()
		_, err := Correlate(ctx, Options{Out: filepath.Join(t.TempDir(), "out"), Inputs: []Input{{Path: a}, {Path: b}}})
		took := time.Since(from)
		cancel()
		slowest = max(slowest, took)
		if held := peak(t); held > room {
			t.Errorf("%s and %s hold %d MB", a, b, held>>20)
		} else {
			largest = max(largest, held)
		}
		pairs++
		var said *Error
		switch {
		case took > patience:
			t.Errorf("%s and %s take %v", a, b, took)
		case err == nil:
			joined++
			if relatives[filepath.Base(a)] == "" && !shareBytes(t, a, b) {
				t.Errorf("%s and %s are joined and have nothing in common", filepath.Base(a), filepath.Base(b))
			}
		case errors.As(err, &said):
			refused++
		default:
			t.Errorf("%s and %s: %v", a, b, err)
		}
	}
	t.Logf("%d pairs, %d share traffic, %d refused with a reason; the slowest took %v, the largest %d MB", pairs, joined, refused, slowest.Round(time.Millisecond), largest>>20)
}

// relatives are captures whose next one was made from the same frame by changing its end: joining them is right.
var relatives = map[string]string{
	"tcpdump-4.99.3_tests_bgp-bgp_capabilities_print-oobr-1.pcap": "its sibling's header, byte for byte",
	"tcpdump-4.99.3_tests_of10_7050sx_bsn-oobr.pcap":              "a frame of its sibling, cut",
}

// shareBytes reports whether two captures hold frames that end in the same 16 bytes.
func shareBytes(t *testing.T, a, b string) bool {
	tails := map[string]bool{}
	for k, file := range []string{a, b} {
		r, err := capture.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var p capture.Packet
		for r.Next(&p) == nil {
			n := len(p.Data)
			if n < 16 {
				continue
			}
			tail := string(p.Data[n-16:])
			if k == 1 && tails[tail] {
				return true
			}
			if k == 0 {
				tails[tail] = true
			}
		}
	}
	return false
}
