package pipeline

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// The result is the same whether all of it lies in memory, or only what --memory leaves room for; and nothing is left in
// the temporary folder.
func TestMemoryChangesNothing(t *testing.T) {
	dir, temp := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	var inputs []Input
	for point := range 2 {
		path := filepath.Join(dir, []string{"a.pcap", "b.pcap"}[point])
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w := capturetest.NewWriter(f, capturetest.Options{Interface: capturetest.Interface{Link: capture.LinkEthernet}})
		for i := range 60_000 {
			b := make([]byte, 14+20+20+20)
			binary.BigEndian.PutUint16(b[12:], 0x0800)
			ip, tcp := b[14:], b[34:]
			id := i % 37
			copy(ip, []byte{0x45, 0, 0, 60, byte(i >> 8), byte(i), 0x40, 0, byte(64 - point), 6, 0, 0, 10, 0, 0, byte(id), 10, 1, 0, 1})
			binary.BigEndian.PutUint16(tcp, uint16(1024+id))
			binary.BigEndian.PutUint16(tcp[2:], 80)
			binary.BigEndian.PutUint32(tcp[4:], uint32(id)<<24+uint32(i/37*20))
			tcp[12], tcp[13] = 5<<4, 0x18
			binary.BigEndian.PutUint64(b[54:], uint64(i)*0x9E3779B97F4A7C15)
			if point == 1 && i%1000 == 7 {
				continue // lost
			}
			w.Frame(capturetest.Frame{Time: capture.LocalTime(1e18) + capture.LocalTime(i*100_000+point*5_000_000), Data: b})
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, Input{Path: path})
	}
	var want []byte
	for _, memory := range []int64{0, 32 << 20} {
		out := filepath.Join(dir, "out")
		if _, err := Correlate(context.Background(), Options{Inputs: inputs, Out: out, Memory: memory}); err != nil {
			t.Fatal(err)
		}
		var got []byte
		for _, f := range []string{"corr.ann", "correlation.json", "report.html"} {
			b, err := os.ReadFile(filepath.Join(out, f))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, b...)
		}
		if memory == 0 {
			want = got
		} else if !bytes.Equal(got, want) {
			t.Error("another result with --memory")
		}
	}
	if l, err := os.ReadDir(temp); err != nil || len(l) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", l, err)
	}
}

// More conversations than memory can hold are refused before the system ends the process without a word.
func TestRoom(t *testing.T) {
	for _, x := range []struct {
		conversations int
		free          int64
		refused       bool
	}{{1000, 1 << 30, false}, {20_000_000, 14 << 30, true}, {20_000_000, 0, false}, {0, 1, false}} {
		if err := roomFor(x.conversations, x.free); (err != nil) != x.refused {
			t.Errorf("%d conversations in %d bytes: %v", x.conversations, x.free, err)
		}
	}
	if free := available(); runtime.GOOS == "linux" && free < 1<<20 {
		t.Errorf("%d bytes of memory are said to be free", free)
	}
}
