package message

import "encoding/binary"

const (
	http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113 §3.4
	http2Header  = 9
	http2Max     = 1 << 20 // nobody raises SETTINGS_MAX_FRAME_SIZE above
)

// http2Frame names a frame type (RFC 9113 §6), "" for an unknown one.
func http2Frame(kind uint8) string {
	names := [...]string{"DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY",
		"WINDOW_UPDATE", "CONTINUATION"}
	if int(kind) < len(names) {
		return names[kind]
	}
	return ""
}

// isHTTP2Settings reports a connection's first frame from the server: SETTINGS on stream 0, no flags.
func isHTTP2Settings(b []byte) bool {
	if len(b) < http2Header || b[3] != 4 || b[4] != 0 || binary.BigEndian.Uint32(b[5:]) != 0 {
		return false
	}
	n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	return n%6 == 0 && n < 600
}

// isHTTP2Frame reports whether b begins with the header of a known frame whose stream is as its type wants it.
func isHTTP2Frame(b []byte) bool {
	if len(b) < http2Header || http2Frame(b[3]) == "" || b[5]&0x80 != 0 || int(b[0])<<16 > http2Max {
		return false
	}
	stream := binary.BigEndian.Uint32(b[5:])
	switch b[3] {
	case 4, 6, 7: // SETTINGS, PING, GOAWAY
		return stream == 0
	case 8:
		return b[0] == 0 && b[1] == 0 && b[2] == 4
	}
	return stream != 0
}

// nameHTTP2 names the preface and the frames that begin in a segment.
func nameHTTP2(i *Info, b []byte, wire int, _ uint8) bool {
	off := 0
	if hasPrefix(b, http2Preface[:16]) {
		i.add("preface", 0, len(http2Preface), len(b))
		off = len(http2Preface)
	} else if !isHTTP2Frame(b) {
		return false
	}
	for off < len(b) && len(i.Messages) < maxMessages && isHTTP2Frame(b[off:]) {
		n := int(b[off])<<16 | int(b[off+1])<<8 | int(b[off+2])
		i.add(http2Frame(b[off+3]), off, http2Header+n, len(b))
		off += http2Header + n
	}
	return true
}
