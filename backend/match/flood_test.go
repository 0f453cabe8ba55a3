package match_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/corr-dev/corr/backend/match"
)

// Conversations that are one SYN each, without identification, timestamps or an answer: all are joined, whether a NAT lies
// between or not; SYNs of other numbers at other times are not.
func TestFlood(t *testing.T) {
	const n = 20_000
	write := func(seed uint64, nat bool, at int64) string {
		name := filepath.Join(t.TempDir(), "flood.pcap")
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		w := bufio.NewWriter(f)
		head := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
		_, _ = w.Write(append(head, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)) // Flush tells
		r := rand.New(rand.NewPCG(seed, 1))
		for i := range n {
			src := [6]byte{10, byte(i >> 16), byte(i >> 8), byte(i), byte(i >> 8), byte(i) | 1}
			if nat {
				src = [6]byte{192, 0, 2, 1, byte((i + 1024) >> 8), byte(i + 1024)}
			}
			writeSegment(w, at+int64(i)*50_000, src, false, 60, 0, r.Uint32(), 0, 2, nil)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		return name
	}
	a := write(1, false, 0)
	for _, x := range []struct {
		name string
		b    string
		want int
	}{{"routers", write(1, false, 5e6), n}, {"nat", write(1, true, 5e6), n}, {"other numbers, same addresses", write(2, false, 5e6), 0}, {"other numbers behind a NAT", write(2, true, 5e6), 0}} {
		r, err := match.Run(context.Background(), read(t, []string{a, x.b}), nil)
		if err != nil {
			t.Fatal(err)
		}
		joined := 0
		for _, f := range r.Flows {
			if !f.Alone() {
				joined++
			}
		}
		if joined != x.want {
			t.Errorf("%s: %d of %d conversations are joined", x.name, joined, x.want)
		}
	}
}
