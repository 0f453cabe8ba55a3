package lab

import (
	"net/netip"

	"github.com/corr-dev/corr/backend/capture"
)

// ipPacket makes an IP packet with right checksums.
func ipPacket(proto byte, src, dst netip.Addr, id uint16, df bool, l4 []byte) []byte {
	var b []byte
	if src.Is4() {
		b = make([]byte, 20, 20+len(l4))
		b[0], b[8], b[9] = 0x45, 64, proto
		be.PutUint16(b[2:], uint16(20+len(l4)))
		be.PutUint16(b[4:], id)
		if df {
			b[6] = 0x40
		}
		copy(b[12:], src.AsSlice())
		copy(b[16:], dst.AsSlice())
	} else {
		b = make([]byte, 40, 40+len(l4))
		b[0], b[6], b[7] = 0x60, proto, 64
		be.PutUint16(b[4:], uint16(len(l4)))
		copy(b[8:], src.AsSlice())
		copy(b[24:], dst.AsSlice())
	}
	b = append(b, l4...)
	read(capture.LinkRaw, &Frame{Data: b, OrigLen: uint32(len(b))}).resum()
	return b
}

func udpDatagram(sport, dport uint16, payload []byte) []byte {
	b := be.AppendUint16(nil, sport)
	b = be.AppendUint16(b, dport)
	b = be.AppendUint16(b, uint16(8+len(payload)))
	return append(append(b, 0, 0), payload...)
}

// tcpSegment takes options in full words.
func tcpSegment(sport, dport uint16, seq, ack uint32, flags byte, window uint16, options, payload []byte) []byte {
	b := be.AppendUint16(nil, sport)
	b = be.AppendUint16(b, dport)
	b = be.AppendUint32(b, seq)
	b = be.AppendUint32(b, ack)
	b = append(b, byte(20+len(options))/4<<4, flags)
	b = be.AppendUint16(b, window)
	b = append(b, 0, 0, 0, 0)
	return concat(b, options, payload)
}

func icmpEcho(six, answer bool, id, seq uint16, payload []byte) []byte {
	typ := byte(8)
	switch {
	case six && answer:
		typ = 129
	case six:
		typ = 128
	case answer:
		typ = 0
	}
	b := []byte{typ, 0, 0, 0}
	b = be.AppendUint16(b, id)
	b = be.AppendUint16(b, seq)
	return append(b, payload...)
}

// ethernet puts an Ethernet header in front; short frames are padded as cards do.
func ethernet(src, dst [6]byte, ip []byte) []byte {
	t := uint16(etherIPv4)
	if ip[0]>>4 == 6 {
		t = etherIPv6
	}
	b := be.AppendUint16(concat(dst[:], src[:]), t)
	b = append(b, ip...)
	for len(b) < 60 {
		b = append(b, 0)
	}
	return b
}
