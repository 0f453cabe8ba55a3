package lab

import (
	"math/rand/v2"
	"net/netip"
)

var renumberTransform = Transform{"renumber", "", "gives networks and network cards other addresses, the same at every point", renumberAddrs}

func renumberAddrs(c *Case, a args) error {
	m := &numbering{rng: a.Rand, nets: map[netip.Prefix]netip.Prefix{}, used: map[netip.Prefix]bool{}, mac: [3]byte{0, byte(a.IntN(256)), byte(a.IntN(256))}}
	for _, p := range c.Captures {
		for _, f := range p.Frames {
			h := read(p.Link, f)
			m.frame(h)
		}
	}
	for _, p := range c.Pairs {
		if p.rest["nat_map"] != nil {
			p.rest["nat_map"] = m.natMap(list(p.rest["nat_map"]))
		}
	}
	return nil
}

// numbering maps whole networks (IPv4 /24, IPv6 /64), so that hosts of one stay together and broadcasts stay broadcasts.
type numbering struct {
	rng  *rand.Rand
	nets map[netip.Prefix]netip.Prefix
	used map[netip.Prefix]bool
	mac  [3]byte
}

func (m *numbering) frame(h *header) {
	for _, off := range h.macs {
		m.card(h, off)
		m.card(h, off+6)
	}
	for _, l := range h.ips {
		src, dst, n := l.addrs()
		m.at(h, src, n)
		m.at(h, dst, n)
	}
	if h.arp >= 0 && h.has(h.arp, 28) && be.Uint16(h.data[h.arp+2:]) == etherIPv4 {
		m.card(h, h.arp+8)
		m.at(h, h.arp+14, 4)
		m.card(h, h.arp+18)
		m.at(h, h.arp+24, 4)
	}
	if h.nd && h.has(h.l4, 24) && (h.data[h.l4] == 135 || h.data[h.l4] == 136) {
		m.at(h, h.l4+8, 16)
	}
}

// card changes a MAC address's last bytes: the maker's first three are evidence.
func (m *numbering) card(h *header, off int) {
	if !h.has(off, 6) || h.data[off]&1 != 0 || be.Uint32(h.data[off:]) == 0 {
		return
	}
	for i := range m.mac {
		h.set(off+3+i, []byte{h.data[off+3+i] ^ m.mac[i]})
	}
}

func (m *numbering) at(h *header, off, n int) {
	if h.has(off, n) {
		if a := m.addr(h.addrAt(off, n)); a != h.addrAt(off, n) {
			h.set(off, a.AsSlice())
		}
	}
}

func (m *numbering) addr(a netip.Addr) netip.Addr {
	if a.IsMulticast() || a.IsUnspecified() || a.IsLoopback() || a.IsLinkLocalUnicast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return a
	}
	bits := 24
	if a.Is6() {
		bits = 64
	}
	from, _ := a.Prefix(bits)
	to, ok := m.nets[from]
	if !ok {
		to = m.fresh(a.Is6())
		m.nets[from] = to
	}
	b, net := a.AsSlice(), to.Addr().AsSlice()
	copy(b, net[:bits/8])
	out, _ := netip.AddrFromSlice(b)
	return out
}

func (m *numbering) fresh(six bool) netip.Prefix {
	for {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(16 + m.rng.IntN(16)), byte(m.rng.IntN(256)), 0}), 24)
		if six {
			b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
			be.PutUint32(b[4:], m.rng.Uint32())
			p = netip.PrefixFrom(netip.AddrFrom16(b), 64)
		}
		if !m.used[p] {
			m.used[p] = true
			return p
		}
	}
}

func (m *numbering) natMap(entries []any) []any {
	var out []any
	for _, e := range objects(entries) {
		e = copyMap(e)
		for _, end := range []string{"a", "b"} {
			t := append([]any{}, list(e[end])...)
			for _, i := range []int{0, 2} {
				if len(t) != 4 {
					continue
				}
				if a, err := netip.ParseAddr(text(t[i])); err == nil {
					t[i] = m.addr(a).String()
				}
			}
			e[end] = t
		}
		out = append(out, e)
	}
	return out
}
