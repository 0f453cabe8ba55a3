package message_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/message"
)

const (
	get      = "GET /a HTTP/1.1\r\nHost: x.example\r\nX-Request-ID: r1\r\n\r\n"                     // 54 bytes
	post     = "POST /p HTTP/1.1\r\nHost: x.example\r\nContent-Length: 10\r\n\r\n0123456789"        // 57 + 10
	ok5      = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"                                  // 38 + 5
	chunked  = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n" // 47 + 19
	notFound = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"                                // 45
	record23 = "\x17\x03\x03\x00\x14" + "aaaaaaaaaaaaaaaaaaaa"                                      // 25
	ccs      = "\x14\x03\x03\x00\x01\x01"
	alert    = "\x15\x03\x03\x00\x02\x02\x28"
	invite   = "INVITE sip:b@x SIP/2.0\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\nContent-Length: 4\r\n\r\nv=0\n" // 74 + 4
	query    = "\x00\x1d\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03org\x00\x00\x01\x00\x01"
)

// streams are whole streams and their messages: protocol, kind, label, extent.
var streams = []struct {
	name      string
	initiator bool
	bytes     string
	want      string
	// asSegments: what stands in a body's place is recognised only where its first bytes come together.
	asSegments bool
}{
	{"requests on one connection", true, get + post + get,
		"HTTP request GET /a 0+54; HTTP request POST /p 54+67; HTTP request GET /a 121+54", false},
	{"answers: length, chunks with trailer, nothing", false, ok5 + chunked + notFound,
		"HTTP response 200 OK 0+43; HTTP response 200 OK 43+66; HTTP response 404 Not Found 109+45", false},
	{"answer to HEAD announces a body that doesn't come", false, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + ok5,
		"HTTP response 200 OK 0+38; HTTP response 200 OK 38+43", true},
	{"interim answer", false, "HTTP/1.1 100 Continue\r\n\r\n" + ok5,
		"HTTP response 100 Continue 0+25; HTTP response 200 OK 25+43", false},
	{"body until the close", false, "HTTP/1.0 200 OK\r\n\r\nabc", "HTTP response 200 OK 0+22", false},
	{"records", true, ccs + record23 + alert + record23,
		"TLS ChangeCipherSpec ChangeCipherSpec 0+6; TLS ApplicationData ApplicationData 6+25; " +
			"TLS Alert Alert fatal, handshake_failure 31+7; TLS ApplicationData ApplicationData 38+25", false},
	{"Finished is encrypted", true, ccs + "\x16\x03\x03\x00\x28" + strings.Repeat("\xee", 40),
		"TLS ChangeCipherSpec ChangeCipherSpec 0+6; TLS Handshake Finished 6+45", false},
	{"one handshake message over two records", false,
		"\x16\x03\x03\x00\x0d\x0b\x00\x00\x10\x00\x00\x0d\x00\x00\x0aabc" + "\x16\x03\x03\x00\x0bdefghij\x0e\x00\x00\x00",
		"TLS Handshake Handshake 0+18; TLS Handshake Certificate, ServerHelloDone 18+16", false},
	{"PROXY v1, then requests", true, "PROXY TCP4 10.0.0.1 10.0.0.2 4711 80\r\n" + get,
		"PROXY PROXY v1 v1 10.0.0.1:4711 → 10.0.0.2:80 0+38; HTTP request GET /a 38+54; payload 38", false},
	{"PROXY v2, then TLS", true,
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x0a\x00\x00\x01\x0a\x00\x00\x02\x12\x67\x01\xbb" + record23,
		"PROXY PROXY v2 v2 10.0.0.1:4711 → 10.0.0.2:443 0+28; TLS ApplicationData ApplicationData 28+25; payload 28", false},
	{"CONNECT, then TLS", true, "CONNECT x.example:443 HTTP/1.1\r\nHost: x.example:443\r\n\r\n" + record23,
		"HTTP request CONNECT x.example:443 0+55; TLS ApplicationData ApplicationData 55+25; payload 55", false},
	{"CONNECT answered", false, "HTTP/1.1 200 Connection established\r\n\r\n" + record23,
		"HTTP response 200 Connection established 0+39; TLS ApplicationData ApplicationData 39+25; payload 39", false},
	{"CONNECT answered in other words", false, "HTTP/1.1 200 OK\r\n\r\n" + record23,
		"HTTP response 200 OK 0+19; TLS ApplicationData ApplicationData 19+25; payload 19", true},
	{"SOCKS5 with a password, client", true, "\x05\x01\x02" + "\x01\x01u\x01p" + "\x05\x01\x00\x03\x09x.example\x01\xbb" + record23,
		"SOCKS greeting 5 greeting 0+3; SOCKS authentication 5 authentication 3+5; " +
			"SOCKS request 5 CONNECT x.example:443 8+16; TLS ApplicationData ApplicationData 24+25; payload 24", false},
	{"SOCKS4a", true, "\x04\x01\x00\x50\x00\x00\x00\x01me\x00x.example\x00" + get,
		"SOCKS request 4 CONNECT x.example:80 0+21; HTTP request GET /a 21+54; payload 21", false},
	{"SIP with keep-alive", true, invite + "\r\n\r\n" + invite,
		"SIP request INVITE sip:b@x 0+78; SIP request INVITE sip:b@x 82+78", false},
	{"DNS", true, query + query, "DNS query A? example.org 0+31; DNS query A? example.org 31+31", false},
	{"HTTP/2", true, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64" +
		"\x00\x00\x02\x01\x05\x00\x00\x00\x01hh",
		"HTTP2 preface preface 0+24; HTTP2 SETTINGS SETTINGS 24+15; HTTP2 HEADERS HEADERS 39+11", false},
	{"STARTTLS", true, "EHLO x.example\r\nSTARTTLS\r\n", "", false},
	{"no known protocol", true, strings.Repeat("zzzz", 100), "", false},
}

