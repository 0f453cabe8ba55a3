package capture_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// pcapng makes a file in memory.
func pcapng(t testing.TB, o capturetest.Options, write func(*capturetest.Writer)) []byte {
	t.Helper()
	o.Format = ng
	return variant{opts: o, write: write}.bytes(t)
}

func TestPacketOfManyInterfaces(t *testing.T) {
	data := pcapng(t, capturetest.Options{Interface: capturetest.Interface{Name: "eth0", Snaplen: 96, Filter: "tcp"}}, func(w *capturetest.Writer) {
		w.AddInterface(capturetest.Interface{Name: "any", Link: capture.LinkSLL2, Resolution: 9})
		w.Frame(capturetest.Frame{Time: start, Data: []byte{1}, Interface: 1, Direction: capture.Outbound})
		w.Section(true)
		w.AddInterface(capturetest.Interface{Name: "lo0", Null: true, Resolution: 0x94})
		w.Frame(capturetest.Frame{Time: start, Data: []byte{2, 3}, OrigLen: 9, Direction: capture.Inbound})
		w.Simple(capturetest.Frame{Data: []byte{4}})
		w.Block(capturetest.CustomBlock, []byte{0, 0, 0, 0})
		w.Frame(capturetest.Frame{Time: start, Data: []byte{5}})
		w.Secrets([]byte("one"))
		w.Secrets([]byte("two and three"))
		stats := append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 8}, 0, 0, 0, 0, 0, 0, 0, 7)
		w.Block(capturetest.StatsBlock, append(stats, 0, 5, 0, 8, 0, 0, 0, 0, 0, 0, 0, 2, 0, 7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1))
	})
	r, err := capture.OpenReader("x", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got []capture.Packet
	for {
		var p capture.Packet
		if err := r.Next(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		p.Data = bytes.Clone(p.Data)
		got = append(got, p)
	}
	sdl := capture.LinkSLL2
	want := []capture.Packet{
		{Number: 1, Time: start, HasTime: true, OrigLen: 1, Link: sdl, Direction: capture.Outbound, Interface: 1, Data: []byte{1}},
		{Number: 2, Time: start - 516, HasTime: true, OrigLen: 9, Direction: capture.Inbound, Interface: 2, Data: []byte{2, 3}},
		{Number: 3, OrigLen: 1, Interface: 2, Data: []byte{4}},
		{Number: 5, Time: start - 516, HasTime: true, OrigLen: 1, Interface: 2, Data: []byte{5}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	wantInfo := capture.Info{
		File: "x", Format: "pcapng", HasLink: true, Link: capture.LinkEthernet, Snaplen: 96, Size: -1,
		Interfaces: []capture.Interface{
			{Name: "eth0", Link: capture.LinkEthernet, Snaplen: 96, Resolution: "1 µs", Filter: "tcp"},
			{Name: "any", Link: sdl, Resolution: "1 ns"},
			{Name: "lo0", Resolution: "2^-20 s", Received: 7, HasReceived: true, Dropped: 3, HasDropped: true},
		},
	}
	if d := cmp.Diff(wantInfo, r.Info()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([][]byte{[]byte("one"), []byte("two and three")}, r.Secrets()); d != "" {
		t.Error(d)
	}
}

// TestOldLengths: files older than pcap 2.3 have both lengths the other way round, those of 2.3 may.
func TestOldLengths(t *testing.T) {
	for _, c := range []struct {
		name  string
		minor uint32
		first uint32
		then  uint32
	}{{"2.2", 2, 9, 3}, {"2.3-swapped", 3, 9, 3}, {"2.3", 3, 3, 9}, {"2.4", 4, 3, 9}} {
		t.Run(c.name, func(t *testing.T) {
			data := append(le32(0xa1b2c3d4, 2|c.minor<<16, 0, 0, 65535, 1, 100, 5, c.first, c.then), 1, 2, 3)
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, data, 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := ours(t, file)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, file, got, []string{"1\t100.000005000\t9\t3"})
			want, _ := tshark(t, file)
			compare(t, file, got, want)
		})
	}
}

// TestReaders: how the bytes arrive changes nothing.
func TestReaders(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			data := v.bytes(t)
			want, err := readAll(data)
			if err != nil {
				t.Fatal(err)
			}
			for name, wrap := range map[string]func(io.Reader) io.Reader{"halves": iotest.HalfReader, "data with error": iotest.DataErrReader} {
				r, err := capture.OpenReader("x", wrap(bytes.NewReader(data)))
				if err != nil {
					t.Fatal(name, err)
				}
				var p capture.Packet
				n := 0
				for err = r.Next(&p); err == nil; err = r.Next(&p) {
					n++
				}
				r.Close()
				if n != len(want) || err != io.EOF {
					t.Errorf("%s: %d frames of %d, %v", name, n, len(want), err)
				}
			}
		})
	}
}

