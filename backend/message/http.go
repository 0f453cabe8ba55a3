package message

import (
	"bytes"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// HTTP holds what the head of a message says (HTTP/1: RFC 9112; HTTP/2: RFC 9113 §8.3; HTTP/3: RFC 9114 §4.3). Of fields
// behind a cut nothing is known.
type HTTP struct {
	Method, Target string // of a request, else ""
	Host           string
	Status         int // of a response, else 0
	Reason         string
	Minor          int // of the version: HTTP/1.0 or 1.1
	// HeadLen: bytes from the start line to behind the blank line; -1: the head does not end in the payload. Later
	// versions: as HTTP/1 would write it.
	HeadLen int
	// ContentLength is -1 where there is none, or several that differ.
	ContentLength int64
	Chunked       bool   // transfer coding, which comes before ContentLength (RFC 9112 §6.3)
	Close         bool   // Connection: close
	KeepAlive     bool   // Connection: keep-alive, the default from HTTP/1.1 on unless Close
	Upgrade       string // the protocol to switch to

	// What proxies add, fields that repeat joined by ", " (RFC 9110 §5.3).
	ForwardedFor string // X-Forwarded-For
	Forwarded    string // RFC 7239
	RealIP       string // X-Real-IP
	RequestID    string // X-Request-ID, X-Correlation-ID
	Via          string
	TraceParent  string // W3C Trace Context

	// Fields are digests of name and value of the fields whose values are long enough to tell something, for comparing
	// two heads and nothing else; at most fieldsMost.
	Fields []uint64
}

const (
	fieldsMost = 48
	fieldLeast = 6 // bytes of a value
)

// Persistent reports whether the connection stays open behind this message, by its own account.
func (h *HTTP) Persistent() bool { return !h.Close && (h.Minor >= 1 || h.KeepAlive) }

// nameHTTP names an HTTP/1 message by its start line.
func nameHTTP(i *Info, b []byte, wire int, _ uint8) bool {
	h := parseHTTP(b)
	if h == nil {
		return false
	}
	i.HTTP = h
	kind, label := h.label()
	length := h.HeadLen
	if length < 0 {
		length = wire
	}
	i.only(kind, label, length, len(b))
	i.Messages[0].Whole = h.HeadLen >= 0
	return true
}

// label returns the kind of message and its name: "GET /index.html", "200 OK".
func (h *HTTP) label() (kind, label string) {
	if h.Status == 0 {
		return "request", h.Method + " " + h.Target
	}
	label = strconv.Itoa(h.Status)
	if h.Reason != "" {
		label += " " + h.Reason
	}
	return "response", label
}

// parseHTTP reads a head that b begins with; nil: it is none.
func parseHTTP(b []byte) *HTTP {
	l, ok := parseStart(b)
	if !ok || l.proto != ProtoHTTP {
		return nil
	}
	h := &HTTP{Method: text(l.method), Target: text(l.target), Status: l.status, Reason: text(l.reason),
		Minor: l.minor, ContentLength: -1}
	lengths := 0
	h.HeadLen = headers(b, l.next, func(f header) {
		if f.is("content-length") {
			if n := number(f.value); lengths == 0 || n == h.ContentLength {
				h.ContentLength = n
			} else {
				h.ContentLength = -1
			}
			lengths++
			return
		}
		h.field(f)
		h.digest(f)
	})
	return h
}

// digest notes a field that is long enough to tell something.
func (h *HTTP) digest(f header) {
	if len(f.value) >= fieldLeast && len(h.Fields) < fieldsMost {
		h.Fields = append(h.Fields, digest(f))
	}
}

// digest of a field: names in any case are the same (RFC 9110 §5.1).
func digest(f header) uint64 {
	var d xxhash.Digest
	d.Reset()
	d.Write(bytes.ToLower(f.name))
	d.WriteString(":")
	d.Write(f.value)
	return d.Sum64()
}

func (h *HTTP) field(f header) {
	switch {
	case f.is("host"):
		h.Host = text(f.value)
	case f.is("transfer-encoding"):
		// Chunked is the last coding or none (RFC 9112 §6.1).
		last := f.value[bytes.LastIndexByte(f.value, ',')+1:]
		h.Chunked = fold(bytes.TrimSpace(last), "chunked")
	case f.is("connection"):
		for token := range bytes.SplitSeq(f.value, []byte{','}) {
			token = bytes.TrimSpace(token)
			h.Close = h.Close || fold(token, "close")
			h.KeepAlive = h.KeepAlive || fold(token, "keep-alive")
		}
	case f.is("upgrade"):
		h.Upgrade = text(f.value)
	case f.is("x-forwarded-for"):
		join(&h.ForwardedFor, f.value)
	case f.is("forwarded"):
		join(&h.Forwarded, f.value)
	case f.is("x-real-ip"):
		h.RealIP = text(f.value)
	case f.is("x-request-id"), f.is("x-correlation-id"):
		h.RequestID = text(f.value)
	case f.is("via"):
		join(&h.Via, f.value)
	case f.is("traceparent"):
		h.TraceParent = text(f.value)
	}
}

// join appends a repeated field's value.
func join(s *string, value []byte) {
	if *s == "" {
		*s = text(value)
	} else if len(*s) < MaxText {
		*s += ", " + text(value)
	}
}