// list writes a stream's messages and where its payload proper begins.
func list(s *message.Stream) string {
	var parts []string
	for _, m := range s.Messages() {
		text := fmt.Sprintf("%s %s %s %d+%d", m.Proto, m.Kind, m.Label, m.Off, m.Len)
		if m.AfterGap {
			text += " after gap"
		}
		if m.Missing > 0 {
			text += fmt.Sprintf(" missing %d", m.Missing)
		}
		if m.Cut {
			text += " cut"
		}
		parts = append(parts, text)
	}
	if at, ok := s.PayloadStart(); ok {
		parts = append(parts, fmt.Sprintf("payload %d", at))
	}
	return strings.Join(parts, "; ")
}

// TestStream feeds each stream whole and in pieces of every small size: pieces must not matter.
func TestStream(t *testing.T) {
	for _, row := range streams {
		t.Run(row.name, func(t *testing.T) {
			for size := len(row.bytes); size > 0; size = min(size-1, 40) {
				if size < len(row.bytes) && row.asSegments {
					break
				}
				s := message.NewStream(row.initiator, 0)
				for off := 0; off < len(row.bytes); off += size {
					s.Write(uint64(off), []byte(row.bytes[off:min(off+size, len(row.bytes))]))
				}
				s.Close()
				if got := list(s); got != row.want {
					t.Fatalf("pieces of %d bytes:\n got %s\nwant %s", size, got, row.want)
				}
			}
		})
	}
}

func TestStreamServerSOCKS(t *testing.T) {
	s := message.NewStream(false, 0)
	s.Write(0, []byte("\x05\x02"))
	s.Write(2, []byte("\x01\x00"))
	s.Write(4, []byte("\x05\x00\x00\x01\x0a\x00\x00\x02\x12\x34"))
	s.Write(14, []byte(record23))
	want := "SOCKS method 5 method 0+2; SOCKS authentication 5 authentication 2+2; SOCKS reply 5 reply succeeded 4+10; " +
		"TLS ApplicationData ApplicationData 14+25; payload 14"
	if got := list(s); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// TestStreamGap: holes inside bodies cost nothing, others are owned to.
func TestStreamGap(t *testing.T) {
	type write struct {
		off   uint64
		bytes string
	}
	hello := "\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x03" + strings.Repeat("r", 32) + "\x00\x00\x02\x13\x01\x01\x00\x00\x00" // 52
	for _, row := range []struct {
		name   string
		writes []write
		want   string
	}{
		{"inside a body", []write{{0, post[:58]}, {63, post[63:] + get}},
			"HTTP request POST /p 0+67 missing 5; HTTP request GET /a 67+54"},
		{"to a body's end", []write{{0, post[:58]}, {67, get}},
			"HTTP request POST /p 0+67 missing 9; HTTP request GET /a 67+54"},
		{"over the next head", []write{{0, post[:58]}, {70, "x\r\n\r\n"}, {118, get}},
			"HTTP request POST /p 0+67 missing 9; HTTP request GET /a 118+54 after gap"},
		{"inside a head", []write{{0, get[:20]}, {30, get[30:]}, {54, get}}, "HTTP request GET /a 54+54 after gap"},
		{"inside a record", []write{{0, record23[:10]}, {15, record23[15:] + record23}},
			"TLS ApplicationData ApplicationData 0+25 missing 5; TLS ApplicationData ApplicationData 25+25"},
		{"inside a handshake message", []write{{0, hello[:20]}, {30, hello[30:] + ccs}},
			"TLS Handshake ClientHello 0+52 missing 10; TLS ChangeCipherSpec ChangeCipherSpec 52+6"},
		{"begins late", []write{{1000, record23}, {1025, record23}},
			"TLS ApplicationData ApplicationData 1000+25 after gap; TLS ApplicationData ApplicationData 1025+25"},
		{"retransmissions", []write{{0, get}, {0, get}, {40, get[40:] + get[:20]}, {60, get[6:20]}, {74, get[20:]}},
			"HTTP request GET /a 0+54; HTTP request GET /a 54+54"},
		{"ends inside a record", []write{{0, record23[:20]}}, "TLS ApplicationData ApplicationData 0+25 missing 5 cut"},
		{"ends inside a chunked body", []write{{0, chunked[:50]}}, "HTTP response 200 OK 0+50 cut"},
		{"protocol changes to TLS", []write{{0, "EHLO x.example\r\n"}, {16, "STARTTLS\r\n"}, {26, hello}},
			"TLS Handshake ClientHello 26+52 after gap"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := message.NewStream(!strings.HasPrefix(row.writes[0].bytes, "HTTP"), 0)
			for _, w := range row.writes {
				s.Write(w.off, []byte(w.bytes))
			}
			s.Close()
			if got := list(s); got != row.want {
				t.Errorf("\n got %s\nwant %s", got, row.want)
			}
		})
	}
}
