package infer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/corr-dev/corr/backend/exchange"
	"github.com/corr-dev/corr/backend/match"
)

var proxyAnswered = rule{Doc{ID: "proxy-answered", weight: 50,
	Title:   "The proxy answered itself",
	Meaning: "No server saw these requests, or none answered in time: an error page, a redirect, or what a cache held. Whoever looks for a 503 in the servers' logs looks in vain.",
	Sign:    "A request is answered in front and no exchange behind fits it by size, name and time, although the recorder there was running and the same service passes nearly all others on; or it was passed on and never answered behind.",
	Not:     "Where something behind may be what became of it, or where the service passes fewer than three requests on."},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			for _, queries := range []bool{false, true} {
				if x := v.answeredBetween(s, queries); x != nil {
					out = append(out, x)
				}
			}
		}
		return out
	}}

// answeredBetween makes the finding of a stretch: of DNS queries, or of all else.
func (v *Verdict) answeredBetween(s *Segment, queries bool) *Finding {
	var owns []*exchange.Own
	for i := range v.Exchanges.Owns {
		o := &v.Exchanges.Owns[i]
		if c := o.Front.Conv.Capture; (c == s.A && o.Back == s.B || c == s.B && o.Back == s.A) && (o.Front.Key != "") == queries {
			owns = append(owns, o)
		}
	}
	if len(owns) == 0 {
		return nil
	}
	slices.SortStableFunc(owns, func(a, b *exchange.Own) int {
		return cmp.Compare(b.Front.Status, a.Front.Status) // the errors first
	})
	x := &Finding{Severity: Note, Confidence: owns[0].Confidence, Segment: s}
	seen := map[*match.Flow]bool{}
	for _, o := range owns {
		c, at := o.Front.Conv.Capture, int64(o.Front.Request.Pieces[0].Frame)
		if o.Front.Status >= 500 {
			x.Severity = Warn
		}
		x.Confidence = min(x.Confidence, o.Confidence)
		if len(x.Evidence)+1 < evidenceMost {
			what := "not passed on"
			if o.Passed != nil {
				what = "passed on, not answered behind"
			}
			x.Evidence = append(x.Evidence, Evidence{c, at, "corr.message", what})
			if l := o.Front.Answer.Pieces; len(l) > 0 {
				x.Evidence = append(x.Evidence, Evidence{c, int64(l[0].Frame), "corr.message", answerWords(o.Front)})
			}
		}
		if f := v.FlowOf[c][o.Front.Conv.ID]; f != nil && !seen[f] {
			seen[f] = true
			x.Flows = append(x.Flows, f)
		}
	}
	first := owns[0]
	c := first.Front.Conv.Capture
	who, what, next := s.device(Proxy, TransparentProxy), "request", "look for the reason in the proxy's log, not in the servers': its line names the backend that it tried, or none"
	if queries {
		who, what, next = s.device(Forwarder), "query", "what a cache holds is no fault; where the answer is wrong, look at the forwarder and at the time to live that it got"
	}
	x.Title = fmt.Sprintf("%s between %s answered %s itself", who, v.stretch(s), plural(len(owns), what, map[bool]string{true: "queries", false: "requests"}[queries]))
	x.Detail = fmt.Sprintf("seen: %s (%s) is answered (%s) and has no counterpart at %s", askedWords(first.Front), v.frame(c, int64(first.Front.Request.Pieces[0].Frame)), answerWords(first.Front), v.point(first.Back))
	x.Next = next
	return x
}

// askedWords leaves out what was asked for: a target may hold a secret, and the frame shows it.
func askedWords(e *exchange.Exchange) string {
	method, _, _ := strings.Cut(e.Name, " ")
	switch {
	case e.Key != "":
		return "a query for " + method
	case method != "":
		return "a " + method + " request"
	}
	return fmt.Sprintf("a request of %d bytes and more", e.Request.Least)
}

func answerWords(e *exchange.Exchange) string {
	if e.Status > 0 {
		return fmt.Sprintf("status %d", e.Status)
	}
	return fmt.Sprintf("%d bytes and more", e.Answer.Least)
}
