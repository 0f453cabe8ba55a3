package exchange

import (
	"cmp"
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/message"
)

// TLS hides messages but not when and how much either side speaks. A turn is what one side sends until the other begins;
// a request is a client's turn, its answer the server's next one.

const (
	alertLen    = 19 // of a protected alert's record in TLS 1.3: two bytes, content type, tag (RFC 8446 §5.2, §6)
	finishedMin = 53 // of Finished with SHA-256 (RFC 8446 §4.4.4): 4 + 32 bytes, content type, tag
	finishedMax = 69 // with SHA-384
	ticketMost  = 1 << 10
)

// turns makes exchanges of a TLS conversation's application data.
func turns(c *flow.Capture, us [2][]unit, segs [2][]segment, gs []gap) []*Exchange {
	version, suite := uint16(0), uint16(0)
	for i := range us[1] {
		if t := us[1][i].m.TLS; t != nil && t.Version != 0 {
			version, suite = t.Version, t.Cipher
			break
		}
	}
	h2 := speaksHTTP2(us, version, suite)
	var all []*unit
	for d := range us {
		first := true
		for i := range us[d] {
			u := &us[d][i]
			if u.m.Proto != message.ProtoTLS || u.m.Record != message.ContentApplicationData {
				continue
			}
			n := int(u.m.Len) - 5
			if n == alertLen && (version == 0 || version >= 0x0304) {
				continue
			}
			if version >= 0x0304 {
				if d == 0 && first && n >= finishedMin && n <= finishedMax {
					first = false
					continue
				}
			}
			first = false
			lo, hi := message.PlainBounds(version, suite, n)
			u.plain = [2]int64{int64(lo), int64(hi)}
			if hi > 0 {
				all = append(all, u)
			}
		}
	}
	if !h2 {
		all = append(missedTurns(gs, version, all), all...)
	}
	// By the frame that completes a record: what one side says before it has heard the other comes first.
	slices.SortStableFunc(all, func(a, b *unit) int { return cmp.Compare(a.last, b.last) })
	if h2 {
		all = withoutControl(all, version)
		if several(all) {
			return records(c, all, segs)
		}
	}
	var out []*Exchange
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].dir == all[i].dir {
			j++
		}
		turn := all[i:j]
		if version >= 0x0304 && turn[0].dir == 1 && len(out) <= 1 && !h2 {
			turn = withoutTickets(turn)
		}
		if len(turn) == 0 {
			i = j
			continue
		}
		p := part(c, segs[turn[0].dir], turn)
		if g := turn[0].missed; g != nil && !p.Seen() {
			p = g.request()
		}
		if turn[0].m.AfterGap { // what is missing may have been the end of what this side said before
			last := len(out) - 1
			if turn[0].dir == 1 {
				last-- // the last request is the one that this answers
			}
			switch {
			case last < 0:
			case turn[0].dir == 0:
				out[last].Request.tear(0)
			case out[last].Answered:
				out[last].Answer.tear(0)
			}
		}
		switch {
		case turn[0].dir == 0:
			out = append(out, &Exchange{Request: p, Opaque: true, Packed: h2})
		case len(out) > 0 && !out[len(out)-1].Answered:
			x := out[len(out)-1]
			x.Answer, x.Answered = p, true
		}
		i = j
	}
	return out
}

// alertMost is the length of a protected alert's record in TLS 1.2, header and explicit nonce included (RFC 5246 §7.2, RFC 5288).
const alertMost = 31

// missedTurns makes units of what a recorder missed of a client's application data. What was missed of the handshake, or may
// be no more than its end or an alert, tells nothing.
func missedTurns(gs []gap, version uint16, all []*unit) (out []*unit) {
	first := int64(math.MaxInt64) // where what was seen of the client's begins
	for _, u := range all {
		if u.dir == 0 {
			first = min(first, u.from)
		}
	}
	for i := range gs {
		g := &gs[i]
		n := g.to - g.from
		least := int64(alertMost)
		if g.from < first && version >= 0x0304 {
			least = finishedMax + 16 // the record's header, and one that only says that the cipher changes
		}
		if g.from > 0 && n > least {
			out = append(out, &unit{from: g.from, to: g.to, plain: [2]int64{0, n}, first: g.frame, last: g.frame, missed: g})
		}
	}
	return out
}

// withoutTickets takes the session tickets off the server's first turn in TLS 1.3: two records of one length, sent right
// after the handshake (RFC 8446 §4.6.1; two is what OpenSSL and its kin send).
func withoutTickets(turn []*unit) []*unit {
	if len(turn) >= 2 && turn[0].plain == turn[1].plain && turn[0].plain[1] < ticketMost {
		return turn[2:]
	}
	return turn
}

// cutShort reports whether the capture holds only the beginnings of a conversation's segments.
func cutShort(c *flow.Capture, segs [2][]segment) bool {
	for _, l := range segs {
		for _, s := range l {
			if b, ok := c.Payload(s.frame); !ok || int64(len(b)) < s.end-s.off {
				return true
			}
		}
	}
	return false
}

// segmentTurns makes exchanges of a conversation whose messages can't be read, by who sends how much until the other
// begins.
func segmentTurns(c *flow.Capture, segs [2][]segment, gs []gap) []*Exchange {
	type piece struct {
		segment
		dir    int
		missed *gap
	}
	var all []piece
	for i := range gs {
		all = append(all, piece{segment{gs[i].from, gs[i].to, gs[i].frame}, 0, &gs[i]})
	}
	for d, l := range segs {
		for _, s := range l {
			all = append(all, piece{s, d, nil})
		}
	}
	slices.SortStableFunc(all, func(a, b piece) int { return cmp.Compare(a.frame, b.frame) })
	var out []*Exchange
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].dir == all[i].dir {
			j++
		}
		u := &unit{from: all[i].off, to: all[j-1].end}
		for _, s := range all[i:j] {
			u.from, u.to = min(u.from, s.off), max(u.to, s.end)
		}
		p := part(c, segs[all[i].dir], []*unit{u})
		if g := all[i].missed; g != nil && !p.Seen() {
			p = g.request()
		}
		switch {
		case all[i].dir == 0:
			out = append(out, &Exchange{Request: p})
		case len(out) > 0 && !out[len(out)-1].Answered:
			x := out[len(out)-1]
			x.Answer, x.Answered = p, true
		}
		i = j
	}
	return out
}
