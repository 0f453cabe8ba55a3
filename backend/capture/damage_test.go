package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// readAll reads what data hold, and the error that ended it (nil: a clean end). Frames come with their bytes.
func readAll(data []byte) (lines []string, err error) {
	r, err := capture.OpenReader("x", bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var p capture.Packet
	for {
		if err := r.Next(&p); err == io.EOF {
			return lines, nil
		} else if err != nil {
			if again := r.Next(&p); again != err {
				return lines, fmt.Errorf("after %w, Next says %v", err, again)
			}
			return lines, err
		}
		lines = append(lines, fmt.Sprintf("%s %x", line(&p), p.Data))
	}
}

// TestCutAnywhere cuts every variant behind each of its bytes: what is left must be the first frames, and the cut told.
func TestCutAnywhere(t *testing.T) {
	for _, v := range variants {
		data := v.bytes(t)
		if len(data) > 1<<14 {
			continue
		}
		t.Run(v.name, func(t *testing.T) {
			whole, err := readAll(data)
			if err != nil {
				t.Fatal(err)
			}
			clean, step := 0, 1
			if testing.Short() {
				step = 7
			}
			for n := 0; n < len(data); n += step {
				got, err := readAll(data[:n])
				if len(got) > len(whole) || strings.Join(got, "\n") != strings.Join(whole[:len(got)], "\n") {
					t.Fatalf("%d of %d bytes: frames differ", n, len(data))
				}
				var cut *capture.TruncatedError
				switch {
				case err == nil:
					clean++ // between two records
				case errors.As(err, &cut):
					if int(cut.Usable) < len(got) || v.opts.Compress == "" && cut.Offset != int64(n) {
						t.Fatalf("%d of %d bytes, %d frames: %v (offset %d)", n, len(data), len(got), err, cut.Offset)
					}
				case len(got) > 0 || !errors.Is(err, capture.ErrNotCapture) && !errors.Is(err, capture.ErrEmpty):
					t.Fatalf("%d of %d bytes: %v", n, len(data), err)
				}
			}
			if records := len(whole) + 12; clean > records {
				t.Errorf("%d cuts of %d bytes went unnoticed, but there are no more than %d records", clean, len(data), records)
			}
		})
	}
}

func le32(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

func TestDamage(t *testing.T) {
	five := "; frames 1-5 are used; copy the file again for the rest"
	ngOpts := capturetest.Options{Format: ng}
	for _, c := range []struct {
		name string
		opts capturetest.Options
		tail func(*capturetest.Writer)
		want string
	}{
		{"pcap-length", capturetest.Options{}, func(w *capturetest.Writer) { w.Raw(le32(1, 1, 0x7fffffff, 60)) },
			"x: is damaged at frame 6 (byte 324: it claims 2147483647 bytes)" + five},
		{"pcap-zeros", capturetest.Options{}, func(w *capturetest.Writer) { w.Raw(make([]byte, 4096)) },
			"x: is damaged at frame 6 (byte 324: only zeros)" + five},
		{"pcap-cut", capturetest.Options{}, func(w *capturetest.Writer) { w.Raw(le32(1, 1, 60, 60, 0)) },
			"x: ends inside frame 6 (byte 344)" + five},
		{"pcap-cut-gzip", capturetest.Options{Compress: "gzip"}, func(w *capturetest.Writer) { w.Raw(le32(1, 1, 60, 60, 0)) },
			"x: ends inside frame 6 (byte 344 when decompressed)" + five},
		{"pcapng-zero-length", ngOpts, func(w *capturetest.Writer) { w.Raw(le32(0x55, 0, 0)) },
			"x: is damaged behind frame 5 (byte 440: a block of 0 bytes)" + five},
		{"pcapng-zero-length-frame", ngOpts, func(w *capturetest.Writer) { w.Raw(le32(6, 0, 0)) },
			"x: is damaged at frame 6 (byte 440: a block of 0 bytes)" + five},
		{"pcapng-zeros", ngOpts, func(w *capturetest.Writer) { w.Raw(make([]byte, 4096)) },
			"x: is damaged behind frame 5 (byte 440: a block of 0 bytes)" + five},
		{"pcapng-huge-frame", ngOpts, func(w *capturetest.Writer) { w.Raw(le32(6, 0xfffffffc, 0)) },
			"x: is damaged at frame 6 (byte 440: a block of 4294967292 bytes)" + five},
		{"pcapng-huge-other", ngOpts, func(w *capturetest.Writer) { w.Raw(le32(0x55, 0xfffffffc, 0)) },
			"x: ends inside a block behind frame 5 (byte 452)" + five},
		{"pcapng-lengths-differ", ngOpts, func(w *capturetest.Writer) { w.Raw(le32(0x55, 16, 0, 20)) },
			"x: is damaged behind frame 5 (byte 452: a block's two lengths differ: 16 and 20)" + five},
		{"pcapng-no-interface", ngOpts, func(w *capturetest.Writer) { w.Frame(capturetest.Frame{Interface: 1}) },
			"x: is damaged at frame 6 (byte 440: interface 1 is not described)" + five},
		{"pcapng-interface-of-old-section", ngOpts, func(w *capturetest.Writer) { w.Section(true); w.Frame(capturetest.Frame{}) },
			"x: is damaged at frame 6 (byte 468: interface 0 is not described)" + five},
		{"pcapng-section-order", ngOpts, func(w *capturetest.Writer) { w.Block(capturetest.SectionBlock, make([]byte, 16)) },
			"x: is damaged behind frame 5 (byte 440: a section without byte order)" + five},
		{"pcapng-frame-length", ngOpts, func(w *capturetest.Writer) { w.Block(6, append(le32(0, 0, 0, 61, 61), make([]byte, 60)...)) },
			"x: is damaged at frame 6 (byte 440: it claims 61 bytes)" + five},
		{"pcapng-frame-options", ngOpts, func(w *capturetest.Writer) { w.Block(6, append(le32(0, 0, 0, 0, 0), 1, 0, 200, 0, 1, 2, 3, 4)) },
			"x: is damaged at frame 6 (byte 440: its options can't be read)" + five},
		{"pcapng-resolution", ngOpts, func(w *capturetest.Writer) { w.Block(1, append(le32(1, 0), 9, 0, 2, 0, 9, 9, 0, 0)) },
			"x: is damaged behind frame 5 (byte 440: the options of interface 1 can't be read)" + five},
	} {
		t.Run(c.name, func(t *testing.T) {
			var buf bytes.Buffer
			w := capturetest.NewWriter(&buf, c.opts)
			frames(w)
			c.tail(w)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			got, err := readAll(buf.Bytes())
			if len(got) != 5 || err == nil || err.Error() != c.want {
				t.Errorf("%d frames\n got %v\nwant %s", len(got), err, c.want)
			}
		})
	}
}

func TestOpenFails(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		name, path string
		is         error
		want       string
	}{
		{"missing", filepath.Join(dir, "nowhere.pcap"), os.ErrNotExist, "there is no such file; check the name and the folder"},
		{"folder", dir, capture.ErrNotCapture, "is a folder; name the capture files in it"},
		{"empty", write("empty.pcap", ""), capture.ErrEmpty, "is empty (0 bytes); record or copy it again"},
		{"text", write("notes.txt", "hello, world"), capture.ErrNotCapture,
			`is not a capture (it begins with "hello, w"); name a pcap or pcapng file, plain or compressed with gzip, zstd or lz4`},
		{"short", write("short", "\xd4\xc3"), capture.ErrNotCapture,
			`is not a capture (it begins with "\xd4\xc3"); name a pcap or pcapng file, plain or compressed with gzip, zstd or lz4`},
		{"section-only-in-name", write("a.pcapng", "\x0a\x0d\x0d\x0a\x1c\x00\x00\x00ABCD"), capture.ErrNotCapture,
			`is not a capture (it begins with "\n\r\r\n\x1c\x00\x00\x00"); name a pcap or pcapng file, plain or compressed with gzip, zstd or lz4`},
		{"zip", write("a.zip", "PK\x03\x04...."), capture.ErrNotCapture, "is a zip archive; unpack it first"},
		{"netmon", write("a.cap", "GMBU\x00\x02"), capture.ErrNotCapture, "is a Microsoft Network Monitor file; convert it: editcap -F pcapng FILE FILE.pcapng"},
		{"version", write("v9", string(le32(0xa1b2c3d4, 9, 0, 0, 65535, 1))), capture.ErrNotCapture, "has the header of pcap version 9.0, which no recorder writes; copy it again"},
		{"link-type", write("link", string(le32(0xa1b2c3d4, 2|4<<16, 0, 0, 65535, 0x10001))), capture.ErrNotCapture,
			"has a pcap header with link type 0x10001, which does not exist; copy it again"},
		{"header-cut", write("cut.pcap", "\xd4\xc3\xb2\xa1\x02\x00"), io.ErrUnexpectedEOF,
			"ends inside its header (byte 6); no frame is usable; copy the file again for the rest"},
		{"gzip-of-nothing", write("a.gz", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"), capture.ErrEmpty,
			"is empty when decompressed (gzip); record or copy it again"},
		{"gzip-broken", write("b.gz", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xff\xff\xff\xff\xff"), capture.ErrNotCapture,
			"can't be decompressed (gzip: flate: corrupt input before offset 1); copy it again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := capture.Open(c.path)
			if err == nil {
				r.Close()
				t.Fatal("opened")
			}
			if !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
			if want := c.path + ": " + c.want; err.Error() != want {
				t.Errorf("\n got %v\nwant %s", err, want)
			}
		})
	}
}
