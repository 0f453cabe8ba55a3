package decode

import (
	"encoding/binary"

	"github.com/corr-dev/corr/backend/capture"
)

var be = binary.BigEndian

// maxLayers bounds how many link and IP headers are followed; real traffic has four or five.
const maxLayers = 24

// state walks one frame. Offsets are from the frame's start throughout.
type state struct {
	p *Packet
	// b is the frame up to where the layers so far say that it ends; wire is that end where the snaplen had not cut.
	b    []byte
	wire int

	layers  int
	ntunnel uint8 // tunnels met, of which Packet.NTunnel counts those with an IP header inside
	tunnel  [4]Tunnel
	vni     uint32
	frag    bool // inside the first fragment of a datagram that Wireshark puts together before it looks inside
	partial bool // inside a first fragment that it looks into as it is
	nested  bool // Packet.Outer is set, as there is more than one IP header
	mirror  bool // the next Ethernet header is that of an ERSPAN mirror's frame
}

// Decode reads data, a frame of the given link type with origLen bytes on the wire, into p. It never fails: p.Reach
// says how far it came.
func Decode(link capture.LinkType, data []byte, origLen uint32, p *Packet) {
	p.reset()
	var s state // field by field: a literal would be built elsewhere and copied
	s.p, s.b, s.wire = p, data, max(int(origLen), len(data))
	if link == capture.LinkEthernet {
		s.ethernet(0)
	} else {
		s.link(link)
	}
	if p.Reach >= ReachNetwork && !s.nested {
		p.Outer = p.IP
	}
}

// reset clears a packet but for entries of Socket, which are set in whole: they are half of it.
func (p *Packet) reset() {
	p.Reach, p.Kind, p.Cut, p.HasMAC = 0, 0, false, false
	p.SrcMAC, p.DstMAC, p.EtherType = [6]byte{}, [6]byte{}, 0
	p.Direction, p.InterfaceIndex, p.VLANs, p.VLAN = 0, 0, 0, 0
	p.NTunnel, p.Tunnel, p.VNI = 0, [4]Tunnel{}, 0
	p.Outer, p.IP, p.Sport, p.Dport, p.TCP = IP{}, IP{}, 0, 0, TCP{}
	p.ICMPType, p.ICMPCode, p.ICMPSeq, p.Quote = 0, 0, 0, Quote{}
	p.Payload, p.PayloadLen, p.PayloadOffset, p.NSocket = nil, 0, 0, 0
}

// has reports whether n bytes at off were captured, and notes it where the snaplen is why not.
func (s *state) has(off, n int) bool {
	if off+n <= len(s.b) {
		return true
	}
	if off+n <= s.wire {
		s.p.Cut = true
	}
	return false
}

// limit ends everything inside at end, if it ends there and not earlier.
func (s *state) limit(end int) {
	if end < s.wire {
		s.wire = end
		if end < len(s.b) {
			s.b = s.b[:end]
		}
	}
}

// payload sets the payload to what lies at off.
func (s *state) payload(off int) {
	p := s.p
	if off > len(s.b) {
		p.Payload, p.PayloadOffset = s.b[len(s.b):], uint32(len(s.b))
	} else {
		p.Payload, p.PayloadOffset = s.b[off:], uint32(off)
	}
	p.PayloadLen = uint32(max(s.wire-off, 0))
}

// enter counts a layer and reports whether it may be followed.
func (s *state) enter() bool {
	s.layers++
	return s.layers <= maxLayers
}

// through notes a tunnel; it counts once an IP header is found inside.
func (s *state) through(t Tunnel) {
	if int(s.ntunnel) < len(s.tunnel) {
		s.tunnel[s.ntunnel] = t
		s.ntunnel++
	}
}

// nonIP classes a frame without IP. Inside a tunnel the packet stays what the tunnel's own headers say.
func (s *state) nonIP(etherType uint16, k Kind) {
	if p := s.p; p.Reach <= ReachLink {
		p.Reach, p.Kind, p.EtherType = ReachLink, k, etherType
	}
}

// socket returns the next entry of the list of TCP and UDP headers, to be set in whole; of too many, the last entry
// holds the innermost.
func (s *state) socket() *Socket {
	p := s.p
	if int(p.NSocket) < len(p.Socket) {
		p.NSocket++
	}
	return &p.Socket[p.NSocket-1]
}

// set copies an address in halves, as put4 wrote it: a load wider than the stores before it waits for them.
func (a *Addr) set(b *Addr) {
	binary.LittleEndian.PutUint64(a[:8], binary.LittleEndian.Uint64(b[:8]))
	binary.LittleEndian.PutUint64(a[8:], binary.LittleEndian.Uint64(b[8:]))
}
