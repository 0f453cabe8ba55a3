package infer

import (
	"fmt"

	"github.com/corr-dev/corr/backend/match"
)

var synProxied = rule{Doc{ID: "syn-proxied", weight: 55,
	Title:    "A device answers SYNs in the server's name before it lets them through",
	Meaning:  "The client's handshake proves nothing about the server: a connection can be open at the client that the server never saw.",
	Sign:     "The server's sequence numbers are shifted by a constant, the client's are not, and the client's SYN at both points is not the same packet.",
	Not:      "Where both sides' numbers differ (TCP is ended) or none.",
	Explains: []string{"isn-rewritten", "ipid-rewritten", "wscale-changed", "mss-changed", "sack-changed", "timestamps-changed", "option-removed", "ttl-restarted"}},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			var fs []*match.Flow
			v.each(s, func(f *match.Flow, j *match.Joint) {
				if j.SynProxied {
					fs = append(fs, f)
				}
			})
			if len(fs) == 0 {
				continue
			}
			fs = v.failedFirst(fs)
			x := &Finding{Severity: v.severity(fs, Warn, Note), Confidence: 95, Flows: fs, Segment: s,
				Title: fmt.Sprintf("%s between %s answers SYNs in the server's name", s.device(SYNProxy), v.stretch(s))}
			x.Detail = v.twoHandshakes(x, s, fs)
			x.Inferred = "the handshakes on both sides are two; afterwards packets pass with shifted sequence numbers"
			x.Next = "nothing to mend if connections work; if not, look at the device's counters of SYN cookies"
			out = append(out, x)
		}
		return out
	}}
