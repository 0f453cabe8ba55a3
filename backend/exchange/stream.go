package exchange

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/message"
	"github.com/corr-dev/corr/backend/tlskey"
)

// segment is a data segment's place in its stream.
type segment struct {
	off, end int64
	frame    uint32
}

// segments lists the data segments of a direction in stream order, repeated bytes left out, and says the sequence number that
// offsets count from; have is false where there is none.
func segments(c *flow.Capture, id flow.ConvID, d int) (out []segment, base uint32, have bool) {
	var l []segment
	for i := range flow.UpTo(c.Span(id)) {
		x := c.At(i)
		if x.Dir() != d || x.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate) != 0 {
			continue
		}
		if x.Flags()&decode.SYN != 0 {
			if !have {
				base, have = x.Seq+1, true
			}
			continue
		}
		if x.Len() == 0 {
			continue
		}
		if !have {
			base, have = x.Seq, true
		}
		if off := int64(int32(x.Seq - base)); off >= 0 {
			l = append(l, segment{off, off + int64(x.Len()), i})
		}
	}
	slices.SortStableFunc(l, func(a, b segment) int { return cmp.Compare(a.off, b.off) })
	end := int64(0)
	out = l[:0]
	for _, s := range l {
		if s.end > end {
			out = append(out, s)
			end = s.end
		}
	}
	return out, base, have
}

// unit is a message or a TLS record of one direction.
type unit struct {
	m        message.StreamMessage
	from, to int64 // stream offsets
	plain    [2]int64
	first    uint32 // frames
	last     uint32
	dir      int
	missed   *gap // it is what was missed of the client's
}

// dialogue is what both directions of a conversation said, the client's first.
type dialogue struct {
	units [2][]unit
	segs  [2][]segment
	base  [2]uint32 // the sequence number that offsets count from
	known [2]bool   // base is: something was seen of the direction
	gaps  []gap     // what was missed of the client's that lies in none of its units
}

// read reads the messages of both directions. client is the direction of the initiator.
func read(c *flow.Capture, id flow.ConvID, client int) (x dialogue) {
	port := c.Tuple(id, client).Dport
	for _, d := range [2]int{client, 1 - client} {
		k := d ^ client
		x.segs[k], x.base[k], x.known[k] = segments(c, id, d)
		s := message.NewStream(k == 0, port)
		take := func() {
			for _, m := range s.Messages() {
				u := unit{m: m, from: int64(m.Off), to: int64(m.End()), dir: k}
				u.first, u.last = frameAt(x.segs[k], u.from), frameAt(x.segs[k], max(u.from, u.to-1))
				x.units[k] = append(x.units[k], u)
			}
		}
		for _, g := range x.segs[k] {
			if b, ok := c.Payload(g.frame); ok {
				s.Write(uint64(g.off), b)
				take()
			}
		}
		s.Close()
		take()
	}
	if x.known[0] {
		x.gaps = beside(gaps(c, id, client, x.segs[0], x.base[0]), x.units[0])
	}
	return x
}

// frameAt is the frame that carries a stream offset, or the next one.
func frameAt(l []segment, off int64) uint32 {
	k, _ := slices.BinarySearchFunc(l, off, func(s segment, off int64) int { return cmp.Compare(s.end-1, off) })
	return l[min(k, len(l)-1)].frame
}

