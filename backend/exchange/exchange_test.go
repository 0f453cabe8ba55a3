package exchange

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/match"
)

// talk is a request and answer of given sizes inside of TLS, times in ms.
func talk(conv int, reqAt, ansAt, req, ans int64) *Exchange {
	p := func(t, n int64) Part {
		return Part{Pieces: []Piece{{Frame: uint32(t), From: n}}, Start: capture.LocalTime(t * 1e6), End: capture.LocalTime(t * 1e6), Least: n, Most: n, Head: -1}
	}
	return &Exchange{Conv: match.Conv{ID: 0}, Index: conv, Request: p(reqAt, req), Answer: p(ansAt, ans), Answered: true, Opaque: true, Client: "10.0.0.1"}
}

// shifted is what a proxy makes of exchanges: 2 ms later, answered 2 ms earlier, by a clock that is ahead.
func shifted(front []*Exchange, ahead int64) []*Exchange {
	var out []*Exchange
	for i, f := range front {
		out = append(out, talk(i, int64(f.Request.Start)/1e6+2+ahead, int64(f.Answer.End)/1e6-2+ahead, f.Request.Most+60, f.Answer.Most-30))
	}
	return out
}

func TestOffsetIsFound(t *testing.T) {
	var front []*Exchange
	for i := int64(0); i < 12; i++ {
		front = append(front, talk(int(i), 100*i+i*i*7, 100*i+i*i*7+20+i, 200, 3000+i*5000))
	}
	const ahead = 3_600_000 // an hour, ms
	back := shifted(front, ahead)
	ns := fitting(front, back)
	lo, hi, _, ok := offset(ns, front, back)
	if !ok || lo > ahead*1e6 || hi < ahead*1e6-4e6 || hi-lo > 10e6 {
		t.Fatalf("offset between %d and %d, %v", lo, hi, ok)
	}
	claims, _ := assign(front, back, ns, marked(front, back), lo, hi)
	if len(claims) != len(front) {
		t.Fatalf("%d of %d claimed", len(claims), len(front))
	}
	for _, c := range claims {
		if c.Front.Index != c.Back.Index {
			t.Errorf("%d is claimed to be %d", c.Back.Index, c.Front.Index)
		}
	}
}

// Sizes that never agree, or too few exchanges, tell nothing.
func TestOffsetIsNotMadeUp(t *testing.T) {
	var front, other []*Exchange
	for i := int64(0); i < 20; i++ {
		front = append(front, talk(int(i), 977*i, 977*i+15, 200, 20000))
		other = append(other, talk(int(i), 1231*i+i*i*31, 1231*i+i*i*31+9, 200, 20000))
	}
	if lo, hi, _, ok := offset(fitting(front, other), front, other); ok {
		t.Errorf("an offset of %d to %d between strangers", lo, hi)
	}
	if _, _, _, ok := offset(fitting(front[:2], front[:2]), front[:2], front[:2]); ok {
		t.Error("an offset from two exchanges")
	}
}

// Two that fit each other equally, with nothing learnt from others, are left open.
func TestAlike(t *testing.T) {
	front := []*Exchange{talk(0, 0, 50, 200, 900), talk(1, 1, 52, 200, 900)}
	back := []*Exchange{talk(0, 5, 40, 200, 900), talk(1, 6, 41, 200, 900)}
	if cs := claimsOf(front, back); len(cs) != 0 {
		t.Errorf("claimed although nothing tells them apart: %+v", cs)
	}
}

// fitting lists the pairs that fit at any offset.
func fitting(front, back []*Exchange) []nesting {
	ns, _ := nestings(front, back, false, marked(front, back), -anyOffset, anyOffset)
	return ns
}

// What a header of a request behind names is that one in front, though the proxy asks for something else.
func TestNamedByHeader(t *testing.T) {
	var front []*Exchange
	for i := int64(0); i < 12; i++ {
		e := talk(int(i), 100*i+i*i*7, 100*i+i*i*7+20+i, 200, 3000+i*5000)
		e.Name, e.Fields = fmt.Sprintf("GET /shop/%d", i), []uint64{uint64(i) + 77}
		front = append(front, e)
	}
	back := shifted(front, 0)
	for i, e := range back {
		e.Name, e.Fields = "GET /internal/page", []uint64{uint64(i) + 77}
	}
	for _, c := range claimsOf(front, back) {
		if c.Front.Index != c.Back.Index {
			t.Errorf("%d is claimed to be %d", c.Back.Index, c.Front.Index)
		}
	}
	if n := len(claimsOf(front, back)); n != len(front) {
		t.Errorf("%d of %d claimed", n, len(front))
	}
}

// Where a crowd asks for the same, what few ask for tells the offset, and then the crowd is told apart by it.
func TestCrowd(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: nothing here runs at once")
	}
	const ahead = 3_600_000 // an hour, ms
	var front []*Exchange
	for i := int64(0); i < 2500; i++ {
		e := talk(int(i), 100*i, 100*i+20+i%7, 200, 3000)
		e.Name = "GET /health"
		if i%100 == 0 {
			e.Name = fmt.Sprintf("GET /report/%d", i)
		}
		front = append(front, e)
	}
	back := shifted(front, ahead)
	for i := range back {
		back[i].Name = front[i].Name
	}
	if _, many := nestings(front, back, false, marked(front, back), -anyOffset, anyOffset); !many {
		t.Fatal("it is no crowd")
	}
	some, others := rare(front, back)
	if len(some) != 25 || len(others) != 25 {
		t.Fatalf("%d and %d are rare", len(some), len(others))
	}
	lo, hi, _, ok := offset(fitting(some, others), some, others)
	if !ok || lo > ahead*1e6 || hi < ahead*1e6-4e6 {
		t.Fatalf("offset between %d and %d, %v", lo, hi, ok)
	}
	ns, many := nestings(front, back, false, marked(front, back), lo, hi)
	claims, _ := assign(front, back, ns, marked(front, back), lo, hi)
	if many || len(claims) != len(front) {
		t.Fatalf("%d of %d claimed", len(claims), len(front))
	}
	for _, c := range claims {
		if c.Front.Index != c.Back.Index {
			t.Errorf("%d is claimed to be %d", c.Back.Index, c.Front.Index)
		}
	}
}

