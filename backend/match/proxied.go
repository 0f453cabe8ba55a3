package match

import (
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/message"
)

// A PROXY protocol header names the ends of the connection in front of the proxy (haproxy's proxy-protocol.txt §2). A
// conversation behind it so names the one that it carries on, wherever a capture in front sees the same addresses.

// allHeaders lists the headers of every capture, nil if none has any.
func allHeaders(caps []*flow.Capture) []map[flow.ConvID]flow.Front {
	all := make([]map[flow.ConvID]flow.Front, len(caps))
	parallel(len(caps), func(k int) { all[k] = headers(caps[k]) })
	if !slices.ContainsFunc(all, func(h map[flow.ConvID]flow.Front) bool { return len(h) > 0 }) {
		return nil
	}
	return all
}

// headers lists the conversations of a capture that begin with a PROXY header which names addresses.
func headers(c *flow.Capture) map[flow.ConvID]flow.Front {
	if c.Sealed != nil {
		return c.Sealed.Fronts
	}
	return Fronts(c)
}

// Fronts reads the PROXY headers of a capture; nil for none.
func Fronts(c *flow.Capture) map[flow.ConvID]flow.Front {
	var out map[flow.ConvID]flow.Front
	for id := range c.Convs {
		if c.Conv(flow.ConvID(id)).Proto != flow.ProtoTCP {
			continue
		}
		for d := range c.Convs[id].Data {
			h := &c.Convs[id].Data[d]
			if !h.Seen {
				continue
			}
			b, ok := c.Payload(h.Fact)
			if !ok {
				continue
			}
			src, dst, ok := message.Proxied(b)
			if !ok {
				continue
			}
			if out == nil {
				out = map[flow.ConvID]flow.Front{}
			}
			out[flow.ConvID(id)] = flow.Front{Dir: d, Tuple: flow.Tuple{Src: decode.Addr(src.Addr().As16()), Dst: decode.Addr(dst.Addr().As16()), Sport: src.Port(), Dport: dst.Port()}}
		}
	}
	return out
}

// frontEntries makes keys of a conversation's own ends, for headers to point at, and of those its header names.
func frontEntries(out *dealt, c *flow.Capture, id flow.ConvID, h map[flow.ConvID]flow.Front) {
	add := func(kind evidence, d int, t flow.Tuple) {
		out.add(kind, id, d, flow.Mix(flow.Mix(addrKey(t.Src, t.Sport), addrKey(t.Dst, t.Dport)), uint64(evProxied)<<8))
	}
	for d := range 2 {
		add(evFront, d, c.Tuple(id, d))
	}
	if p, ok := h[id]; ok {
		add(evProxied, p.Dir, p.Tuple)
	}
}
