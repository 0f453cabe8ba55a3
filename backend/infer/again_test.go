package infer

import (
	"math/rand/v2"
	"testing"
)

// Segments that begin where an earlier one did are found, whatever order they come in; so are those of a stream whose numbers
// begin anew, and none that lies a whole round of numbers back.
func TestStarts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var s starts
	latest := map[uint32]uint32{}
	next := uint32(0xffff0000)
	for i := range uint32(20000) {
		seq := next
		switch r.IntN(8) {
		case 0: // again, or one that was overtaken
			seq = next - uint32(r.IntN(20000))
		default:
			next += uint32(1 + r.IntN(3000))
		}
		want, again := latest[seq]
		if got, ok := s.at(seq, i); ok != again || got != want {
			t.Fatalf("segment %d at %d: got %d %v, want %d %v", i, seq, got, ok, want, again)
		}
		latest[seq] = i
	}
	for range 5 { // a round of numbers in steps that fit no window
		next += 1 << 30
		if _, again := s.at(next, 1); again {
			t.Fatalf("a segment at %d was never sent", next)
		}
	}
}
