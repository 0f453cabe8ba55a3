package decode

import "github.com/corr-dev/corr/backend/capture"

// Addr is an IPv4 or IPv6 address, IPv4 in its IPv4-mapped form (RFC 4291 §2.5.5.2). Which of both it is, IP.Version says.
type Addr [16]byte

// Reach says how far decoding of a frame came.
type Reach uint8

const (
	ReachNone      Reach = iota // not even a link header
	ReachLink                   // link layer known, no IP inside
	ReachNetwork                // an IP header, no transport header (cut, unknown protocol, later fragment)
	ReachTransport              // ports (TCP, UDP, UDP-Lite, SCTP), ICMPType (with id where it has one) or SPI (ESP) are valid
)

// Kind is a class of frames that never leave the link, or none.
type Kind uint8

const (
	KindOther  Kind = iota // IP traffic that may travel on
	KindARP                // ARP, RARP
	KindND                 // ICMPv6 neighbour or router discovery, MLD
	KindSTP                // spanning tree and other LLC frames
	KindLLDP               // LLDP, CDP
	KindEAPOL              // 802.1X
	KindPPPoED             // PPPoE discovery
	KindNonIP              // any other ethertype
	KindIGMP               // IPv4 group membership (RFC 3376)
)

// Tunnel is one encapsulation around the innermost IP header.
type Tunnel uint8

const (
	TunnelNone Tunnel = iota
	TunnelVLAN
	TunnelMPLS
	TunnelPPPoE
	TunnelGRE
	TunnelIPIP // IPv4 or IPv6 in IPv4
	TunnelIP6  // IPv4 or IPv6 in IPv6
	TunnelVXLAN
	TunnelGENEVE
	TunnelERSPAN
	TunnelGTPU
)

// IP holds the fields of one IP header.
type IP struct {
	Version  uint8 // 4, 6; 0: no IP header
	TTL      uint8 // time to live, hop limit
	TOS      uint8 // DSCP<<2 | ECN (RFC 2474, RFC 3168)
	Proto    uint8 // the upper-layer protocol, after IPv6 extension headers
	HasID    bool  // IPv4: always; IPv6: only with a fragment header
	DF, MF   bool
	ID       uint32 // IPv4: 16 bits
	FragOff  uint32 // bytes; >0: a later fragment, no transport header
	Len      uint32 // whole datagram, bytes, as on the wire (0 in the header, as with TSO: taken from the frame)
	DataLen  uint32 // what of Len lies behind this header and its extension headers; of a fragment: its share of the datagram
	Whole    bool   // the frame holds all of Len, nothing is cut off
	Src, Dst Addr
}

// Fragment reports whether the header belongs to a fragment of a larger datagram.
func (h *IP) Fragment() bool { return h.MF || h.FragOff != 0 }

// TCP flags as they lie in the header (RFC 9293 §3.1, RFC 3168; NS: RFC 3540, AE: RFC 9768).
const (
	FIN uint16 = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
	AE
)

// MaxSACK is the number of SACK blocks that fit a TCP header (RFC 2018 §3).
const MaxSACK = 4

// TCP holds the fields of one TCP header.
type TCP struct {
	Seq, Ack      uint32
	Flags, Window uint16
	Checksum      uint16
	HeaderLen     uint8 // bytes; options included; 0: cut before it
	Captured      uint8 // header bytes in the frame, at most 20: Seq is valid from 8 on, Ack 12, Flags 14, Window 16, Checksum 18
	OptionsCut    bool  // the snaplen or a broken option ended the list early; what follows holds what was read

	HasTS       bool
	TSval, TSec uint32 // RFC 7323 §3

	NSACK uint8 // number of valid entries of SACK
	SACK  [MaxSACK][2]uint32

	// Only SYN segments fill the fields below.
	MSS      int32 // -1: absent
	WScale   int16 // -1: absent (not the same as 0)
	SACKPerm bool
	TFO      bool // fast open cookie or request (RFC 7413)
	MPTCP    bool // RFC 8684
	// OptionKinds lists the option kinds in their order, NOP and EOL included, as bytes; at most 16.
	OptionKinds  [16]uint8
	NOptionKinds uint8
}

// Quote is the packet that an ICMP error quotes (RFC 792, RFC 4443).
type Quote struct {
	Valid        bool // the quoted IP header could be read
	IP           IP
	HasPorts     bool // Sport and Dport are valid (or ICMP echo id in both)
	Sport, Dport uint16
	HasSeq       bool // Seq is valid: TCP
	Seq          uint32
	MTU          uint16 // of the next hop, "fragmentation needed" or "packet too big"; 0 if none
}

// Socket is a TCP or UDP header anywhere in the frame, in the order of the bytes: the headers that Wireshark numbers
// conversations (tcp.stream, udp.stream) by. Those that it gives up before numbering aren't here: TCP headers with
// less than 16 bytes captured, UDP headers with less than 8 or a length field below that.
type Socket struct {
	Proto        uint8 // 6, 17, 136 (numbered as UDP)
	Version      uint8
	Quoted       bool // inside an ICMP error
	Fragment     bool // of a datagram that is a first fragment: Wireshark numbers it once it is whole
	Partial      bool // TCP: length unknown (quoted, fragment cut by the snaplen, broken): Wireshark learns no base sequence number
	Src, Dst     Addr
	Sport, Dport uint16
	Seq, Ack     uint32 // TCP
	Flags        uint16 // TCP
}

// Packet is what the headers of one frame say. Decode resets every field; fields below Reach are meaningless.
type Packet struct {
	Reach  Reach
	Kind   Kind
	Cut    bool // the snaplen ended a header that would have been read
	HasMAC bool

	// Of the outermost Ethernet header, but of the mirrored frame inside ERSPAN. Linux cooked captures know the sender only.
	SrcMAC, DstMAC [6]byte
	EtherType      uint16 // of the innermost link header in front of IP; PPP protocols as the ethertype they stand for
	// Of a Linux cooked header: whether the host that recorded sent the frame, or not, and on which of its interfaces (version
	// 2, else 0). Without one neither is known.
	Direction      capture.Direction
	InterfaceIndex uint32
	VLANs          uint8  // number of 802.1Q/802.1ad tags in front of the innermost IP header
	VLAN           uint16 // the outermost tag's VLAN id

	// Tunnels around the innermost IP header, outermost first, VLAN tags not counted. IP is the innermost header,
	// Outer the outermost one (the same as IP without a tunnel).
	NTunnel uint8
	Tunnel  [4]Tunnel
	VNI     uint32 // of the innermost that has one: VXLAN, GENEVE network id, GRE key, GTP-U TEID
	Outer   IP
	IP      IP

	// Transport of the innermost IP header. ICMP echo: Sport = Dport = identifier (other ICMP: 0). ESP: SPI in Seq32, its sequence
	// number in Ack32 are kept in TCP.Seq and TCP.Ack. SCTP: verification tag in TCP.Seq, TSN of the first DATA chunk in TCP.Ack.
	Sport, Dport uint16
	TCP          TCP
	ICMPType     uint8
	ICMPCode     uint8
	ICMPSeq      uint16
	Quote        Quote

	// Payload: captured bytes behind the transport header (behind the IP header where there is none), never beyond the
	// IP datagram's end; a slice of the frame. PayloadLen is its length on the wire, so more where the snaplen cut it.
	Payload    []byte
	PayloadLen uint32
	// PayloadOffset is the offset of Payload in the frame.
	PayloadOffset uint32

	NSocket uint8
	Socket  [6]Socket
}
