package match

import (
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

// A SYN proxy answers a SYN in the server's name and opens the server's side once the client has proved to exist; from
// then on it forwards packets, the one side's sequence numbers shifted by a constant. The handshakes are two.

// synProxied reports whether the handshakes of both sides are two: one side's numbers shift, and the initiator's SYN is
// not the same packet.
func synProxied(a, b *Side, t *Traits) bool {
	if t.Shift[0] != 0 || t.Shift[1] == 0 {
		return false
	}
	x, ok := firstWith(a, 0, decode.SYN)
	y, ok2 := firstWith(b, 0, decode.SYN)
	if !ok || !ok2 {
		return false
	}
	f, h := a.Cap.At(x), b.Cap.At(y)
	return f.IPID != h.IPID || f.Window != h.Window || f.Is(flow.MarkTS) && f.Opt != h.Opt
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
		if f.Flags&decode.SYN != 0 {
			isn, open = f.Seq, d == 0
			continue
		}
		if open && f.Len == 0 && f.Seq == isn+1 && f.Flags&(decode.FIN|decode.RST) == 0 {
			open = false
			continue
		}
		out = append(out, i)
	}
	return out
}