// claimsOf assigns at an offset of zero.
func claimsOf(front, back []*Exchange) []Claim {
	mark := marked(front, back)
	cs, _ := assign(front, back, fitting(front, back), mark, 0, 0)
	return cs
}

// Equal-looking exchanges that overlap are told apart by what the proxy usually takes, learnt from those that are sure.
func TestTimeTellsAlikeApart(t *testing.T) {
	var front, back []*Exchange
	add := func(at, takes int64) {
		i := len(front)
		front = append(front, talk(i, at, at+takes, 200, 900))
		back = append(back, talk(i, at+2+int64(i%2), at+takes-3, 200, 900))
	}
	for i := int64(0); i < 20; i++ {
		add(1000*i, 40) // alone
	}
	for i := int64(0); i < 6; i++ {
		add(50_000+3*i, 120) // at once
	}
	cs := claimsOf(front, back)
	if len(cs) != len(front) {
		t.Errorf("%d of %d claimed", len(cs), len(front))
	}
	for _, c := range cs {
		if c.Front.Index != c.Back.Index {
			t.Errorf("%d is claimed to be %d at %d %%", c.Back.Index, c.Front.Index, c.Confidence)
		}
		if c.Front.Index > 20 && c.Confidence >= 90 {
			t.Errorf("%d is sure at %d %% by time alone", c.Front.Index, c.Confidence)
		}
	}
}

// Header fields that one front exchange alone says tie it, whatever the times; what many say does not.
func TestMarked(t *testing.T) {
	front := []*Exchange{talk(0, 0, 50, 200, 900), talk(1, 0, 50, 200, 900), talk(2, 0, 50, 200, 900)}
	back := []*Exchange{talk(1, 5, 40, 200, 900), talk(0, 5, 40, 200, 900), talk(2, 5, 40, 200, 900)}
	front[0].Fields, front[1].Fields, front[2].Fields = []uint64{7, 100}, []uint64{7, 101}, []uint64{7}
	back[0].Fields, back[1].Fields, back[2].Fields = []uint64{7, 101, 500}, []uint64{7, 100, 500}, []uint64{7, 100, 101}
	if m := marked(front, back); m[0] != 1 || m[1] != 0 || m[2] != -1 {
		t.Errorf("marked %v, want [1 0 -1]: the last contradicts itself", m)
	}
	back[2].Fields = nil
	for _, c := range claimsOf(front, back) {
		if c.Front.Index != c.Back.Index {
			t.Errorf("%d is claimed to be %d", c.Back.Index, c.Front.Index)
		}
		if c.Confidence < 90 {
			t.Errorf("%d at %d %% only", c.Front.Index, c.Confidence)
		}
	}
}

func TestSameRequest(t *testing.T) {
	for _, x := range []struct {
		a, b string
		want bool
	}{{"GET /a", "GET /a", true}, {"GET /api/a", "GET /a", true}, {"GET /a", "POST /a", false}, {"GET /a", "GET /b", false}} {
		if got := sameRequest(x.a, x.b); got != x.want {
			t.Errorf("%q and %q: %v", x.a, x.b, got)
		}
	}
}

// The frames of a large body are paired without a comparison of each with all: if not, this does not end.
func TestLargeBody(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: nothing here runs at once")
	}
	const frames, size = 400_000, 1000
	part := func(first uint32) Part {
		p := Part{Least: frames * size, Most: frames * size, Head: -1}
		for i := range int64(frames) {
			p.Pieces = append(p.Pieces, Piece{Frame: first + uint32(i), From: (frames - i) * size, To: (frames - i - 1) * size})
		}
		return p
	}
	f, b := part(0), part(7)
	c := &Claim{Front: &Exchange{}, Back: &Exchange{}}
	out := c.pair(nil, &f, &b, Response)
	if len(out) != frames {
		t.Fatalf("%d pairs", len(out))
	}
	for i, m := range out {
		if m.A.Frame != uint32(i) || m.B.Frame != uint32(i)+7 {
			t.Fatalf("%v", m)
		}
	}
}

// What ends of pieces meet, as a look at all of them has it.
func TestMeeting(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		p := Part{Most: 100}
		for range random.IntN(20) {
			to := random.Int64N(90)
			p.Pieces = append(p.Pieces, Piece{From: to + random.Int64N(12), To: to})
		}
		s := spansOf(&p)
		for range 20 {
			to := random.Int64N(100)
			from := to + random.Int64N(20) - 2
			have := s.meeting(to, from, nil)
			slices.Sort(have)
			var want []int
			for k, y := range p.Pieces {
				if max(to, y.To) < min(from, y.From) {
					want = append(want, k)
				}
			}
			if !slices.Equal(have, want) {
				t.Fatalf("[%d, %d) meets %v of %v, want %v", to, from, have, p.Pieces, want)
			}
		}
	}
}
