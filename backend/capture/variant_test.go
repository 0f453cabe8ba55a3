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

// start is 2026-01-02 03:04:05.678901234 UTC.
const start = capture.LocalTime(1767323045678901234)

// datagram is an Ethernet frame of IPv4 and UDP with n bytes of payload, so that tshark has something to dissect.
func datagram(n int) []byte {
	b := []byte{
		2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00, // Ethernet
		0x45, 0, byte((28 + n) >> 8), byte(28 + n), 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, // IPv4
		0x30, 0x39, 0x30, 0x3a, byte((8 + n) >> 8), byte(8 + n), 0, 0, // UDP
	}
	return append(b, bytes.Repeat([]byte{'x'}, n)...)
}

func frames(w *capturetest.Writer) {
	for i := range 5 {
		w.Frame(capturetest.Frame{Time: start + capture.LocalTime(i*1_234_567_891), Data: datagram(i)})
	}
}

type variant struct {
	name   string
	format string // Info.Format
	opts   capturetest.Options
	write  func(*capturetest.Writer) // nil: frames
	// want is what to expect where tshark errs; nil: what it says.
	want []string
}

var ng = capturetest.PcapNG

func resolution(r byte, offset int64) capturetest.Options {
	return capturetest.Options{Format: ng, Interface: capturetest.Interface{Resolution: r, Offset: offset}}
}