// streamExchanges reads a TCP conversation: HTTP by its messages, TLS by turns of its application data.
func streamExchanges(c *flow.Capture, cv match.Conv, keys *tlskey.Log) []*Exchange {
	in := &c.Convs[cv.ID]
	if !in.Data[0].Seen && !in.Data[1].Seen {
		return nil
	}
	client := c.ClientDir(cv.ID)
	all := read(c, cv.ID, client)
	us, segs, gs := all.units, all.segs, all.gaps
	var out []*Exchange
	switch {
	case cutShort(c, segs):
		out = segmentTurns(c, segs, gs)
		for _, x := range out {
			x.Cut = true
		}
	case isTLS(us):
		if plain, parts, ok := opened(c, us, segs, keys, c.Tuple(cv.ID, client).Dport); ok {
			out = readable(c, plain, parts, nil)
		}
		if len(out) == 0 {
			out = turns(c, us, segs, gs)
		} else {
			for _, x := range out {
				x.Opaque, x.Opened = true, true // read with keys, yet no byte of it is seen behind
			}
		}
	default:
		if out = readable(c, us, segs, gs); len(out) == 0 {
			out = segmentTurns(c, segs, gs)
		}
	}
	if n := len(out); n > 0 && all.known[1] {
		hears(c, cv.ID, client, segs[1], all.base[1], out[n-1])
	}
	tls := in.Data[client].Class == uint8(message.ProtoTLS)
	start, end := ends(c, cv.ID)
	name(c, cv, out)
	for _, x := range out {
		x.TLS, x.ConvStart, x.ConvEnd = tls, start, end
	}
	return out
}

// name says of exchanges which conversation's they are.
func name(c *flow.Capture, cv match.Conv, l []*Exchange) {
	t := c.Tuple(cv.ID, c.ClientDir(cv.ID))
	for k, x := range l {
		x.Conv, x.Index, x.Client = cv, k, t.Src.Netip(t.Version).Unmap().String()
		x.First, x.Last = k == 0, k == len(l)-1
	}
}

// ends gives the times of a conversation's SYN and of its first FIN or RST, 0 where not seen.
func ends(c *flow.Capture, id flow.ConvID) (start, end capture.LocalTime) {
	for i := range flow.UpTo(c.Span(id)) {
		switch x := c.At(i); {
		case x.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate) != 0:
		case x.Flags()&decode.SYN != 0 && start == 0:
			start = x.Time()
		case x.Flags()&(decode.FIN|decode.RST) != 0:
			return start, x.Time()
		}
	}
	return start, 0
}

func isTLS(us [2][]unit) bool {
	for _, l := range us {
		if len(l) > 0 && l[0].m.Proto == message.ProtoTLS {
			return true
		}
	}
	return false
}

// readable makes exchanges of HTTP that can be read.
func readable(c *flow.Capture, us [2][]unit, segs [2][]segment, gs []gap) []*Exchange {
	for _, l := range us {
		if len(l) > 0 && l[0].m.Proto == message.ProtoHTTP2 {
			return streamsExchanges(c, us, segs)
		}
	}
	return plainExchanges(c, us, segs, gs)
}

// plainExchanges pairs HTTP/1 requests with responses in order (RFC 9112 §9.3.2). Behind a response that was missed the next
// one answers the last request before it; one before all requests answers one that was missed.
func plainExchanges(c *flow.Capture, us [2][]unit, segs [2][]segment, gs []gap) []*Exchange {
	var asked []*Exchange
	var at []uint32 // their first frames
	for i := range us[0] {
		u := &us[0][i]
		if u.m.HTTP == nil || u.m.HTTP.Method == "" {
			continue
		}
		asked, at = append(asked, requested(u.m.HTTP, part(c, segs[0], []*unit{u}))), append(at, u.first)
	}
	var out []*Exchange
	n := 0 // the first request that may still be answered
	for i := range us[1] {
		u := &us[1][i]
		if u.m.HTTP == nil || u.m.HTTP.Status < 200 {
			continue // interim responses (RFC 9110 §15.2)
		}
		to := n
		for to < len(asked) && at[to] < u.first {
			to++
		}
		var x *Exchange
		switch {
		case to > n && u.m.AfterGap:
			out = append(out, asked[n:to-1]...)
			x, n = asked[to-1], to
		case to > n:
			x, n = asked[n], n+1
		default:
			for len(gs) > 0 && n > 0 && gs[0].frame <= at[n-1] {
				gs = gs[1:]
			}
			if len(gs) == 0 || gs[0].frame > u.last {
				continue
			}
			x, gs = &Exchange{Request: gs[0].request()}, gs[1:]
		}
		x.answered(u.m.HTTP, part(c, segs[1], []*unit{u}))
		out = append(out, x)
	}
	return append(out, asked[n:]...)
}

