package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// drain reads a capture to its end and gives the packets, how much memory was allocated on the way, bytes, and the error that
// ended it, nil for the end of the file.
func drain(t *testing.T, data []byte) (packets int, allocated uint64, ended error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := capture.OpenReader("x", bytes.NewReader(data))
	if err != nil {
		runtime.ReadMemStats(&after)
		return 0, after.TotalAlloc - before.TotalAlloc, err
	}
	defer r.Close()
	var p capture.Packet
	for {
		if err := r.Next(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			ended = err
			break
		}
		packets++
	}
	runtime.ReadMemStats(&after)
	return packets, after.TotalAlloc - before.TotalAlloc, ended
}

func little(words ...uint32) (b []byte) {
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// What a file claims costs nothing before it has come: a packet of 4 GB, a million interfaces, a million sections.
func TestLimits(t *testing.T) {
	var pcap bytes.Buffer
	w := capturetest.NewWriter(&pcap, capturetest.Options{Interface: capturetest.Interface{Link: capture.LinkEthernet}})
	w.Frame(capturetest.Frame{Time: 1e18, Data: make([]byte, 60)})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const magic = 0x1a2b3c4d
	section := little(0x0a0d0d0a, 28, magic, 1, 0xffffffff, 0xffffffff, 28)
	iface := little(1, 20, 1, 0, 20)
	packet := append(append(little(6, 92, 0, 0, 0, 60, 60), make([]byte, 60)...), little(92)...)
	for _, x := range []struct {
		name    string
		data    []byte
		packets int
		says    string // the error, "" for none
		most    uint64 // bytes allocated
	}{
		{"a packet of 4 GB", append(pcap.Bytes(), append(little(1, 0, 0xffffffff, 0xffffffff), make([]byte, 100)...)...), 1, "frame 2", 16 << 20},
		{"a block of 4 GB", append(bytes.Clone(section), little(1, 0xfffffffc, 1)...), 0, "a block of 4294967292 bytes", 16 << 20},
		{"a million interfaces", append(append(bytes.Clone(section), bytes.Repeat(iface, 1e6)...), packet...), 0, "more than 262144 interfaces", 1 << 28},
		{"a million sections", append(append(bytes.Repeat(section, 1e6), iface...), packet...), 1, "", 1 << 28},
	} {
		t.Run(x.name, func(t *testing.T) {
			n, allocated, err := drain(t, x.data)
			if n != x.packets {
				t.Errorf("%d packets, want %d", n, x.packets)
			}
			if (err == nil) != (x.says == "") || err != nil && !strings.Contains(err.Error(), x.says) {
				t.Errorf("ended with %v, want %q", err, x.says)
			}
			if allocated > x.most {
				t.Errorf("%d MB were allocated", allocated>>20)
			}
			t.Logf("%d packets, %v, %d MB allocated", n, err, allocated>>20)
		})
	}
}

// A file that is still being written is read as far as it goes: what comes after the reader has begun may be read or not, and
// half a record at the end is named.
func TestGrowingFile(t *testing.T) {
	var whole bytes.Buffer
	w := capturetest.NewWriter(&whole, capturetest.Options{Interface: capturetest.Interface{Link: capture.LinkEthernet}})
	for i := range 5000 {
		w.Frame(capturetest.Frame{Time: capture.LocalTime(1e18 + i), Data: make([]byte, 100)})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "growing.pcap")
	b := whole.Bytes()
	half := len(b)/2 + 7 // within a record
	if err := os.WriteFile(path, b[:half], 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var p capture.Packet
	n := 0
	for ; ; n++ {
		if n == 100 {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write(b[half : len(b)-40]); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err = r.Next(&p); err != nil {
			break
		}
		if int(p.Number) != n+1 || len(p.Data) != 100 {
			t.Fatalf("frame %d has number %d and %d bytes", n+1, p.Number, len(p.Data))
		}
	}
	var cut *capture.TruncatedError
	if !errors.As(err, &cut) || n < 2400 || n >= 5000 {
		t.Errorf("%d frames, then %v", n, err)
	}
}
