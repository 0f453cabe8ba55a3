package match

import (
	"net/netip"

	"github.com/corr-dev/corr/backend/flow"
)

// Translation is what a device's log says of a conversation's addresses: on one side of it From and To, on the other XFrom
// and XTo. Where one of these is not valid, that end is the same on both sides; port 0: the port is. To of port 0 says
// nothing of the other end.
type Translation struct {
	Proto                string // lower case, "" unknown
	From, To, XFrom, XTo netip.AddrPort
}

// sides are the two tuples that a translation relates; whole is false where it speaks of the initiator's end alone.
func (t *Translation) sides() (a, b [2]netip.AddrPort, whole bool) {
	a = [2]netip.AddrPort{t.From, t.To}
	b = a
	for k, x := range []netip.AddrPort{t.XFrom, t.XTo} {
		if x.IsValid() {
			b[k] = x
			if x.Port() == 0 {
				b[k] = netip.AddrPortFrom(x.Addr(), a[k].Port())
			}
		}
	}
	return a, b, t.To.Port() != 0
}

// said is what logs say of translations, by tuples: the numbers of the translations that name one.
type said struct {
	whole map[[2]netip.AddrPort][]uint32
	half  map[netip.AddrPort][]uint32
	proto []string
}

// crowded bounds the translations of one tuple that are looked at: a port used so often tells nothing.
const crowded = 64

func newSaid(ts []Translation) *said {
	if len(ts) == 0 {
		return nil
	}
	s := &said{whole: map[[2]netip.AddrPort][]uint32{}, half: map[netip.AddrPort][]uint32{}, proto: make([]string, len(ts))}
	seen := map[[4]netip.AddrPort]bool{} // a log says each several times
	for i := range ts {
		a, b, whole := ts[i].sides()
		k := [4]netip.AddrPort{a[0], a[1], b[0], b[1]}
		if seen[k] || a == b {
			continue
		}
		seen[k] = true
		s.proto[i] = ts[i].Proto
		for _, x := range [][2]netip.AddrPort{a, b} {
			if whole {
				s.whole[x] = append(s.whole[x], uint32(i))
			} else {
				s.half[x[0]] = append(s.half[x[0]], uint32(i))
			}
		}
	}
	return s
}

// entries gives a conversation a key for each translation that names it.
func (s *said) entries(out *dealt, c *flow.Capture, id flow.ConvID) {
	proto := map[uint8]string{flow.ProtoTCP: "tcp", flow.ProtoUDP: "udp", flow.ProtoICMP: "icmp", flow.ProtoSCTP: "sctp"}[c.Conv(id).Proto]
	if proto == "" {
		return
	}
	t := c.Tuple(id, 0)
	x, y := netip.AddrPortFrom(t.Src.Netip(t.Version).Unmap(), t.Sport), netip.AddrPortFrom(t.Dst.Netip(t.Version).Unmap(), t.Dport)
	for dir, l := range [2][]uint32{s.whole[[2]netip.AddrPort{x, y}], s.whole[[2]netip.AddrPort{y, x}]} {
		s.keys(out, l, proto, id, dir)
	}
	for dir, l := range [2][]uint32{s.half[x], s.half[y]} {
		s.keys(out, l, proto, id, dir)
	}
}

func (s *said) keys(out *dealt, l []uint32, proto string, id flow.ConvID, dir int) {
	if len(l) > crowded {
		return
	}
	for _, n := range l {
		if p := s.proto[n]; p == "" || p == proto {
			out.add(evLog, id, dir, flow.Mix(uint64(n), uint64(evLog)<<8))
		}
	}
}
