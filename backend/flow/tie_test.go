package flow

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// Each frame that shares time and length with one near by has the digest of its own bytes, and no other frame has one.
func TestTied(t *testing.T) {
	w, file := ethernet(t)
	type frame struct {
		at   capture.LocalTime
		data []byte
	}
	var all []frame
	at := capture.LocalTime(1e18)
	for i := range stretchMost + tiesPiece {
		step := []capture.LocalTime{0, 100_000, 0, 400, 0, 100_000, 100_000}[i*i%7]
		if i/500%3 == 1 {
			step = 100_000 // stretches of frames that are not tied
		}
		size := 60 + i%2
		if i == stretchMost { // the one before it lies in another stretch
			step, size = 0, len(all[i-1].data)
		}
		at += step
		b := make([]byte, size)
		b[12], b[13], b[20], b[21] = 0x88, 0xcc, byte(i>>8), byte(i)
		all = append(all, frame{at, b})
		w.Frame(capturetest.Frame{Time: at, Data: b})
	}
	c := build(t, file(), Options{})
	alike := func(x, y frame) bool {
		return len(x.data) == len(y.data) && y.at-x.at <= tieWithin
	}
	var want []Tie
	for i, f := range all {
		tied := slices.ContainsFunc(all[max(i-tieRecent, 0):i], func(x frame) bool { return alike(x, f) }) ||
			slices.ContainsFunc(all[i+1:min(i+1+tieRecent, len(all))], func(x frame) bool { return alike(f, x) })
		digest := uint32(0)
		if tied {
			digest = Digest(f.data)
			want = append(want, Tie{capture.FrameNo(i + 1), digest})
		}
		if got := c.Tied(c.Place(capture.FrameNo(i + 1))); got != digest {
			t.Fatalf("frame %d has %x, want %x", i+1, got, digest)
		}
	}
	if len(want) < tiesPiece || !slices.Equal(c.Ties(), want) {
		t.Errorf("%d ties, want %d", len(c.Ties()), len(want))
	}
}

// The digest is the formula that the plugin follows byte by byte.
func TestDigest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	mixed := make([]byte, digestBytes+9)
	for i := range mixed {
		mixed[i] = byte(r.Uint32())
	}
	for n := range len(mixed) + 1 {
		for _, b := range [][]byte{make([]byte, n), bytes.Repeat([]byte{0xff}, n), mixed[:n]} {
			want := uint32(1)
			for _, x := range b[:min(n, digestBytes)] {
				want = (want*31 + uint32(x)) & 0xffffff
			}
			if got := Digest(b); got != want {
				t.Fatalf("%d bytes % x: %#x, want %#x", n, b, got, want)
			}
		}
	}
}
