package exchange

import (
	"fmt"
	"strings"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/message"
)

// queryExchanges reads DNS queries and answers over UDP. A forwarder asks anew: other ports, other ids, the same
// question.
func queryExchanges(c *flow.Capture, cv match.Conv) []*Exchange {
	d0 := c.ClientDir(cv.ID)
	if t := c.Tuple(cv.ID, d0); t.Dport != 53 && t.Sport != 53 {
		return nil
	}
	var out []*Exchange
	open := map[string]*Exchange{}
	for i := range c.Packets(cv.ID) {
		x := c.At(i)
		b, ok := c.Payload(i)
		if !ok || x.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate) != 0 {
			continue
		}
		t := c.Tuple(cv.ID, x.Dir())
		m := message.Name(flow.ProtoUDP, t.Sport, t.Dport, b, int(x.Len)).DNS
		if m == nil || !m.HasQuestion {
			continue
		}
		question := fmt.Sprintf("%s %d %d", strings.ToLower(m.Name), m.Type, m.Class)
		key := fmt.Sprintf("%d %s", m.ID, question)
		p := Part{Pieces: []Piece{{i, int64(x.Len), 0}}, Start: x.Time, End: x.Time, Least: int64(x.Len), Most: int64(x.Len), Head: int64(x.Len), Loose: -1}
		if !m.Response {
			e := &Exchange{Conv: cv, Index: len(out), Request: p, Name: message.DNSType(m.Type) + " " + m.Name, Key: question, ID: m.ID, Client: t.Src.Netip(t.Version).Unmap().String()}
			if o := open[key]; o == nil || o.Answered {
				out = append(out, e)
				open[key] = e
			} else {
				// Asked again: the same exchange, another frame.
				o.Request.Pieces = append(o.Request.Pieces, p.Pieces...)
				o.Request.End = p.End
			}
		} else if e := open[key]; e != nil && !e.Answered {
			e.Answer, e.Answered = p, true
		}
	}
	return out
}
