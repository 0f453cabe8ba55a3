package flow

import (
	"encoding/binary"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

// Mark is a set of properties of a packet.
type Mark uint16

const (
	// MarkCut: the snaplen cut the payload; Full covers the tier that MarkTier tells.
	MarkCut        Mark = 1 << iota
	MarkFragment        // first fragment of a datagram: transport header, part of the payload
	MarkLater           // later fragment: no transport header
	MarkError           // ICMP error, tied to the conversation that it quotes
	MarkHasID           // the IP header carries an identification
	MarkDF              // don't fragment
	MarkTS              // TSval is valid
	MarkDuplicate       // copy of an earlier frame of this capture (SPAN, -i any): set by MarkDuplicates
	MarkLocal           // never leaves the link: ARP, ND, STP …
	MarkHead            // Head is valid: HeadTier bytes, or the whole payload, were captured
	MarkOptionsCut      // the snaplen cut the TCP options: what is not there may have been
	MarkNoTime          // the file gives no time for this frame
	MarkEither          // another capture holds equal packets of which nothing tells whether they are this one: set by package match
	MarkTCP             // a TCP segment with its transport header
	markTierShift  = 14 // two bits: tier of a cut payload, see tiers
)

// TCP, UDP and other protocol numbers (IANA).
const (
	ProtoICMP   = 1
	ProtoTCP    = 6
	ProtoUDP    = 17
	ProtoESP    = 50
	ProtoICMPv6 = 58
	ProtoSCTP   = 132
)

// Fact is one packet. Fields that a protocol lacks are 0. Types and codes of ICMPv6 stand in ICMP's numbers.
//
//	           TCP     UDP            ICMP echo  ICMP error             ESP   SCTP   later fragment
//	Seq        seq     0              id         quoted seq             SPI   vtag   IP id
//	Ack        ack     0              seq        quoted IP id           seq   TSN    offset
//	Flags      flags   0              type       type                   0     0      0
//	Window     window  0              code       code                   0     0      0
//	Opt        options 0              0          ErrorByEnd or 0        0     0      0
type Fact struct {
	time     [8]byte // little endian: a number of eight bytes would make facts larger by the room that it is aligned to
	Seq, Ack uint32
	Full     uint32 // hash of the payload, all of it or (MarkCut) its largest captured tier
	Head     uint32 // hash of the first HeadTier bytes, or of all of a shorter one
	TSval    uint32 // RFC 7323
	len      uint16 // the payload's length, its lower bits
	bits     uint16 // flags, direction, upper bits of len
	IPID     uint16
	Window   uint16
	Opt      uint16 // hash of TSecr and of the SACK blocks relative to the acknowledgement
	envelope uint16 // see envelopes
	Mark     Mark
	TTL      uint8
	TOS      uint8
}

// ErrorByEnd says of an ICMP error that the host sent it which the quoted packet was for.
const ErrorByEnd = 1

// What lies in Fact.bits: Flags, which TCP has twelve of with those that are reserved (RFC 9293 §3.1), then the direction, then the
// upper bits of the payload's length.
const (
	flagsMask = 1<<12 - 1
	dirShift  = 12
	lenShift  = 13
	// lenMost is the longest payload that a fact can tell: that of the largest segments which network cards are given to cut.
	lenMost = 1<<19 - 1
)

// Time is when the frame was captured.
func (f *Fact) Time() capture.LocalTime {
	return capture.LocalTime(binary.LittleEndian.Uint64(f.time[:]))
}

func (f *Fact) setTime(t capture.LocalTime) { binary.LittleEndian.PutUint64(f.time[:], uint64(t)) }

// Len is the number of payload bytes on the wire; 524,287 stands for more.
func (f *Fact) Len() uint32 { return uint32(f.len) | uint32(f.bits>>lenShift)<<16 }

func (f *Fact) setLen(n uint32) {
	n = min(n, lenMost)
	f.len = uint16(n)
	f.bits = f.bits&(1<<lenShift-1) | uint16(n>>16)<<lenShift
}

// Flags: see Fact.
func (f *Fact) Flags() uint16 { return f.bits & flagsMask }

func (f *Fact) setFlags(x uint16) { f.bits = f.bits&^flagsMask | x&flagsMask }

// Dir is 0 in the direction of the conversation's first packet, 1 against it.
func (f *Fact) Dir() int { return int(f.bits >> dirShift & 1) }

func (f *Fact) setDir(reverse uint16) { f.bits = f.bits&^(1<<dirShift) | reverse&1<<dirShift }

// Short reports whether the snaplen cut a TCP header in front of its window: ports and, as far as they go, sequence and
// acknowledgement number are known, but neither the flags nor where the payload begins.
func (f *Fact) Short() bool { return f.Mark&(MarkOptionsCut|MarkTCP) == MarkOptionsCut }

// LacksQuote reports whether a packet of this protocol is an ICMP error whose quoted packet is not known: the snaplen cut it.
func (f *Fact) LacksQuote(proto uint8) bool {
	if Versionless(proto) != ProtoICMP || f.Mark&(MarkError|MarkLater) != 0 {
		return false
	}
	switch f.Flags() {
	case 3, 4, 5, 11, 12: // unreachable, source quench, redirect, time exceeded, parameter problem (RFC 792)
		return true
	}
	return false
}

// Is reports whether all marks of m are set.
func (f *Fact) Is(m Mark) bool { return f.Mark&m == m }

// tier is the number of payload bytes that Full covers: 0 for all of them.
func (f *Fact) tier() int {
	if !f.Is(MarkCut) {
		return 0
	}
	return tiers[f.Mark>>markTierShift]
}

// SamePayload compares two packets' payloads as far as both captures hold them. known is false where nothing can be
// compared (cut too short on one side).
func SamePayload(a, b *Fact) (same, known bool) {
	switch {
	case a.Short() || b.Short():
		return false, false
	case a.Len() != b.Len():
		return false, true
	case a.Len() == 0:
		return true, true
	case a.tier() == b.tier() && (a.tier() != 0 || !a.Is(MarkCut)):
		return a.Full == b.Full, a.hasFull() && b.hasFull()
	case a.Is(MarkHead) && b.Is(MarkHead):
		return a.Head == b.Head, true
	}
	return false, false
}

func (f *Fact) hasFull() bool { return !f.Is(MarkCut) || f.tier() > 0 }

// Link is what the link layer says of a packet: who handed it over to whom, and inside of what.
type Link struct {
	Src, Dst  [6]byte
	HasMAC    bool
	Interface uint32 // of the file, and that a cooked header names
	Direction capture.Direction
	VLANs     uint8
	VLAN      uint16
	NTunnel   uint8
	Tunnel    [4]decode.Tunnel
	VNI       uint32
	OuterSrc  decode.Addr // of the outermost IP header; zero without a tunnel
	OuterDst  decode.Addr
	OuterVer  uint8
}
