package exchange

import (
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// sipExchanges reads the SIP transactions over UDP that the end which began the conversation opens (RFC 3261 §17). A proxy
// sends requests on from a socket of its own, with a Via field and a branch of its own; who calls whom and the caller's count
// stay (§16.6).
func sipExchanges(c *flow.Capture, cv match.Conv) []*Exchange {
	client := c.ClientDir(cv.ID)
	var out []*Exchange
	open := map[string]*Exchange{}
	for i, info := range said(c, cv.ID) {
		x, m := c.At(i), info.SIP
		if m == nil && len(out) == 0 && x.Len() > sipLeast {
			return nil // it begins with something else
		}
		if m == nil || m.CallID == "" || m.CSeq == "" {
			continue
		}
		key := "sip " + m.CallID + " " + m.CSeq
		p := datagramPart(x, i)
		switch e := open[key]; {
		case m.Method != "" && x.Dir() == client && e == nil:
			e = &Exchange{Conv: cv, Index: len(out), Request: p, Name: m.Method + " " + m.Target, Key: key, SIP: true, Client: sender(c, cv.ID, x)}
			out = append(out, e)
			open[key] = e
		case m.Method != "" && x.Dir() == client: // sent again
			e.Request.Pieces = append(e.Request.Pieces, p.Pieces...)
			e.Request.End = p.End
		case m.Status >= 200 && x.Dir() != client && e != nil && !e.Answered:
			e.Answer, e.Answered, e.Status = p, true, m.Status
		}
	}
	return out
}

// sipLeast is the length of datagrams that keep a translation alive, at most (RFC 5626 §3.5.1).
const sipLeast = 4

// transactions bounds the offset by SIP's transactions: a caller's Call-ID is random (RFC 3261 §8.1.1.4), so that one
// with a counterpart proves it; its answer bounds it. ok is false where there is none, or they contradict each other.
func transactions(ns []nesting, front, back []*Exchange) (lo, hi int64, ok bool) {
	lo, hi = -1<<62, 1<<62
	for _, n := range ns {
		if f, b := front[n.front], back[n.back]; f.SIP && f.Answered && b.Answered {
			lo, hi, ok = max(lo, n.lo), min(hi, n.hi), true
		}
	}
	return lo, hi, ok && lo <= hi
}
