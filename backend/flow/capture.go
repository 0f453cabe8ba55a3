package flow

import (
	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

// factChunk is the number of facts allocated at once.
const (
	factBits  = 9
	factChunk = 1 << factBits
)

// Capture is one capture's facts, each in its place: see arrange.go.
type Capture struct {
	Name   string // label of the point
	Path   string
	Format string
	LinkTy capture.LinkType
	// Truncated says where a damaged file ends, "" for a whole one.
	Truncated string
	// Filter is the capture filter that the file names, "" if none.
	Filter string
	// Dropped is the number of packets that the recorder says it missed.
	Dropped uint64
	ties    ties
	// Oddities counts what could not be decoded fully, by a stable name.
	Oddities map[string]int64
	Secrets  [][]byte // key log text that the file carries (pcapng decryption secrets)

	Links []Link
	Convs []Info // by ConvID
	// Handshakes holds what SYN and SYN/ACK segments said; Info.SYN and Info.SYNACK index it.
	Handshakes []Handshake

	// Sealed holds what was read of the payload of a capture that came as an index, and Payload gives fingerprints of TCP
	// streams; nil for one that came as it is.
	Sealed *Sealed

	// Store holds what is large, and what other packages make of it; nil: memory does.
	Store *Store

	table     *Table
	chunks    []*[factChunk]Fact // the last one has room to spare
	n         int
	frames    []uint32 // by place: frame number minus 1
	start     []uint32 // by ConvID: its first place; one more at the end
	first     uint32   // places of the file's first and last frame
	last      uint32
	kept      payloads
	plain     int // frames that were read as plain ones
	envelopes envelopes

	First, Last capture.LocalTime // earliest and latest frame
	// Copies: some frames have MarkDuplicate, see MarkCopy.
	Copies bool
	// AnyCut: some payload was cut by the snaplen. MinHead: nearly every cut payload still has HeadTier bytes. [0] of TCP,
	// [1] of all else.
	AnyCut, MinHead [2]bool
	// OptionsCut: some TCP options were cut by the snaplen; HeadersCut: some TCP headers, see Fact.Short.
	OptionsCut, HeadersCut bool
	// QuotesCut: of some ICMP errors the snaplen cut what tells the packet that they quote.
	QuotesCut bool
}

// Conv is a conversation's identity.
func (c *Capture) Conv(id ConvID) *Conv { return c.table.Conv(id) }

// Info is what a conversation's packets add up to, by direction (0: that of the first packet).
type Info struct {
	Packets     [2]uint32
	Errors      [2]uint32 // those of Packets that are ICMP errors about the conversation
	Bytes       [2]uint64 // payload on the wire, retransmissions included
	First, Last uint32    // places
	SYN, SYNACK int32     // indexes into Handshakes, -1 unseen
	Data        [2]Head   // first bytes of the stream or first datagram
	Flags       [2]uint16 // all TCP flags seen
	Beyond      bool      // the far side of a conversation that the recorder, a device that translates, holds both sides of: set by package match
}

// Head is the beginning of what one direction of a conversation carries.
type Head struct {
	Fact  uint32 // place of the first packet with payload
	Seen  bool
	H16   uint32 // hash of the first 16 bytes; 0 if fewer were captured
	H32   uint32 // of the first 32 bytes
	H64   uint32 // of the first 64 bytes
	Class uint8  // message.Proto of the first bytes
}

// Handshake is what a SYN or SYN/ACK says.
type Handshake struct {
	Fact     uint32 // place
	MSS      int32  // -1 absent
	WScale   int16  // -1 absent
	SACKPerm bool
	HasTS    bool
	TFO      bool
	MPTCP    bool
	Kinds    [16]uint8
	NKinds   uint8
	Cut      bool // the snaplen cut the options: those that are not there may have been
}

// Handshake is what the SYN or SYN/ACK in a place of a conversation says; nil if it is none, or was sent before.
func (c *Capture) Handshake(id ConvID, i uint32) *Handshake {
	if id == NoConv {
		return nil
	}
	for _, at := range [2]int32{c.Convs[id].SYN, c.Convs[id].SYNACK} {
		if at >= 0 && c.Handshakes[at].Fact == i {
			return &c.Handshakes[at]
		}
	}
	return nil
}

// ClientDir is the direction of the conversation's initiator: that of its SYN, against that of its SYN/ACK, else that
// of the first packet (UDP, but for answers alone; or a capture that starts in mid-conversation, where the lower port serves).
func (c *Capture) ClientDir(id ConvID) int {
	c.Store.Visit(1)
	in := &c.Convs[id]
	switch {
	case in.SYN >= 0:
		return c.At(c.Handshakes[in.SYN].Fact).Dir()
	case in.SYNACK >= 0:
		return 1 - c.At(c.Handshakes[in.SYNACK].Fact).Dir()
	}
	cv := c.Conv(id)
	if cv.Proto == ProtoTCP && cv.Sport < cv.Dport {
		return 1
	}
	if cv.Proto == ProtoUDP && in.Packets[1] == 0 && cv.Sport < systemPorts && cv.Dport >= systemPorts {
		return 1 // answers alone
	}
	return 0
}

// systemPorts is one more than the last port that services are assigned, not clients (RFC 6335 §6).
const systemPorts = 1024

// Tuple is an address and port pair in one direction.
type Tuple struct {
	Proto, Version uint8
	Src, Dst       decode.Addr
	Sport, Dport   uint16
}

// Tuple is the conversation's tuple as packets of direction dir carry it.
func (c *Capture) Tuple(id ConvID, dir int) Tuple {
	v := c.Conv(id)
	t := Tuple{v.Proto, v.Version, v.Src, v.Dst, v.Sport, v.Dport}
	if dir == 1 {
		t.Src, t.Dst, t.Sport, t.Dport = t.Dst, t.Src, t.Dport, t.Sport
	}
	return t
}

// DropPayload forgets all kept payload.
func (c *Capture) DropPayload() { c.kept = payloads{} }

// Payload gives the kept payload bytes of the frame in a place; ok is false where the budget did not reach. Of a sealed
// capture it gives fingerprints of those of TCP (see Seal).
func (c *Capture) Payload(i uint32) (b []byte, ok bool) { return c.kept.get(i) }

// Told is where the facts of a conversation lie that Payload gives something of: from up to to, to excluded; others may lie in between.
// Both are equal if there are none.
func (c *Capture) Told(id ConvID) (from, to uint32) { return c.kept.within(c.start[id], c.start[id+1]) }

// MarkCopy marks the frame in a place as a copy of another one of this capture.
func (c *Capture) MarkCopy(i uint32) {
	c.At(i).Mark |= MarkDuplicate
	c.Copies = true
}
