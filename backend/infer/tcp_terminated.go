package infer

import (
	"fmt"

	"github.com/corr-dev/corr/backend/match"
)

var tcpTerminated = rule{Doc{ID: "tcp-terminated", weight: 70,
	Title:   "A device on the path ends TCP itself",
	Meaning: "What looks like one connection is two: the device answers in the server's name and opens a connection of its own. What either end sees of the other is what the device says.",
	Sign:    "Both initial sequence numbers differ between the points, and what a mere rewriter would keep (IP ID, timestamps, window) differs too, while the streams carry the same bytes.",
	Not:     "Where only one side's sequence numbers differ by a constant (a SYN proxy), or all else survives (a device that randomises sequence numbers).",
	Explains: []string{"isn-rewritten", "ipid-rewritten", "wscale-changed", "mss-changed", "sack-changed", "timestamps-changed", "option-removed", "ecn-stripped", "ttl-restarted",
		"offload-artefact", "nat"}},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			var fs []*match.Flow
			v.each(s, func(f *match.Flow, j *match.Joint) {
				if j.Terminated {
					fs = append(fs, f)
				}
			})
			if len(fs) == 0 {
				continue
			}
			fs = v.failedFirst(fs)
			x := &Finding{Severity: v.severity(fs, Warn, Note), Confidence: 80, Flows: fs, Segment: s,
				Title: fmt.Sprintf("%s between %s ends TCP itself", s.device(TransparentProxy, Proxy), v.stretch(s))}
			for _, b := range s.Boxes {
				if b.Kind == TransparentProxy || b.Kind == Proxy {
					x.Confidence = b.Confidence
				}
			}
			x.Detail = v.twoHandshakes(x, s, fs)
			x.Inferred = "each side talks to the device, not to the other end"
			x.Next = fmt.Sprintf("ask the owner of the device for its log of %s", v.several(fs[:1]))
			out = append(out, x)
		}
		return out
	}}

// twoHandshakes notes the handshakes of both sides as evidence and says what differs.
func (v *Verdict) twoHandshakes(x *Finding, s *Segment, fs []*match.Flow) string {
	text := "the bytes of the streams agree, their numbers do not"
	for n, f := range fs[:min(len(fs), 2)] {
		for d, name := range []string{"SYN", "SYN/ACK"} {
			a, b := v.handshakeFrame(f, s.A, d), v.handshakeFrame(f, s.B, d)
			if a < 0 || b < 0 {
				continue
			}
			p, q := v.At(s.A, uint32(a)), v.At(s.B, uint32(b))
			x.Evidence = append(x.Evidence, Evidence{s.A, a, "tcp.seq_raw", fmt.Sprint(p.Seq)}, Evidence{s.B, b, "tcp.seq_raw", fmt.Sprint(q.Seq)})
			if n == 0 && d == 1 {
				text = fmt.Sprintf("%s %s and %s carry the initial sequence numbers %d and %d, identifications 0x%04x and 0x%04x, TTL %d and %d",
					name, v.frame(s.A, a), v.frame(s.B, b), p.Seq, q.Seq, p.IPID, q.IPID, p.TTL, q.TTL)
			}
		}
	}
	if len(x.Evidence) == 0 {
		for _, f := range fs[:1] {
			x.Evidence = append(x.Evidence, Evidence{s.A, v.first(f, s.A, 0), "tcp.seq_raw", ""}, Evidence{s.B, v.first(f, s.B, 0), "tcp.seq_raw", ""})
		}
	}
	return text
}
