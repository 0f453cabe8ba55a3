package capture

// FrameNo is a frame's number as Wireshark shows it: it counts from 1, 0 means none.
type FrameNo uint32

// LocalTime is a frame's time on the clock of the capture that holds it, in nanoseconds since 1970-01-01 UTC.
// Times of two captures must not be compared before package clock has related them.
type LocalTime int64

// LinkType is a pcap LINKTYPE_ value (https://www.tcpdump.org/linktypes.html).
type LinkType uint16

const (
	LinkNull     LinkType = 0
	LinkEthernet LinkType = 1
	LinkPPP      LinkType = 9
	LinkRawBSD   LinkType = 12
	LinkRawOpen  LinkType = 14
	LinkRaw      LinkType = 101
	LinkLoop     LinkType = 108
	LinkSLL      LinkType = 113
	LinkIPv4     LinkType = 228
	LinkIPv6     LinkType = 229
	LinkSLL2     LinkType = 276
)

// Direction is what the recorder noted of a frame's direction (pcapng epb_flags, RFC draft pcapng §4.3.1).
type Direction uint8

const (
	DirectionUnknown Direction = iota
	Inbound
	Outbound
)

// Packet is one frame as the file holds it.
type Packet struct {
	Number    FrameNo   // counts from 1 over the whole file, as Wireshark counts
	Time      LocalTime // ns; 0 with HasTime false (pcapng simple packet blocks carry none)
	HasTime   bool
	OrigLen   uint32 // bytes on the wire
	Link      LinkType
	Direction Direction
	Interface uint32 // counts from 0 over the whole file, across sections
	Data      []byte // captured bytes; valid until the next call of Next
}
