package exchange

import (
	"fmt"
	"iter"
	"strings"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/message"
)

// datagrams visits the packets of a conversation whose payload was kept, copies and fragments left out.
func datagrams(c *flow.Capture, id flow.ConvID) iter.Seq2[uint32, []byte] {
	return func(yield func(uint32, []byte) bool) {
		for i := range flow.UpTo(c.Span(id)) {
			b, ok := c.Payload(i)
			if ok && c.At(i).Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate) == 0 && !yield(i, b) {
				return
			}
		}
	}
}

// said goes through what a conversation's datagrams say, by the places of their facts.
func said(c *flow.Capture, id flow.ConvID) iter.Seq2[uint32, message.Info] {
	return func(yield func(uint32, message.Info) bool) {
		for i, b := range datagrams(c, id) {
			x := c.At(i)
			t := c.Tuple(id, x.Dir())
			if !yield(i, message.Name(flow.ProtoUDP, t.Sport, t.Dport, b, int(x.Len()))) {
				return
			}
		}
	}
}

// sender is the address that a packet comes from.
func sender(c *flow.Capture, id flow.ConvID, x *flow.Fact) string {
	t := c.Tuple(id, x.Dir())
	return t.Src.Netip(t.Version).Unmap().String()
}

// datagramPart is a datagram as a whole message.
func datagramPart(x *flow.Fact, i uint32) Part {
	n := int64(x.Len())
	return Part{Pieces: []Piece{{i, n, 0}}, Start: x.Time(), End: x.Time(), Least: n, Most: n, Head: n}
}

// queryExchanges reads DNS queries and answers over UDP. A forwarder asks anew: other ports, other ids, the same
// question.
func queryExchanges(c *flow.Capture, cv match.Conv) []*Exchange {
	d0 := c.ClientDir(cv.ID)
	if t := c.Tuple(cv.ID, d0); t.Dport != 53 && t.Sport != 53 {
		return nil
	}
	var out []*Exchange
	open := map[string]*Exchange{}
	for i, info := range said(c, cv.ID) {
		x, m := c.At(i), info.DNS
		if m == nil || !m.HasQuestion {
			continue
		}
		question := fmt.Sprintf("%s %d %d", strings.ToLower(m.Name), m.Type, m.Class)
		key := fmt.Sprintf("%d %s", m.ID, question)
		p := datagramPart(x, i)
		if !m.Response {
			e := &Exchange{Conv: cv, Index: len(out), Request: p, Name: message.DNSType(m.Type) + " " + m.Name, Key: question, ID: m.ID, Client: sender(c, cv.ID, x)}
			if o := open[key]; o == nil || o.Answered {
				out = append(out, e)
				open[key] = e
			} else {
				// Asked again: the same exchange, another frame.
				o.Request.Pieces = append(o.Request.Pieces, p.Pieces...)
				o.Request.End = p.End
			}
		} else if e := open[key]; e != nil && !e.Answered {
			e.Answer, e.Answered, e.Refused = p, true, m.RCode != 0
		}
	}
	return out
}
