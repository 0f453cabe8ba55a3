package pipeline

import "github.com/corr-dev/corr/backend/flow"

// Ports of tunnels that leave nothing of what they carry to be compared: IPsec through NAT (RFC 3948), and the usual ones of WireGuard and
// OpenVPN.
const (
	portIPsecNAT  = 4500
	portWireGuard = 51820
	portOpenVPN   = 1194
)

// sealedIn names the tunnel that most of a capture's packets are in, of those that encrypt what they carry; "" for none.
func sealedIn(c *flow.Capture) string {
	in := map[string]int{}
	for id := range c.Convs {
		k := flow.ConvID(id)
		t := c.Tuple(k, 0)
		has := func(proto uint8, port uint16) bool {
			return c.Conv(k).Proto == proto && (t.Sport == port || t.Dport == port)
		}
		switch {
		case c.Conv(k).Proto == flow.ProtoESP, has(flow.ProtoUDP, portIPsecNAT):
			in["IPsec"] += c.Count(k)
		case has(flow.ProtoUDP, portWireGuard):
			in["WireGuard"] += c.Count(k)
		case has(flow.ProtoUDP, portOpenVPN), has(flow.ProtoTCP, portOpenVPN):
			in["OpenVPN"] += c.Count(k)
		}
	}
	for name, n := range in {
		if 2*n > c.Len() {
			return name
		}
	}
	return ""
}
