package capture_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

func gzipped(t *testing.T, parts ...[]byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	for _, part := range parts {
		z := gzip.NewWriter(&buf)
		if _, err := z.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

// TestGzipMembers: pieces compressed one by one and joined (RFC 1952 §2.2) are one capture.
func TestGzipMembers(t *testing.T) {
	plain := variants[0].bytes(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, gzipped(t, plain[:100], nil, plain[100:]), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := ours(t, file)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := tshark(t, file)
	if len(want) != 5 {
		t.Fatalf("tshark reads %d frames", len(want))
	}
	compare(t, file, got, want)
}

// TestGzipBroken: what was decompressed in front of the broken place is used, and the place is told.
func TestGzipBroken(t *testing.T) {
	plain := variants[0].bytes(t)
	checksum := gzipped(t, plain)
	checksum[len(checksum)-8] ^= 1
	for _, c := range []struct {
		name   string
		data   []byte
		frames int
		want   string
	}{
		{"checksum", checksum, 5, "x: can't be read on inside frame 6 (byte 324 when decompressed: gzip: invalid checksum); frames 1-5 are used; copy the file again for the rest"},
		{"second-member", append(gzipped(t, plain[:200]), 0x1f, 0x8b, 8, 0, 0, 0), 2, "x: ends inside frame 3 (byte 200 when decompressed); frames 1-2 are used; copy the file again for the rest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readAll(c.data)
			if len(got) != c.frames || err == nil || err.Error() != c.want {
				t.Errorf("%d frames, want %d\n got %v\nwant %s", len(got), c.frames, err, c.want)
			}
		})
	}
}

// allocated measures what f allocates, in bytes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestBomb: 64 MiB out of 64 KiB pass through in constant memory.
func TestBomb(t *testing.T) {
	for _, pack := range []string{"gzip", "zstd", "lz4"} {
		data := pcapng(t, capturetest.Options{Compress: pack}, func(w *capturetest.Writer) {
			w.Block(0x80000001, make([]byte, 64<<20))
			frames(w)
		})
		n := allocated(func() {
			if got, err := readAll(data); len(got) != 5 || err != nil {
				t.Errorf("%s: %d frames, %v", pack, len(got), err)
			}
		})
		if n > 24<<20 {
			t.Errorf("%s: %d bytes allocated", pack, n)
		}
	}
}

// TestClaimAllocatesNothing: a length that a record claims costs memory only once its bytes are there.
func TestClaimAllocatesNothing(t *testing.T) {
	const usb = 249 // frames of this link type may be large
	var buf bytes.Buffer
	w := capturetest.NewWriter(&buf, capturetest.Options{Interface: capturetest.Interface{Link: usb}})
	w.Raw(le32(1, 1, 128<<20, 128<<20, 0))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	n := allocated(func() {
		var cut *capture.TruncatedError
		if _, err := readAll(buf.Bytes()); !errors.As(err, &cut) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
	})
	if n > 2<<20 {
		t.Errorf("%d bytes allocated", n)
	}
}

// TestLargeFrame: a frame larger than the buffer is read whole.
func TestLargeFrame(t *testing.T) {
	const usb = 249
	want := bytes.Repeat([]byte("0123456789abcdef"), 5<<16)
	data := pcapng(t, capturetest.Options{Interface: capturetest.Interface{Link: usb}}, func(w *capturetest.Writer) {
		frames(w)
		w.Frame(capturetest.Frame{Time: start, Data: want})
		frames(w)
	})
	r, err := capture.OpenReader("x", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var p capture.Packet
	for range 6 {
		if err := r.Next(&p); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(p.Data, want) {
		t.Errorf("%d bytes, want %d", len(p.Data), len(want))
	}
	for range 5 {
		if err := r.Next(&p); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Next(&p); err != io.EOF {
		t.Error(err)
	}
}
