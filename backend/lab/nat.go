package lab

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
)

var natTransform = Transform{"nat", "source|destination|double[/ports]@A-B", "translates addresses between two points; with /ports every port too", addNAT}

func addNAT(c *Case, a args) error {
	kind, ports := strings.CutSuffix(a.value, "/ports")
	if kind == "" {
		kind = "source"
	}
	if err := c.line(); err != nil {
		return err
	}
	q, err := a.pair()
	if err != nil {
		return err
	}
	for _, b := range q.Middleboxes {
		if k := text(b["kind"]); k != "lossy-wire" && k != "mss-clamp" && k != "packet-filter" {
			return fmt.Errorf("there is a %s between them", k)
		}
	}
	t := &translation{
		rng: a.Rand, ports: ports, source: kind != "destination", destination: kind != "source",
		to: map[tuple]tuple{}, taken: map[tuple]bool{}, servers: map[netip.Addr]netip.Addr{},
	}
	for _, p := range c.downstream(q) {
		t.capture(p)
	}
	b := box(kind + "-nat")
	b["nat"] = map[string]string{"source": "source", "destination": "destination", "double": "source and destination"}[kind] + " address"
	q.Middleboxes = append(q.Middleboxes, b)
	q.rest["nat_map"] = t.table()
	return nil
}

// translation maps tuples in the client-to-server direction; only conversations that the client's side begins.
type translation struct {
	rng                 *rand.Rand
	ports               bool
	source, destination bool
	to                  map[tuple]tuple
	order               []tuple
	taken               map[tuple]bool
	servers             map[netip.Addr]netip.Addr
}

func (t *translation) capture(p *Capture) {
	tuples := map[*Frame]tuple{} // in the direction toward the server, before anything is changed
	known := map[tuple]bool{}
	for _, f := range p.Frames {
		if f.Flow == nil || f.Flow.Initiator != "client" {
			continue
		}
		x := f
		if f.Head != nil {
			x = f.Head
		}
		k, ok := tuples[x]
		if !ok {
			if k = read(p.Link, x).tuple; f.Dir == 'r' {
				k = k.reverse()
			}
		}
		tuples[f], known[k] = k, true
	}
	for _, f := range p.Frames {
		h := read(p.Link, f)
		if k, ok := tuples[f]; ok {
			h.translate(k, t.lookup(k), f.Dir, false)
		}
		if !h.quoted {
			continue
		}
		switch in := h.inner; {
		case known[in]: // an error about a packet of the client's: it goes back to the client
			h.translate(in, t.lookup(in), 'f', true)
			h.translateOuter(in, t.lookup(in))
		case known[in.reverse()]:
			in = in.reverse()
			h.translate(in, t.lookup(in), 'r', true)
			h.translateOuter(in, t.lookup(in))
		}
	}
}

func (t *translation) lookup(k tuple) tuple {
	if n, ok := t.to[k]; ok {
		return n
	}
	n := k
	if t.destination {
		n.dst = t.server(k.dst)
		if t.ports && (k.proto == protoTCP || k.proto == protoUDP) {
			n.dport = k.dport ^ 0x1000
		}
	}
	if t.source {
		n.src = netip.AddrFrom4([4]byte{198, 51, 100, 7})
		if k.src.Is6() {
			n.src = netip.MustParseAddr("2001:db8:6464::7")
		}
		for (t.ports && n.sport == k.sport || t.taken[n]) && k.proto != protoESP {
			n.sport = uint16(1024 + t.rng.IntN(64512))
		}
	}
	if k.proto == protoICMP || k.proto == protoICMPv6 {
		n.dport = n.sport // one identifier
	}
	t.taken[n], t.to[k] = true, n
	t.order = append(t.order, k)
	return n
}

// server gives each server address one behind the NAT.
func (t *translation) server(a netip.Addr) netip.Addr {
	if b, ok := t.servers[a]; ok {
		return b
	}
	n := byte(len(t.servers) + 10)
	b := netip.AddrFrom4([4]byte{10, 251, 9, n})
	if a.Is6() {
		b = netip.AddrFrom16([16]byte{0xfd, 0, 0x25, 0x10, 15: n})
	}
	t.servers[a] = b
	return b
}

// translate rewrites the packet itself or the one that it quotes.
func (h *header) translate(from, to tuple, dir byte, quoted bool) {
	if dir == 'r' {
		from, to = from.reverse(), to.reverse()
	}
	for _, l := range h.ips {
		src, dst, n := l.addrs()
		if l.quoted == quoted && h.addrAt(src, n) == from.src && h.addrAt(dst, n) == from.dst {
			h.set(src, to.src.AsSlice())
			h.set(dst, to.dst.AsSlice())
		}
	}
	for _, l := range h.trans {
		if l.quoted != quoted || l.proto != from.proto {
			continue
		}
		switch l.proto {
		case protoTCP, protoUDP:
			if be.Uint16(h.data[l.off:]) == from.sport && be.Uint16(h.data[l.off+2:]) == from.dport {
				h.set16(l.off, to.sport)
				h.set16(l.off+2, to.dport)
			}
		case protoICMP, protoICMPv6:
			if isEcho(l.proto, h.data[l.off]) {
				h.set16(l.off+4, to.sport)
			}
		}
	}
}

// translateOuter rewrites the ends of an ICMP error where they are those of the quoted conversation.
func (h *header) translateOuter(from, to tuple) {
	swap := map[netip.Addr]netip.Addr{from.src: to.src, from.dst: to.dst}
	for _, l := range h.ips {
		src, dst, n := l.addrs()
		for _, off := range []int{src, dst} {
			if b, ok := swap[h.addrAt(off, n)]; ok && !l.quoted {
				h.set(off, b.AsSlice())
			}
		}
	}
}

func (t *translation) table() []any {
	var out []any
	end := func(k tuple) []any { return []any{k.src.String(), k.sport, k.dst.String(), k.dport} }
	for _, k := range t.order {
		out = append(out, map[string]any{"proto": k.proto, "a": end(k), "b": end(t.to[k])})
	}
	return out
}
