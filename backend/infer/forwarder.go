package infer

import (
	"fmt"

	"github.com/corr-dev/corr/backend/exchange"
)

// forwarders names devices that end messages, not connections: they ask anew what they are asked (DNS), or send on what
// they are sent (SIP); and proxies whose connections carry on no other one to one: pooled ones, or several requests of one
// connection at once.
func (v *Verdict) forwarders(s *Segment) {
	for _, r := range v.Exchanges.Relations {
		a, b := r.Front.Capture, r.Back.Capture
		if !(a == s.A && b == s.B || a == s.B && b == s.A) {
			continue
		}
		f, g := v.FlowOf[a][r.Front.ID], v.FlowOf[b][r.Back.ID]
		if f == nil || g == nil {
			continue
		}
		var x *Box
		switch {
		case r.Kind == exchange.Forwarded && r.SIP:
			x = s.box(Forwarder)
			x.change("sip.Via", "adds its own, and sends from a socket of its own")
		case r.Kind == exchange.Forwarded:
			x = s.box(Forwarder)
			x.change("dns.id", "asks anew, with its own id and port")
		default:
			x = s.box(Proxy)
			x.change("tcp.stream", "requests go on over connections of its own")
		}
		x.Confidence = max(x.Confidence, 90)
		x.Flows.add(f)
		x.Flows.add(g)
		x.prove(Evidence{a, v.first(f, a, 0), "corr.message.peer", fmt.Sprintf("%d messages", r.Messages)}, Evidence{b, v.first(g, b, 0), "corr.message.peer", fmt.Sprintf("%d messages", r.Messages)})
	}
}
