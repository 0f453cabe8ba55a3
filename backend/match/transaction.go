package match

import (
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/message"
)

// A gateway that rewrites addresses inside of SIP (RFC 3261) leaves of a datagram's bytes and length nothing that could be
// compared, and many senders give datagrams no identification. The branch of its topmost Via field stays: it is random, and a
// proxy, which sends messages of its own, would put another one on top.

// speaksSIP reports whether a conversation is one of SIP over UDP.
func speaksSIP(c *flow.Capture, id flow.ConvID) bool {
	in := &c.Convs[id]
	return c.Conv(id).Proto == flow.ProtoUDP && (in.Data[0].Class == uint8(message.ProtoSIP) || in.Data[1].Class == uint8(message.ProtoSIP))
}

// transaction is a number made of a SIP message's transaction and what it is in it; 0 for none.
func transaction(c *flow.Capture, i uint32) uint64 {
	f := c.At(i)
	b, ok := c.Payload(i)
	if !ok || c.Sealed != nil || f.Len() == 0 || f.Mark&(flow.MarkError|flow.MarkLater) != 0 {
		return 0
	}
	t := c.Tuple(c.ID(i), f.Dir())
	m := message.Name(flow.ProtoUDP, t.Sport, t.Dport, b, int(f.Len())).SIP
	if m == nil {
		return 0
	}
	branch := m.Branch()
	if branch == "" {
		return 0
	}
	// A CANCEL and the ACK of a refusal have their request's branch (§9.1, §17.1.1.3); a request is answered more than once.
	return flow.Mix(xxhash.Sum64String(branch), xxhash.Sum64String(m.Method)^uint64(m.Status)) | 1
}

// transactions pairs what is left of SIP by its transactions: what has no identification that would name it.
func (m *matcher) transactions(t *Traits, d int, w Window) {
	if len(m.restA) == 0 || len(m.restB) == 0 {
		return
	}
	m.groups = m.groups[:0]
	for side, l := range [2][]uint32{m.restA, m.restB} {
		c := [2]*flow.Capture{m.a, m.b}[side]
		for _, i := range l {
			if key := transaction(c, i); key != 0 {
				m.groups = append(m.groups, grouped{key, i, uint8(side)})
			}
		}
	}
	slices.SortFunc(m.groups, byKeyAndSide)
	m.eachGroup(func(x, y []grouped, take func(a, b uint32, how How)) {
		if t.KeepsID {
			x, y = m.withoutOwnID(x, y)
		}
		switch {
		case len(x) == 1 && len(y) == 1 && (w == nil || m.near(x[0].i, y[0].i, d, w, aloneNS)):
			take(x[0].i, y[0].i, HowRewritten)
		case len(x) > 0 && len(y) > 0 && w != nil: // sent again
			m.copies = [2]bool{}
			m.byTime(x, y, d, w, func(a, b uint32, how How) {
				if how == HowOrder {
					how = HowRewritten
				}
				take(a, b, how)
			})
		}
	})
}
