package exchange

import (
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/match"
)

// talk is a request and answer of given sizes, times in ms.
func talk(conv int, reqAt, ansAt, req, ans int64) *Exchange {
	p := func(t, n int64) Part {
		return Part{Pieces: []Piece{{Frame: uint32(t), From: n}}, Start: capture.LocalTime(t * 1e6), End: capture.LocalTime(t * 1e6), Least: n, Most: n, Head: -1}
	}
	return &Exchange{Conv: match.Conv{ID: 0}, Index: conv, Request: p(reqAt, req), Answer: p(ansAt, ans), Answered: true, Client: "10.0.0.1"}
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
	ns := nestings(front, back, false)
	lo, hi, ok := offset(ns, len(back), span(back))
	if !ok || lo > ahead*1e6 || hi < ahead*1e6-4e6 || hi-lo > 10e6 {
		t.Fatalf("offset between %d and %d, %v", lo, hi, ok)
	}
	claims := assign(front, back, ns, lo, hi)
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
	if lo, hi, ok := offset(nestings(front, other, false), len(other), span(other)); ok {
		t.Errorf("an offset of %d to %d between strangers", lo, hi)
	}
	if _, _, ok := offset(nestings(front[:2], front[:2], false), 2, 0); ok {
		t.Error("an offset from two exchanges")
	}
}

// Two that fit each other equally are claimed only in an order that is the same on both sides.
func TestAlike(t *testing.T) {
	front := []*Exchange{talk(0, 0, 50, 200, 900), talk(1, 1, 52, 200, 900)}
	back := []*Exchange{talk(0, 5, 40, 200, 900), talk(1, 6, 41, 200, 900)}
	ns := nestings(front, back, false)
	for _, c := range assign(front, back, ns, 0, 0) {
		if c.Front.Index != c.Back.Index || c.Confidence > 70 {
			t.Errorf("%d is claimed to be %d at %d %%", c.Back.Index, c.Front.Index, c.Confidence)
		}
	}
	back[0].Answer, back[1].Answer = back[1].Answer, back[0].Answer // answers overtake each other
	if cs := assign(front, back, nestings(front, back, false), 0, 0); len(cs) != 0 {
		t.Errorf("claimed although the orders differ: %+v", cs)
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