var variants = []variant{
	{name: "pcap", format: "pcap"},
	{name: "pcap-big", format: "pcap", opts: capturetest.Options{BigEndian: true}},
	{name: "pcap-ns", format: "nanosecond pcap", opts: capturetest.Options{Format: capturetest.NanoPcap}},
	{name: "pcap-ns-big", format: "nanosecond pcap", opts: capturetest.Options{Format: capturetest.NanoPcap, BigEndian: true}},
	{name: "pcap-modified", format: "modified pcap", opts: capturetest.Options{Format: capturetest.ModifiedPcap}},
	{name: "pcap-modified-big", format: "modified pcap", opts: capturetest.Options{Format: capturetest.ModifiedPcap, BigEndian: true}},
	{name: "pcap-snaplen", format: "pcap", opts: capturetest.Options{Interface: capturetest.Interface{Snaplen: 44}}},
	{name: "pcap-gzip", format: "pcap (gzip)", opts: capturetest.Options{Compress: "gzip"}},
	{name: "pcap-zstd", format: "pcap (zstd)", opts: capturetest.Options{Compress: "zstd"}},
	{name: "pcap-lz4", format: "pcap (lz4)", opts: capturetest.Options{Compress: "lz4"}},
	{name: "pcap-no-frame", format: "pcap", write: func(*capturetest.Writer) {}},
	{name: "pcap-late-seconds", format: "pcap", write: func(w *capturetest.Writer) {
		w.Frame(capturetest.Frame{Time: 0xfffffff0 * 1_000_000_000, Data: datagram(1)})
	}},
	{name: "pcap-empty-frame", format: "pcap", write: func(w *capturetest.Writer) {
		w.Frame(capturetest.Frame{Time: start, OrigLen: 60})
		frames(w)
	}},
	{name: "pcap-large-frame", format: "pcap", write: func(w *capturetest.Writer) {
		w.Frame(capturetest.Frame{Time: start, Data: make([]byte, 262144)})
		frames(w)
	}},
	{name: "pcap-longer-than-wire", format: "pcap", write: func(w *capturetest.Writer) {
		w.Frame(capturetest.Frame{Time: start, Data: datagram(20), OrigLen: 42})
		frames(w)
	}},

	{name: "pcapng", format: "pcapng", opts: capturetest.Options{Format: ng}},
	{name: "pcapng-big", format: "pcapng", opts: capturetest.Options{Format: ng, BigEndian: true}},
	{name: "pcapng-gzip", format: "pcapng (gzip)", opts: capturetest.Options{Format: ng, Compress: "gzip"}},
	{name: "pcapng-zstd", format: "pcapng (zstd)", opts: capturetest.Options{Format: ng, Compress: "zstd"}},
	{name: "pcapng-lz4", format: "pcapng (lz4)", opts: capturetest.Options{Format: ng, Compress: "lz4"}},
	{name: "pcapng-s", format: "pcapng", opts: resolution(0, 0)},
	{name: "pcapng-ms", format: "pcapng", opts: resolution(3, 0)},
	{name: "pcapng-ns", format: "pcapng", opts: resolution(9, 0)},
	{name: "pcapng-10ns", format: "pcapng", opts: resolution(8, 0)},
	{name: "pcapng-2^-10", format: "pcapng", opts: resolution(0x8a, 0)},
	{name: "pcapng-2^-20", format: "pcapng", opts: resolution(0x94, 0)},
	{name: "pcapng-2^-30", format: "pcapng", opts: resolution(0x9e, 0)},
	{name: "pcapng-offset", format: "pcapng", opts: resolution(6, 1767323000)},
	{name: "pcapng-offset-negative", format: "pcapng", opts: resolution(9, -3600)},
	{name: "pcapng-interfaces", format: "pcapng", opts: capturetest.Options{Format: ng}, write: func(w *capturetest.Writer) {
		w.AddInterface(capturetest.Interface{Name: "eth1", Resolution: 9, Snaplen: 44, Filter: "tcp port 443"})
		for i := range 6 {
			w.Frame(capturetest.Frame{Time: start, Data: datagram(i), Interface: i % 2})
		}
	}},
	{name: "pcapng-sections", format: "pcapng", opts: capturetest.Options{Format: ng}, write: func(w *capturetest.Writer) {
		frames(w)
		w.Section(true)
		w.AddInterface(capturetest.Interface{Resolution: 9})
		frames(w)
		w.Section(false)
		w.AddInterface(capturetest.Interface{Offset: 1000})
		w.AddInterface(capturetest.Interface{Resolution: 3})
		frames(w)
		w.Frame(capturetest.Frame{Time: start, Data: datagram(7), Interface: 1})
	}},
	{name: "pcapng-simple", format: "pcapng", opts: capturetest.Options{Format: ng, Interface: capturetest.Interface{Snaplen: 50}}, write: func(w *capturetest.Writer) {
		for i := range 12 {
			w.Simple(capturetest.Frame{Data: datagram(i)})
		}
		frames(w)
	}},
	{name: "pcapng-obsolete", format: "pcapng", opts: capturetest.Options{Format: ng}, write: func(w *capturetest.Writer) {
		for i := range 5 {
			w.Obsolete(capturetest.Frame{Time: start, Data: datagram(i), Direction: capture.Outbound})
		}
		frames(w)
	}},
	{name: "pcapng-direction", format: "pcapng", opts: capturetest.Options{Format: ng}, write: func(w *capturetest.Writer) {
		for i := range 3 {
			w.Frame(capturetest.Frame{Time: start, Data: datagram(i), Direction: capture.Direction(i)})
		}
	}},
	{name: "pcapng-other-blocks", format: "pcapng", opts: capturetest.Options{Format: ng}, write: func(w *capturetest.Writer) {
		frames(w)
		w.Block(capturetest.NameBlock, []byte{0, 0, 0, 0})
		w.Secrets([]byte("CLIENT_RANDOM 00 00\n"))
		w.Block(capturetest.StatsBlock, make([]byte, 12))
		w.Block(0x12345678, make([]byte, 1<<15))
		frames(w)
	}},
}

func (v variant) bytes(t testing.TB) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := capturetest.NewWriter(&buf, v.opts)
	if v.write == nil {
		frames(w)
	} else {
		v.write(w)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestVariantsAsTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(file, v.bytes(t), 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := ours(t, file)
			if err != nil {
				t.Fatal(err)
			}
			want, complaint := tshark(t, file)
			if v.want != nil {
				want = v.want
			} else if complaint != "" {
				t.Errorf("tshark: %s", complaint)
			}
			compare(t, file, got, want)
		})
	}
}

func TestInfo(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			data := v.bytes(t)
			r, err := capture.OpenReader("pipe", bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			info := r.Info()
			if info.Format != v.format || info.File != "pipe" || info.Size != -1 || info.Link != capture.LinkEthernet {
				t.Errorf("got %+v", info)
			}
			var p capture.Packet
			for err = r.Next(&p); err == nil; err = r.Next(&p) {
			}
			if err != io.EOF {
				t.Error(err)
			}
			if n := r.BytesRead(); n != int64(len(data)) {
				t.Errorf("%d bytes read of %d", n, len(data))
			}
		})
	}
}
