package flow

import (
	"bytes"
	"testing"
)

// What a store holds is what memory would hold, whenever its pages are given back.
func TestStore(t *testing.T) {
	file := tcpFrames(t, 9*stretchMost+5)
	plain := build(t, file, Options{PayloadBudget: DefaultPayloadBudget})
	s, err := NewStore(t.TempDir(), 1) // always too large
	if err != nil {
		t.Fatal(err)
	}
	c := build(t, file, Options{PayloadBudget: DefaultPayloadBudget, Store: s})
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	for i := range uint32(plain.Len()) {
		if i%1000 == 0 {
			s.giveBack()
		}
		x, _ := plain.Payload(i)
		y, _ := c.Payload(i)
		if *c.At(i) != *plain.At(i) || c.Frame(i) != plain.Frame(i) || !bytes.Equal(x, y) {
			t.Fatalf("place %d: %+v of frame %d in the store, %+v of frame %d in memory", i, *c.At(i), c.Frame(i), *plain.At(i), plain.Frame(i))
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A store without room says so; what it could not hold lies in memory.
func TestStoreWithoutRoom(t *testing.T) {
	s, err := NewStore(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if b := Column[byte](s, 1<<20); s.Err() != nil || len(b) != 1<<20 {
		t.Fatalf("%d bytes, %v", len(b), s.Err())
	}
	if err := s.file.f.Close(); err != nil { // as good as a full disk
		t.Fatal(err)
	}
	b := Column[byte](s, 1<<20)
	b[len(b)-1] = 1
	if s.Err() == nil {
		t.Error("no error")
	}
}

// Where a program holds more than it may without any page, some pages are left to it all the same.
func TestStoreOfLarge(t *testing.T) {
	const most = 1 << 20 // any program is larger
	s, err := NewStore(t.TempDir(), most)
	if err != nil {
		t.Fatal(err)
	}
	if holds, full := s.giveBack(), s.full.Load(); holds < most || full < holds {
		t.Errorf("it holds %d bytes without pages, and gives them back from %d on", holds, full)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
