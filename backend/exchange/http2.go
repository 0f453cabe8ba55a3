package exchange

import (
	"slices"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/message"
)

// HTTP/2 carries many exchanges at once, each in a stream of its own (RFC 9113 §8.1): fields, then data, then perhaps a
// trailer, in frames between which frames of other streams may lie.

const http2FrameHeader = 9

// speech is what one end says in a stream.
type speech struct {
	head *message.HTTP // nil: not begun, or an interim response so far (RFC 9110 §15.2)
	us   []*unit
	last bool // the frame that is being read, or was, is the last one
}

// add takes the stream's next frame.
func (s *speech) add(u *unit) {
	if s.last && u.m.Kind != "CONTINUATION" {
		return
	}
	switch u.m.Kind {
	case "HEADERS":
		s.last = u.m.Flags&message.HTTP2EndStream != 0
		if s.head == nil {
			s.us = s.us[:0]
		}
	case "DATA":
		s.last = u.m.Flags&message.HTTP2EndStream != 0
	case "CONTINUATION":
	default:
		return
	}
	if h := u.m.HTTP; h != nil && s.head == nil && (h.Method != "" || h.Status >= 200) {
		s.head = h
	}
	if size := u.to - u.from - http2FrameHeader; size > 0 {
		u.plain = [2]int64{size, size}
		s.us = append(s.us, u)
	}
}

// part is all of it, with the size that its head has where it is written out.
func (s *speech) part(c *flow.Capture, segs []segment) Part {
	p := part(c, segs, s.us)
	packed := int64(0)
	for _, u := range s.us {
		if u.m.Kind == "DATA" {
			break
		}
		packed += u.plain[1]
	}
	p.Head = int64(s.head.HeadLen)
	p.Least += p.Head - packed
	p.Most += p.Head - packed
	return p
}

// streamsExchanges makes exchanges of a conversation's HTTP/2 streams, in the order of their requests.
func streamsExchanges(c *flow.Capture, us [2][]unit, segs [2][]segment) []*Exchange {
	var speeches [2]map[uint32]*speech
	var order []uint32
	for d := range us {
		speeches[d] = map[uint32]*speech{}
		for i := range us[d] {
			u := &us[d][i]
			if u.m.Proto != message.ProtoHTTP2 || u.m.Frame == 0 {
				continue
			}
			s := speeches[d][u.m.Frame]
			if s == nil {
				s = &speech{}
				speeches[d][u.m.Frame] = s
				if d == 0 {
					order = append(order, u.m.Frame)
				}
			}
			s.add(u)
		}
	}
	var out []*Exchange
	for _, id := range order {
		s := speeches[0][id]
		if s.head == nil || s.head.Method == "" || len(s.us) == 0 {
			continue
		}
		x := requested(s.head, s.part(c, segs[0]))
		x.Stream = id
		if a := speeches[1][id]; a != nil && a.head != nil && a.head.Status != 0 && len(a.us) > 0 {
			x.answered(a.head, a.part(c, segs[1]))
		}
		out = append(out, x)
	}
	return out
}

// What TLS leaves to be seen of HTTP/2 is how long records are. Frames that manage the connection have lengths of their own
// (RFC 9113 §6): an empty SETTINGS, that is the other side's acknowledged, 9 bytes, WINDOW_UPDATE 13, PING and GOAWAY 17.
const (
	http2Preface  = 24
	http2Least    = 16 // no request of HTTP/1 is so short
	http2Managing = 17
	http2Opening  = 80 // a client's preface, or none, SETTINGS of some entries, a WINDOW_UPDATE
)

// speaksHTTP2 reports whether a TLS conversation whose client offered HTTP/2 carries it: in TLS 1.3 nobody sees what the
// server chose, but a client says things that are too short for HTTP/1.
func speaksHTTP2(us [2][]unit, version, suite uint16) bool {
	offered, chosen := false, ""
	for d := range us {
		for i := range us[d] {
			if t := us[d][i].m.TLS; t != nil && len(t.ALPN) > 0 {
				if d == 0 {
					offered = offered || slices.Contains(t.ALPN, "h2")
				} else {
					chosen = t.ALPN[0]
				}
			}
		}
	}
	if !offered || chosen != "" {
		return chosen == "h2"
	}
	for i := range us[0] {
		u := &us[0][i]
		if u.m.Record == message.ContentApplicationData && int(u.m.Len)-5 != alertLen {
			if _, most := message.PlainBounds(version, suite, int(u.m.Len)-5); most >= http2FrameHeader && most < http2Least {
				return true
			}
		}
	}
	return false
}

// withoutControl leaves out what the server says of the handshake, session tickets (see withoutTickets) and records that
// only manage the connection.
func withoutControl(all []*unit, version uint16) []*unit {
	for len(all) > 0 && version >= 0x0304 && all[0].dir == 1 {
		all = all[1:]
	}
	tickets := -1 // their length
	var lens []int64
	for _, u := range all {
		if u.dir == 1 && len(lens) < 3 {
			if n := u.plain[1]; version >= 0x0304 && n < ticketMost && slices.Contains(lens, n) {
				tickets = int(n)
			}
			lens = append(lens, u.plain[1])
		}
	}
	var out []*unit
	said := [2]bool{}
	for _, u := range all {
		opening := int64(http2Opening)
		if u.dir == 0 {
			opening += http2Preface
		}
		switch n := u.plain[1]; {
		case n <= http2Managing, u.dir == 1 && !said[1] && int(n) == tickets:
		case n <= opening && !said[u.dir]:
			said[u.dir] = true
		default:
			said[u.dir] = true
			out = append(out, u)
		}
	}
	return out
}

// several reports whether a client says more than one thing before it is answered.
func several(all []*unit) bool {
	for i := 1; i < len(all); i++ {
		if all[i].dir == 0 && all[i-1].dir == 0 {
			return true
		}
	}
	return false
}

// records makes an exchange of each record of a client that asks several things at once. Which answer is whose can't be
// seen: each lies somewhere in what the server says from then on.
func records(c *flow.Capture, all []*unit, segs [2][]segment) []*Exchange {
	var out []*Exchange
	var rest Part // of the server, from here on
	for _, u := range slices.Backward(all) {
		if u.dir == 1 {
			rest = before(part(c, segs[1], []*unit{u}), rest)
			continue
		}
		x := &Exchange{Request: part(c, segs[0], []*unit{u}), Opaque: true, Packed: true}
		if len(rest.Pieces) > 0 {
			x.Answer, x.Answered, x.Among = rest, true, true
		}
		out = append(out, x)
	}
	slices.Reverse(out)
	return out
}

// before bounds what may be any of p and what follows it; of its pieces the last one stays.
func before(p, rest Part) Part {
	if len(rest.Pieces) == 0 {
		rest = p
		rest.Pieces, rest.Least = p.Pieces[max(len(p.Pieces)-1, 0):], 0
		return rest
	}
	rest.Start, rest.End = min(p.Start, rest.Start), max(p.End, rest.End)
	rest.Most += p.Most
	rest.Holes = rest.Holes || p.Holes
	return rest
}
