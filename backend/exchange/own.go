package exchange

import (
	"net/netip"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// Own is a request that a proxy answered itself: an error page, a redirect, what it had in its cache.
type Own struct {
	Front      *Exchange
	Back       int       // the capture that holds nothing of it
	Passed     *Exchange // what it became behind, where no answer came in time; else nil
	Confidence int
}

// Whether a service passes requests on is known from those that it did.
const (
	ownLeast = 3  // requests of a service that went on
	ownShare = 70 // percent of its requests that did, or may have
)

// service is what requests are sent to.
type service struct {
	addr netip.Addr
	port uint16
}

// own lists the answered requests of which nothing goes on: no exchange behind fits by size, name and time, although the
// recorder there was running and the same service passes nearly all others on. What went on without an answer belongs to
// them too.
func own(r *match.Result, a, b int, front []*Exchange, ns []nesting, claims []Claim, lo, hi int64) (out []Own) {
	possible := make([]bool, len(front))
	for _, n := range ns {
		if n.lo <= hi+slack && n.hi >= lo-slack {
			possible[n.front] = true
		}
	}
	of := func(e *Exchange) service {
		c := r.Caps[a]
		t := c.Tuple(e.Conv.ID, c.ClientDir(e.Conv.ID))
		return service{t.Dst.Netip(t.Version).Unmap(), t.Dport}
	}
	type tally struct{ all, on, claimed int }
	count := map[service]*tally{}
	for i, f := range front {
		s := of(f)
		if count[s] == nil {
			count[s] = &tally{}
		}
		count[s].all++
		if possible[i] {
			count[s].on++
		}
	}
	for i := range claims {
		c := &claims[i]
		count[of(c.Front)].claimed++
		if !c.Back.Answered && c.Front.Replied() && !c.Front.Given() && c.Front.Request.Seen() && c.Confidence >= 90 && behind(r.Caps[b], c.Front, lo, hi) {
			out = append(out, Own{c.Front, b, c.Back, c.Confidence})
		}
	}
	for i, f := range front {
		n := count[of(f)]
		if f.SIP || possible[i] || !f.Replied() || f.Cut || f.Request.Holes || n.claimed < ownLeast || !behind(r.Caps[b], f, lo, hi) {
			continue
		}
		// A cache answers many: what DNS asks is known by name, and no size is guessed.
		if f.Key == "" && n.on*100 < n.all*ownShare {
			continue
		}
		o := Own{Front: f, Back: b, Confidence: 90}
		if f.Opaque && !f.Opened {
			o.Confidence = 80 // by sizes of records
		}
		out = append(out, o)
	}
	return out
}

// behind reports whether the recorder behind the proxy was running during all of an exchange.
func behind(c *flow.Capture, f *Exchange, lo, hi int64) bool {
	return f.Request.Start+capture.LocalTime(lo) >= c.First && f.Answer.End+capture.LocalTime(hi) <= c.Last
}
