package capture

import (
	"encoding/binary"
	"fmt"
)

// A pcap file is a header and records (draft-ietf-opsawg-pcap). The magic tells byte order and unit of time.
const (
	pcapHeaderLen  = 24
	pcapRecordLen  = 16
	kuznetzovExtra = 8 // interface index, protocol, packet type, padding behind each record header
)

type pcapVariant struct {
	format string
	big    bool
	record int   // bytes of a record's header
	unit   int64 // ns of the fraction of a second
	text   string
}

// pcapVariants are keyed by the first four bytes read as little-endian.
var pcapVariants = map[uint32]pcapVariant{
	0xa1b2c3d4: {"pcap", false, pcapRecordLen, 1000, "1 µs"},
	0xd4c3b2a1: {"pcap", true, pcapRecordLen, 1000, "1 µs"},
	0xa1b23c4d: {"nanosecond pcap", false, pcapRecordLen, 1, "1 ns"},
	0x4d3cb2a1: {"nanosecond pcap", true, pcapRecordLen, 1, "1 ns"},
	0xa1b2cd34: {"modified pcap", false, pcapRecordLen + kuznetzovExtra, 1000, "1 µs"},
	0x34cdb2a1: {"modified pcap", true, pcapRecordLen + kuznetzovExtra, 1000, "1 µs"},
}

// How a file's version orders captured and original length: files before 2.3 have them the other way round, files of
// 2.3 may (libpcap's sf-pcap.c).
type lengthOrder uint8

const (
	lengthsUsual lengthOrder = iota
	lengthsSwapped
	lengthsMaybeSwapped
)

type pcapState struct {
	big    bool
	order  lengthOrder
	record int
	unit   int64
	link   LinkType
	limit  uint32 // bytes of a frame
}

// Limits of captured bytes in one frame, as in libpcap and Wireshark (WTAP_MAX_PACKET_SIZE_*). A record that claims
// more is no record: the file is damaged.
const (
	maxFrame      = 256 << 10
	maxFrameLarge = 128 << 20 // D-Bus, USB, EBHSCR
)

func frameLimit(link LinkType) uint32 {
	switch link {
	case 231, 249, 279:
		return maxFrameLarge
	}
	return maxFrame
}

// reservedLink are the bits of the link type field between it (16 bits) and the length of the frame check sequence.
// Wireshark refuses files where they are set.
const reservedLink = 0x03ff0000

func (r *Reader) openPcap(v pcapVariant) error {
	s := &r.src
	if !s.need(pcapHeaderLen) {
		return r.cut(false)
	}
	h := s.buf[s.pos : s.pos+pcapHeaderLen]
	var order binary.ByteOrder = binary.LittleEndian
	if v.big {
		order = binary.BigEndian
	}
	network := order.Uint32(h[20:])
	if network&reservedLink != 0 {
		return &OpenError{
			File: r.info.File, Err: ErrNotCapture,
			Text: fmt.Sprintf("has a pcap header with link type %#x, which does not exist; copy it again", network),
		}
	}
	major, minor := order.Uint16(h[4:]), order.Uint16(h[6:])
	st := pcapState{big: v.big, record: v.record, unit: v.unit, link: LinkType(network)}
	st.limit = frameLimit(st.link)
	switch {
	case major == 543, major == 2 && minor < 3: // 543.0: DG/UX
		st.order = lengthsSwapped
	case major == 2 && minor == 3:
		st.order = lengthsMaybeSwapped
	case major != 2:
		return &OpenError{
			File: r.info.File, Err: ErrNotCapture,
			Text: fmt.Sprintf("has the header of pcap version %d.%d, which no recorder writes; copy it again", major, minor),
		}
	}
	r.pcap = st
	r.addInterface(Interface{Link: st.link, Snaplen: order.Uint32(h[16:]), Resolution: v.text})
	s.pos += pcapHeaderLen
	r.next = r.nextPcap
	return nil
}

func (r *Reader) nextPcap(p *Packet) error {
	s, st := &r.src, &r.pcap
	if s.end-s.pos < st.record && !s.fill(st.record) {
		return r.atEnd(true)
	}
	h := s.buf[s.pos : s.pos+16 : s.pos+16]
	var sec, frac, capLen, origLen uint32
	if st.big {
		sec, frac = binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:])
		capLen, origLen = binary.BigEndian.Uint32(h[8:]), binary.BigEndian.Uint32(h[12:])
	} else {
		sec, frac = binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:])
		capLen, origLen = binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[12:])
	}
	if st.order != lengthsUsual && (st.order == lengthsSwapped || capLen > origLen) {
		capLen, origLen = origLen, capLen
	}
	if capLen > st.limit {
		return r.damaged(true, "it claims %d bytes", capLen)
	}
	if sec|frac|capLen|origLen == 0 {
		// A copy that was interrupted often has the length of the whole and zeros for what didn't come.
		return r.damaged(true, "only zeros")
	}
	n := st.record + int(capLen)
	if s.end-s.pos < n && !s.fill(n) {
		return r.cut(true)
	}
	data := s.pos + st.record
	s.pos += n
	r.number++
	// Field by field: a composite literal is built aside and copied.
	p.Number, p.Time, p.HasTime = r.number, LocalTime(int64(sec)*1e9+int64(frac)*st.unit), true
	p.OrigLen, p.Link, p.Direction = origLen, st.link, DirectionUnknown
	p.Interface, p.Data = 0, s.buf[data:s.pos:s.pos]
	return nil
}
