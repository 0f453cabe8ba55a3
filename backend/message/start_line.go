package message

import "bytes"

// startLine is the first line of a message of HTTP, SIP or RTSP.
type startLine struct {
	proto          Proto
	method, target []byte // requests
	status         int    // answers, else 0
	reason         []byte
	minor          int // of the version: HTTP/1.0 or 1.1
	next           int // offset of the next line, 0 where the first does not end in the bytes
}

// maxStartLine is how far a start line's end is looked for; servers refuse longer ones.
const maxStartLine = 16 << 10

// sniffStart recognises the start line of HTTP, SIP and RTSP.
func sniffStart(b []byte) Proto {
	l, ok := parseStart(b)
	if !ok {
		return ProtoNone
	}
	return l.proto
}

// parseStart reads a start line. Where its end is cut off, method and form of the target must be beyond doubt.
func parseStart(b []byte) (startLine, bool) {
	var l startLine
	switch {
	case len(b) < 8:
		return l, false
	case hasPrefix(b, "HTTP/1."), hasPrefix(b, "SIP/2.0 "), hasPrefix(b, "RTSP/"):
		return parseStatus(b)
	}
	n := methodLen(b)
	if n == 0 {
		return l, false
	}
	l.method = b[:n]
	rest := b[n+1:]
	target := rest[:min(len(rest), maxStartLine)]
	if end := bytes.IndexByte(target, '\n'); end >= 0 {
		l.next = n + 1 + end + 1
		line := bytes.TrimSuffix(target[:end], []byte{'\r'})
		space := bytes.LastIndexByte(line, ' ')
		if space <= 0 {
			return l, false
		}
		l.target = line[:space]
		l.proto, l.minor = version(line[space+1:])
		return l, l.proto != ProtoNone
	}
	end := bytes.IndexByte(target, ' ')
	if end >= 0 {
		l.target = target[:end]
	} else {
		l.target = target
	}
	l.proto = knownMethod(l.method, l.target)
	return l, l.proto != ProtoNone
}

// methodLen returns the length of the method that b begins with, a space behind it; 0: none. Longer than any
// registered method is none.
func methodLen(b []byte) int {
	for i, c := range b[:min(len(b), 24)] {
		switch {
		case c == ' ':
			if i < 3 || i+1 == len(b) {
				return 0
			}
			return i
		case (c < 'A' || c > 'Z') && c != '-' && c != '_':
			return 0
		}
	}
	return 0
}

// version reads the version that ends a request line.
func version(b []byte) (Proto, int) {
	switch {
	case len(b) == 8 && hasPrefix(b, "HTTP/1.") && (b[7] == '0' || b[7] == '1'):
		return ProtoHTTP, int(b[7] - '0')
	case string(b) == "SIP/2.0":
		return ProtoSIP, 0
	case string(b) == "RTSP/1.0", string(b) == "RTSP/2.0":
		return ProtoRTSP, 0
	}
	return ProtoNone, 0
}

// knownMethod tells a protocol by method and target where the version is cut off.
func knownMethod(method, target []byte) Proto {
	if hasPrefix(target, "sip:") || hasPrefix(target, "sips:") || hasPrefix(target, "tel:") {
		switch string(method) {
		case "INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH",
			"INFO", "REFER", "MESSAGE", "UPDATE":
			return ProtoSIP
		}
		return ProtoNone
	}
	if hasPrefix(target, "rtsp://") || hasPrefix(target, "rtsps://") {
		switch string(method) {
		case "OPTIONS", "DESCRIBE", "ANNOUNCE", "SETUP", "PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER",
			"SET_PARAMETER", "RECORD", "REDIRECT":
			return ProtoRTSP
		}
		return ProtoNone
	}
	switch string(method) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "PROPFIND", "PROPPATCH", "MKCOL", "COPY",
		"MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH":
		if hasPrefix(target, "/") || hasPrefix(target, "http://") || hasPrefix(target, "https://") {
			return ProtoHTTP
		}
	case "CONNECT":
		if bytes.IndexByte(target, ':') > 0 {
			return ProtoHTTP
		}
	}
	return ProtoNone
}

// parseStatus reads a status line: version, space, three digits.
func parseStatus(b []byte) (startLine, bool) {
	var l startLine
	space := bytes.IndexByte(b[:min(len(b), 9)], ' ')
	if space < 0 {
		return l, false
	}
	l.proto, l.minor = version(b[:space])
	b = b[space+1:]
	if l.proto == ProtoNone || len(b) < 3 {
		return l, false
	}
	for _, c := range b[:3] {
		if c < '0' || c > '9' {
			return l, false
		}
		l.status = l.status*10 + int(c-'0')
	}
	if l.status < 100 || len(b) > 3 && b[3] != ' ' && b[3] != '\r' && b[3] != '\n' {
		return l, false
	}
	line := b[3:min(len(b), maxStartLine)]
	if end := bytes.IndexByte(line, '\n'); end >= 0 {
		l.next = space + 1 + 3 + end + 1
		line = line[:end]
	}
	l.reason = bytes.TrimSpace(line)
	return l, true
}

// header is a header field of a head: name and value without space around.
type header struct{ name, value []byte }

// headers walks the header fields from offset off. It returns the offset behind the blank line that ends the head, -1
// where the bytes end before it. A last line that is cut is not given to f.
func headers(b []byte, off int, f func(header)) int {
	for off > 0 && off < len(b) {
		end := bytes.IndexByte(b[off:], '\n')
		if end < 0 {
			return -1
		}
		line := bytes.TrimSuffix(b[off:off+end], []byte{'\r'})
		off += end + 1
		if len(line) == 0 {
			return off
		}
		if colon := bytes.IndexByte(line, ':'); colon > 0 {
			f(header{bytes.TrimSpace(line[:colon]), bytes.TrimSpace(line[colon+1:])})
		}
	}
	return -1
}

// is compares the header's name without regard to case; name is lower case.
func (h header) is(name string) bool { return fold(h.name, name) }

// fold compares ASCII without regard to case; lower is lower case.
func fold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// number reads a non-negative decimal number and nothing else; -1 where there is none or it is beyond 10^18.
func number(b []byte) int64 {
	if len(b) == 0 || len(b) > 18 {
		return -1
	}
	n := int64(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}