// requested begins an exchange with a request.
func requested(h *message.HTTP, p Part) *Exchange {
	return &Exchange{Request: p, Name: h.Method + " " + h.Target, Forwarded: forwarded(h), Fields: slices.Clone(h.Fields)}
}

// answered ends it with an answer.
func (x *Exchange) answered(h *message.HTTP, p Part) {
	x.Answer, x.Answered, x.Status = p, true, h.Status
	x.Fields = append(x.Fields, h.Fields...)
}

// forwarded lists the addresses that a request's header says it comes from.
func forwarded(h *message.HTTP) []string {
	var out []string
	add := func(s string) {
		s = strings.Trim(strings.TrimSpace(s), `"`)
		if a, err := netip.ParseAddrPort(s); err == nil {
			out = append(out, a.Addr().Unmap().String())
		} else if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
			out = append(out, a.Unmap().String())
		}
	}
	for _, s := range strings.Split(h.ForwardedFor, ",") {
		add(s)
	}
	for _, s := range strings.FieldsFunc(h.Forwarded, func(r rune) bool { return r == ',' || r == ';' }) {
		if k, v, ok := strings.Cut(strings.TrimSpace(s), "="); ok && strings.EqualFold(k, "for") {
			add(v)
		}
	}
	add(h.RealIP)
	return out
}

// part gathers the frames and bounds of some units of one direction.
func part(c *flow.Capture, segs []segment, us []*unit) Part {
	p := Part{Head: -1}
	for k := len(us) - 1; k >= 0; k-- {
		u := us[k]
		size := u.to - u.from
		if u.plain[1] > 0 {
			size = u.plain[1]
		} else {
			u.plain = [2]int64{size, size}
		}
		p.Pieces = append(p.Pieces, pieces(segs, u, p.Most, size)...)
		p.Least += u.plain[0]
		p.Most += size
		p.Holes = p.Holes || u.m.AfterGap || u.m.Missing > 0 || u.m.Cut
		if u.m.AfterGap && k > 0 && !p.Torn {
			p.tear(p.Most)
		}
	}
	slices.Reverse(p.Pieces)
	at := p.Most
	for _, x := range p.Pieces {
		p.Holes = p.Holes || x.From < at
		at = min(at, x.To)
	}
	p.Holes = p.Holes || at > 0
	if len(us) == 1 && us[0].m.HTTP != nil {
		p.Head = int64(us[0].m.HeadLen)
	}
	for k, x := range p.Pieces {
		t := c.At(x.Frame).Time()
		if k == 0 || t < p.Start {
			p.Start = t
		}
		p.End = max(p.End, t)
	}
	return p
}

// pieces shares the plain bytes of a unit out among its frames, last frame first; behind is how many bytes of the part
// follow the unit. Inside of a TLS record plain bytes lie where the cipher text does, but for header and tag.
func pieces(segs []segment, u *unit, behind, size int64) (out []Piece) {
	k, _ := slices.BinarySearchFunc(segs, u.from, func(s segment, off int64) int { return cmp.Compare(s.end-1, off) })
	over := u.to - u.from - size
	lead := min(over, 13) // record header, explicit nonce
	var l []Piece
	for ; k < len(segs) && segs[k].off < u.to; k++ {
		a := min(max(max(segs[k].off, u.from)-u.from-lead, 0), size)
		b := min(max(min(segs[k].end, u.to)-u.from-lead, 0), size)
		l = append(l, Piece{segs[k].frame, behind + size - a, behind + size - b})
	}
	slices.Reverse(l)
	return l
}
