package match

import (
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

// A SYN proxy answers a SYN in the server's name and opens the server's side once the client has proved to exist; from
// then on it forwards packets, the one side's sequence numbers shifted by a constant. The handshakes are two.

// synProxied reports whether the handshakes of both sides are two: one side's numbers shift, and the initiator's SYN is
// not the same packet, or the SYN/ACK is not: IPv6 without timestamps leaves a SYN little to be told by.
func synProxied(a, b *Side, t *Traits) bool {
	if t.Shift[0] != 0 || t.Shift[1] == 0 {
		return false
	}
	for d := 0; d < 2; d++ {
		x, ok := firstWith(a, d, decode.SYN)
		y, ok2 := firstWith(b, d, decode.SYN)
		if !ok || !ok2 {
			continue
		}
		f, h := a.Cap.At(x), b.Cap.At(y)
		stamped := f.Is(flow.MarkTS) && (h.Is(flow.MarkTS) || !h.Is(flow.MarkOptionsCut))
		if d == 1 {
			// Its identification is 0 with many senders; a device that only rewrites numbers keeps window and clock.
			return f.Window != h.Window && (!stamped || f.TSval != h.TSval)
		}
		if f.IPID != h.IPID || f.Window != h.Window || stamped && f.Opt != h.Opt {
			return true
		}
	}
	return false
}

// dropHandshake takes the handshakes out of the packet lists.
func (m *matcher) dropHandshake() {
	for d := 0; d < 2; d++ {
		m.la[d] = withoutHandshake(m.a, m.la[d], d)
		m.lb[d] = withoutHandshake(m.b, m.lb[d], d)
	}
}

// withoutHandshake leaves out SYN, SYN/ACK and the initiator's acknowledgement that ends the handshake.
func withoutHandshake(c *flow.Capture, l []uint32, d int) []uint32 {
	var out []uint32
	var isn uint32
	open := false
	for _, i := range l {
		f := c.At(i)
		if f.Flags()&decode.SYN != 0 {
			isn, open = f.Seq, d == 0
			continue
		}
		if open && f.Len() == 0 && f.Seq == isn+1 && f.Flags()&(decode.FIN|decode.RST) == 0 {
			open = false
			continue
		}
		out = append(out, i)
	}
	return out
}
