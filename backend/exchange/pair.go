package exchange

import (
	"cmp"
	"slices"

	"github.com/corr-dev/corr/backend/match"
)

// Message says that two frames carry the same part of a request or an answer.
type Message struct {
	A, B       match.FrameRef // in front of the proxy and behind it
	Kind       string         // request, response, query, answer
	Confidence int
}

// messages pairs the frames of a claim: headers with headers, bodies by their place from the end.
func (c *Claim) messages() []Message {
	req, ans := Request, Response
	if c.Front.Key != "" && !c.Front.SIP {
		req, ans = Query, AnswerTo
	}
	out := c.pair(nil, &c.Front.Request, &c.Back.Request, req)
	if c.Front.Replied() && c.Back.Replied() {
		out = c.pair(out, &c.Front.Answer, &c.Back.Answer, ans)
	}
	return out
}

func (c *Claim) pair(out []Message, f, b *Part, kind string) []Message {
	seen := map[[2]uint32]bool{}
	add := func(x, y uint32) {
		if k := [2]uint32{x, y}; !seen[k] {
			seen[k] = true
			out = append(out, Message{match.FrameRef{Capture: c.Front.Conv.Capture, Frame: x}, match.FrameRef{Capture: c.Back.Conv.Capture, Frame: y}, kind, c.Confidence})
		}
	}
	body := min(f.Most, b.Most)
	switch {
	case c.Front.Key != "":
		for _, x := range f.Pieces {
			for _, y := range b.Pieces {
				add(x.Frame, y.Frame)
			}
		}
		return out
	case b.Head >= 0:
		body = b.Most - b.Head
	case f.Head >= 0:
		body = f.Most - f.Head
	}
	// The header begins where the body, seen from the end, stops: what TLS says before it does not count.
	ys := spansOf(b)
	var heading []int // pieces behind that carry the end of the header
	for k, y := range b.Pieces {
		if b.placed(y) && heads(y, b, body) {
			heading = append(heading, k)
		}
	}
	var with []int
	for _, x := range f.Pieces {
		if !f.placed(x) {
			continue
		}
		with = ys.meeting(x.To, min(x.From, body), with[:0])
		if heads(x, f, body) {
			with = append(with, heading...)
		}
		slices.Sort(with)
		for _, k := range with {
			add(x.Frame, b.Pieces[k].Frame)
		}
	}
	return out
}

// spans are the pieces of a part by their ends, so that those that overlap some bytes are found without a look at all of them.
type spans struct {
	pieces []Piece
	by     []int   // their places, by To
	most   []int64 // the largest From of those up to each
}

func spansOf(p *Part) *spans {
	s := &spans{pieces: p.Pieces}
	for k, y := range p.Pieces {
		if p.placed(y) {
			s.by = append(s.by, k)
		}
	}
	slices.SortStableFunc(s.by, func(x, y int) int { return cmp.Compare(s.pieces[x].To, s.pieces[y].To) })
	s.most = make([]int64, len(s.by))
	for n, k := range s.by {
		if s.most[n] = s.pieces[k].From; n > 0 {
			s.most[n] = max(s.most[n], s.most[n-1])
		}
	}
	return s
}

// meeting adds the places of the pieces that hold some byte of [to, from).
func (s *spans) meeting(to, from int64, out []int) []int {
	n, _ := slices.BinarySearchFunc(s.by, from, func(k int, from int64) int { return cmp.Compare(s.pieces[k].To, from) })
	for n--; n >= 0 && s.most[n] > to; n-- {
		if k := s.by[n]; s.pieces[k].From > max(to, s.pieces[k].To) && to < from {
			out = append(out, k)
		}
	}
	return out
}

// heads reports whether a piece carries the last byte of a part's header.
func heads(x Piece, p *Part, body int64) bool {
	at := min(body, p.Most-1)
	return x.From > at && x.To <= at
}
