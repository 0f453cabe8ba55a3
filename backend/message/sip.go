package message

import (
	"bytes"
	"strconv"
	"strings"
)

// SIP holds what the head of a SIP message says (RFC 3261); RTSP fills the start line, CSeq and lengths.
type SIP struct {
	Method, Target string // of a request, else ""
	Status         int    // of a response, else 0
	Reason         string
	CallID         string
	CSeq           string // "1 INVITE"
	Via            string // the topmost
	Contact        string // the first
	HeadLen        int    // -1: the head does not end in the payload
	ContentLength  int64  // -1: none
	// Connection is the session description's first c= address, Media its ports in order (RFC 8866 §5.7, §5.14).
	Connection string
	Media      []uint16
}

// Branch names the transaction that the message is of, as whoever sent it, or its request, last: every proxy on the way puts a
// Via field of its own on top (RFC 3261 §8.1.1.7, §16.6). "" where there is none that must be unique.
func (s *SIP) Branch() string {
	for _, p := range strings.Split(s.Via, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if value = strings.TrimSpace(value); strings.EqualFold(strings.TrimSpace(name), "branch") && len(value) > len(magicCookie) && strings.HasPrefix(value, magicCookie) {
			return value
		}
	}
	return ""
}

// magicCookie begins branches that are unique.
const magicCookie = "z9hG4bK"

func nameSIP(i *Info, b []byte, wire int, _ uint8) bool  { return i.sip(b, wire, ProtoSIP) }
func nameRTSP(i *Info, b []byte, wire int, _ uint8) bool { return i.sip(b, wire, ProtoRTSP) }

func (i *Info) sip(b []byte, wire int, p Proto) bool {
	s := parseSIP(b, p)
	if s == nil {
		return false
	}
	i.SIP = s
	kind, label := s.label()
	length := s.HeadLen
	switch {
	case length < 0:
		length = wire
	case s.ContentLength > 0:
		length += int(min(s.ContentLength, 1<<30))
	}
	i.only(kind, label, length, len(b))
	i.Messages[0].Whole = i.Messages[0].Whole && s.HeadLen >= 0
	return true
}

func (s *SIP) label() (kind, label string) {
	if s.Status == 0 {
		return "request", s.Method + " " + s.Target
	}
	label = strconv.Itoa(s.Status)
	if s.Reason != "" {
		label += " " + s.Reason
	}
	return "response", label
}

// parseSIP reads a message of SIP or RTSP that b begins with; nil: it is none.
func parseSIP(b []byte, p Proto) *SIP {
	l, ok := parseStart(b)
	if !ok || l.proto != p {
		return nil
	}
	s := &SIP{Method: text(l.method), Target: text(l.target), Status: l.status, Reason: text(l.reason), ContentLength: -1}
	s.HeadLen = headers(b, l.next, s.field)
	if s.HeadLen >= 0 {
		s.description(b[s.HeadLen:])
	}
	return s
}

// field reads one header; single letters are the compact forms (RFC 3261 §7.3.3).
func (s *SIP) field(f header) {
	switch {
	case f.is("call-id"), f.is("i"):
		s.CallID = text(f.value)
	case f.is("cseq"):
		s.CSeq = text(f.value)
	case (f.is("via") || f.is("v")) && s.Via == "":
		s.Via = text(f.value)
	case (f.is("contact") || f.is("m")) && s.Contact == "":
		s.Contact = text(f.value)
	case f.is("content-length"), f.is("l"):
		s.ContentLength = number(f.value)
	}
}

// description reads the session description in a body, if it is one.
func (s *SIP) description(b []byte) {
	if !hasPrefix(b, "v=") {
		return
	}
	for line := range bytes.Lines(b) {
		if line[len(line)-1] != '\n' {
			return // cut
		}
		fields := bytes.Fields(line)
		switch {
		case len(fields) == 3 && hasPrefix(line, "c=IN ") && s.Connection == "":
			s.Connection = text(fields[2])
		case len(fields) > 2 && hasPrefix(line, "m=") && len(s.Media) < maxNames:
			if port := number(fields[1]); port >= 0 && port < 1<<16 {
				s.Media = append(s.Media, uint16(port))
			}
		}
	}
}