// TestReadFails: an error of the disk is no end of the file.
func TestReadFails(t *testing.T) {
	broken := errors.New("input/output error")
	for _, v := range variants {
		data := v.bytes(t)
		r, err := capture.OpenReader("x", io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)))
		if err != nil {
			if !errors.Is(err, broken) {
				t.Errorf("%s: %v", v.name, err)
			}
			continue
		}
		var p capture.Packet
		for err = r.Next(&p); err == nil; err = r.Next(&p) {
		}
		r.Close()
		if !errors.Is(err, broken) {
			t.Errorf("%s: ended with %v", v.name, err)
		}
	}
}

func TestCloseEarly(t *testing.T) {
	for _, pack := range []string{"", "gzip", "zstd", "lz4"} {
		var buf bytes.Buffer
		w := capturetest.NewWriter(&buf, capturetest.Options{Compress: pack})
		for range 5000 {
			w.Frame(capturetest.Frame{Time: start, Data: datagram(1000)})
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := capture.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		if size := r.Info().Size; size != int64(buf.Len()) {
			t.Errorf("size %d, want %d", size, buf.Len())
		}
		var p capture.Packet
		if err := r.Next(&p); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := r.Next(&p); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%q: Next after Close: %v", pack, err)
		}
	}
}

// TestManyInterfaces: what a hostile file describes must not fill memory.
func TestManyInterfaces(t *testing.T) {
	data := pcapng(t, capturetest.Options{}, func(w *capturetest.Writer) {
		for range 300_000 {
			w.AddInterface(capturetest.Interface{Name: "eth0"})
		}
		frames(w)
	})
	r, err := capture.OpenReader("x", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var p capture.Packet
	var cut *capture.TruncatedError
	if err := r.Next(&p); !errors.As(err, &cut) || cut.Damage != "more than 262144 interfaces" {
		t.Error(err)
	}
	if n := len(r.Info().Interfaces); n != 1024 {
		t.Errorf("%d interfaces listed", n)
	}
}

// TestManySections: sections without end are read in constant memory.
func TestManySections(t *testing.T) {
	data := pcapng(t, capturetest.Options{}, func(w *capturetest.Writer) {
		for i := range 100_000 {
			w.Section(i%2 == 0)
			w.AddInterface(capturetest.Interface{})
		}
		w.Frame(capturetest.Frame{Time: start})
	})
	r, err := capture.OpenReader("x", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var p capture.Packet
	if err := r.Next(&p); err != nil || p.Interface != 100_000 {
		t.Errorf("interface %d, %v", p.Interface, err)
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	for _, v := range variants[:7] {
		checkAllocs(t, v.name, v.opts)
	}
	checkAllocs(t, "pcapng", capturetest.Options{Format: ng})
}

func checkAllocs(t *testing.T, name string, o capturetest.Options) {
	var buf bytes.Buffer
	w := capturetest.NewWriter(&buf, o)
	for range 2000 {
		w.Frame(capturetest.Frame{Time: start, Data: datagram(10), Direction: capture.Inbound})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := capture.OpenReader("x", &buf)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var p capture.Packet
	if n := testing.AllocsPerRun(1000, func() {
		if err := r.Next(&p); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%s: %v allocations a frame", name, n)
	}
}
