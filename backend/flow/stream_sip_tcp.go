package flow

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

// tcpSide is one direction of a TCP conversation.
type tcpSide struct {
	conv    ConvID
	reverse bool
}

// segments is SIP in one direction of a TCP conversation: what came of a message not yet complete.
type segments struct {
	next uint32 // sequence number behind buf
	buf  []byte
}

const (
	// maxMessage bounds a SIP message.
	maxMessage = 1 << 16
	// maxSides bounds the TCP directions with SIP that are followed.
	maxSides = 1 << 14
)

// segment follows SIP messages in a TCP segment. What is out of order or was seen before is left out, as Wireshark does.
func (m *media) segment(p *decode.Packet, side tcpSide, n capture.FrameNo) {
	s := m.segments[side]
	if s == nil {
		if !startsSIP(p.Payload) || len(m.segments) >= maxSides {
			return
		}
		s = &segments{next: p.TCP.Seq}
		m.segments[side] = s
	}
	if ahead := int32(p.TCP.Seq - s.next); ahead < 0 {
		return
	} else if ahead > 0 {
		s.buf = s.buf[:0]
	}
	s.next = p.TCP.Seq + p.PayloadLen
	if len(s.buf) == 0 && !startsSIP(p.Payload) || int(p.PayloadLen) > len(p.Payload) || len(s.buf)+len(p.Payload) > maxMessage {
		s.buf = s.buf[:0]
		return
	}
	s.buf = append(s.buf, p.Payload...)
	for len(s.buf) > 0 {
		size := messageLen(s.buf)
		if size == 0 || size > len(s.buf) {
			return
		}
		if msg, ok := parseSIP(string(s.buf[:size])); ok && msg.announces() {
			m.announce(msg.sdp, n)
		}
		s.buf = s.buf[:copy(s.buf, s.buf[size:])]
	}
}

// messageLen returns the length of the message that b begins with, 0 if its header isn't complete (RFC 3261 §18.3).
func messageLen(b []byte) int {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		return 0
	}
	size := end + 4
	for l := range strings.SplitSeq(string(b[:end]), "\r\n") {
		name, value, _ := strings.Cut(l, ":")
		if name = strings.TrimSpace(name); strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "l") {
			if n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 24); err == nil {
				return size + int(n)
			}
		}
	}
	return size
}
