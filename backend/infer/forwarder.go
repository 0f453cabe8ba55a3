package infer

import "fmt"

// forwarders names devices that end messages, not connections: they ask anew what they are asked (DNS).
func (v *Verdict) forwarders(s *Segment) {
	for _, r := range v.Exchanges.Relations {
		a, b := r.Front.Capture, r.Back.Capture
		if r.Kind != "forwarded" || !(a == s.A && b == s.B || a == s.B && b == s.A) {
			continue
		}
		f, g := v.FlowOf[a][r.Front.ID], v.FlowOf[b][r.Back.ID]
		if f == nil || g == nil {
			continue
		}
		x := s.box(Forwarder)
		x.Confidence = 90
		x.Flows[f], x.Flows[g] = true, true
		x.change("dns.id", "asks anew, with its own id and port")
		x.prove(Evidence{a, v.first(f, a, 0), "corr.message.peer", fmt.Sprintf("%d messages", r.Messages)}, Evidence{b, v.first(g, b, 0), "corr.message.peer", fmt.Sprintf("%d messages", r.Messages)})
	}
}
