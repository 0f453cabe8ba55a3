package lab

import (
	"fmt"
	"net/netip"

	"github.com/corr-dev/corr/backend/capture"
)

// The tunnel's ends, of addresses that no recorded case has.
var (
	tunnelClient = netip.AddrFrom4([4]byte{203, 0, 113, 1})
	tunnelServer = netip.AddrFrom4([4]byte{203, 0, 113, 2})
)

// wrapper gives the bytes that stand for the frame's link header, for a payload of this ethertype and length: what is
// between the link header of the frame and its network header. inner says where the copied bytes begin.
type wrapper func(w *wrap) []byte

// wrap is one frame to encapsulate.
type wrap struct {
	h     *header
	link  []byte // Ethernet header with tags in front of the network header
	ether uint16 // type of the network header
	body  []byte // network header and what follows
	wire  int    // length of body on the wire
	dir   byte
	id    uint16
}

// encapsulate puts the packets of one capture into a tunnel that begins and ends beside it.
func encapsulate(name string, w wrapper) func(*Case, *Capture, args) error {
	return func(c *Case, p *Capture, a args) error {
		if p.Link != capture.LinkEthernet {
			return fmt.Errorf("%s has no Ethernet headers", p.File)
		}
		id := uint16(a.UintN(65536))
		for _, f := range p.Frames {
			h := read(p.Link, f)
			if h.ip < 0 || h.nd {
				continue // local: never enters a tunnel
			}
			off := h.ips[0].off
			x := &wrap{h: h, link: f.Data[:off], ether: be.Uint16(f.Data[off-2:]), body: f.Data[off:], wire: int(f.OrigLen) - off, dir: f.Dir, id: id}
			if x.ether != etherIPv4 && x.ether != etherIPv6 { // behind MPLS there is no type
				x.ether = map[byte]uint16{4: etherIPv4, 6: etherIPv6}[h.ips[0].proto]
			}
			id++
			data := w(x)
			if data == nil {
				continue
			}
			f.OrigLen = uint32(len(data) - len(x.body) + x.wire)
			f.Data = data
			if p.Snaplen > 0 {
				f.Data = f.Data[:min(len(f.Data), int(p.Snaplen))]
			}
		}
		c.tunnelEnds(p, name)
		return nil
	}
}

// tunnelEnds notes the devices that put packets into the tunnel and take them out.
func (c *Case) tunnelEnds(p *Capture, name string) {
	for _, q := range c.Pairs {
		if q.side(p) < 0 || q.Around != "" {
			continue
		}
		known := false
		for _, b := range q.Middleboxes {
			known = known || text(b["kind"]) == "tunnel-endpoint"
		}
		if !known {
			b := box("tunnel-endpoint")
			b["encapsulation"] = name
			q.Middleboxes = append(q.Middleboxes, b)
		}
	}
}

// outerIPv4 is the header between the tunnel's ends for a payload of n bytes on the wire.
func (w *wrap) outerIPv4(proto byte, n int) []byte {
	src, dst := tunnelClient, tunnelServer
	if w.dir == 'r' {
		src, dst = dst, src
	}
	b := make([]byte, 20)
	b[0] = 0x45
	be.PutUint16(b[2:], uint16(20+n))
	be.PutUint16(b[4:], w.id)
	b[8], b[9] = 62, proto
	copy(b[12:], src.AsSlice())
	copy(b[16:], dst.AsSlice())
	be.PutUint16(b[10:], checksum(b))
	return b
}

// outerUDP has no checksum (RFC 7348 §4.1); its source port tells flows apart.
func (w *wrap) outerUDP(port uint16, n int) []byte {
	b := make([]byte, 8)
	be.PutUint16(b, 49152+(w.h.tuple.sport^w.h.tuple.dport)&0x3fff)
	be.PutUint16(b[2:], port)
	be.PutUint16(b[4:], uint16(8+n))
	return b
}

// macs is the Ethernet header without tags, of another ethertype.
func (w *wrap) macs(ether uint16) []byte {
	return be.AppendUint16(append([]byte(nil), w.link[:12]...), ether)
}

func concat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
