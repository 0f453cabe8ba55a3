package exchange

import "github.com/corr-dev/corr/backend/match"

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
	for _, x := range f.Pieces {
		for _, y := range b.Pieces {
			if !f.placed(x) || !b.placed(y) {
				continue
			}
			if heads(x, f, body) && heads(y, b, body) {
				add(x.Frame, y.Frame)
			}
			if lo, hi := max(x.To, y.To), min(x.From, y.From, body); lo < hi {
				add(x.Frame, y.Frame)
			}
		}
	}
	return out
}

// heads reports whether a piece carries the last byte of a part's header.
func heads(x Piece, p *Part, body int64) bool {
	at := min(body, p.Most-1)
	return x.From > at && x.To <= at
}
