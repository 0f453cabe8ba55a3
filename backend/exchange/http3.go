package exchange

import (
	"cmp"
	"maps"
	"slices"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/message"
	"github.com/corr-dev/corr/backend/tlskey"
)

// HTTP/3 is read with keys only: each request has a stream of its own that the client opens (RFC 9114 §6.1), whose bytes lie
// in QUIC's packets in any order.

// streamHeld bounds the bytes that are kept of one end of a stream to read its frames; data beyond is counted only.
const streamHeld = 256 << 10

// part3 is what one end sends in a stream.
type part3 struct {
	segs  []segment
	bytes map[int64][]byte // by offset
}

// quicExchanges reads the exchanges of a QUIC connection.
func quicExchanges(c *flow.Capture, cv match.Conv, keys *tlskey.Log) []*Exchange {
	if keys.Empty() {
		return nil
	}
	client := c.ClientDir(cv.ID)
	var hello message.QUICHello
	var random []byte
	var version uint32
	var ids [2]int // length of the connection id in what each end sends
	var open [2]*tlskey.Datagrams
	streams := map[uint64]*[2]part3{}
	looked := 0
	for i, b := range datagrams(c, cv.ID) {
		x := c.At(i)
		if len(b) == 0 || int64(len(b)) < int64(x.Len()) {
			continue
		}
		d := x.Dir() ^ client
		if b[0] >= 0x80 {
			m := message.Name(flow.ProtoUDP, 0, 443, b, len(b))
			if m.QUIC == nil {
				return nil
			}
			// What one end calls itself, the other calls it.
			ids[1-d], version = len(m.QUIC.SCID), m.QUIC.Version
			if d == 0 && random == nil {
				if t := hello.Add(b); t != nil {
					random = t.Random
				}
			}
		} else if looked++; looked > 8 && random == nil {
			return nil
		}
		off, ok := message.QUICShort(b)
		if !ok || random == nil {
			continue
		}
		if open[d] == nil {
			if open[d] = tlskey.NewDatagrams(keys, random, version, d == 0); open[d] == nil {
				return nil
			}
		}
		frames, ok := open[d].Open(b[off:], ids[d])
		if !ok {
			continue
		}
		for _, p := range message.QUICPieces(frames) {
			if p.Stream&3 != 0 || len(p.Data) == 0 || p.Off > partMost || len(streams) > exchangesMost {
				continue // not a client's stream for requests
			}
			s := streams[p.Stream]
			if s == nil {
				s = &[2]part3{{bytes: map[int64][]byte{}}, {bytes: map[int64][]byte{}}}
				streams[p.Stream] = s
			}
			at := int64(p.Off)
			s[d].segs = append(s[d].segs, segment{at, at + int64(len(p.Data)), i})
			if at < streamHeld {
				s[d].bytes[at] = p.Data
			}
		}
	}
	var out []*Exchange
	for _, id := range slices.Sorted(maps.Keys(streams)) {
		s := streams[id]
		request, ok := s[0].speech()
		if !ok || request.head.Status != 0 {
			continue
		}
		x := requested(request.head, request.part(c, s[0].segs))
		if request.head.Method == "" {
			x.Name = ""
		}
		x.Stream, x.Packed, x.Opaque, x.Opened, x.TLS = uint32(id/4)+1, true, true, true, true
		if answer, ok := s[1].speech(); ok && answer.head.Method == "" {
			x.answered(answer.head, answer.part(c, s[1].segs))
		}
		out = append(out, x)
	}
	name(c, cv, out)
	return out
}

// partMost is an offset that no stream reaches.
const partMost = 1 << 48

// speech reads the frames of a stream up to the first hole in what says how long they are.
func (p *part3) speech() (s speech, ok bool) {
	slices.SortStableFunc(p.segs, func(a, b segment) int { return cmp.Or(cmp.Compare(a.off, b.off), cmp.Compare(b.end, a.end)) })
	end := int64(0)
	segs := p.segs[:0]
	for _, g := range p.segs {
		if g.end > end {
			segs = append(segs, g)
			end = g.end
		}
	}
	p.segs = segs
	for at := int64(0); at < end; {
		b := p.from(at)
		kind, length, head := message.HTTP3Frame(b)
		if head == 0 || length > partMost {
			break
		}
		u := &unit{from: at, to: at + int64(head) + int64(length), plain: [2]int64{int64(length), int64(length)}}
		at = u.to
		switch kind {
		case message.HTTP3Headers:
			u.m.Kind = "HEADERS"
			if s.head == nil && uint64(len(b)) >= uint64(head)+length {
				h := message.HTTP3Head(b[head : uint64(head)+length])
				if h != nil && h.Status != 0 && h.Status < 200 {
					continue // an interim response
				}
				if h == nil { // its fields refer to others
					h = &message.HTTP{HeadLen: int(length)}
				}
				s.head = h
			}
		case message.HTTP3Data:
			u.m.Kind = "DATA"
		default:
			continue
		}
		if length > 0 && s.head != nil {
			s.us = append(s.us, u)
		}
	}
	return s, s.head != nil && len(s.us) > 0
}

// from joins the bytes that are held from an offset on.
func (p *part3) from(at int64) []byte {
	var out []byte
	k, _ := slices.BinarySearchFunc(p.segs, at, func(s segment, off int64) int { return cmp.Compare(s.end-1, off) })
	for ; k < len(p.segs) && p.segs[k].off <= at+int64(len(out)) && len(out) < streamHeld; k++ {
		b := p.bytes[p.segs[k].off]
		skip := at + int64(len(out)) - p.segs[k].off
		if b == nil || skip >= int64(len(b)) {
			break
		}
		if out = append(out, b[skip:]...); len(out) >= frameLook {
			kind, length, head := message.HTTP3Frame(out)
			if head > 0 && (kind != message.HTTP3Headers || uint64(len(out)) >= uint64(head)+length) {
				break // enough is there
			}
		}
	}
	return out
}

// frameLook is the length of the longest beginning of a frame: two integers.
const frameLook = 16
