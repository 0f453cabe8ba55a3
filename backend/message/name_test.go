package message_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/message"
)

// rows are payloads and what they are. Payload: hex with comments in parentheses, or text behind an equals sign.
var rows = []struct {
	name    string
	proto   uint8
	port    uint16 // the responder's
	payload string
	want    string
}{
	{"HTTP request", 6, 8080, "=GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP GET /index.html"},
	{"HTTP request cut by the MSS", 6, 8080, "=GET /" + strings.Repeat("a", 60), "HTTP GET /" + strings.Repeat("a", 60)},
	{"own method", 6, 8080, "=PURGE /x HTTP/1.1\r\n\r\n", "HTTP PURGE /x"},
	{"CONNECT", 6, 3128, "=CONNECT x.example:443 HTTP/1.1\r\n\r\n", "HTTP CONNECT x.example:443"},
	{"HTTP answer", 6, 80, "=HTTP/1.1 200 OK\r\nServer: y\r\n\r\n", "HTTP 200 OK"},
	{"HTTP answer without a reason", 6, 80, "=HTTP/1.1 503\r\n\r\n", "HTTP 503"},
	{"SSDP", 17, 1900, "=M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n\r\n", "HTTP M-SEARCH *"},
	{"HTTP/2 preface", 6, 80, "=PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP2 preface"},
	{"HTTP/2 SETTINGS", 6, 80, "000006 04 00 00000000 (SETTINGS) 0003 00000064", "HTTP2 SETTINGS"},
	{"prose is no request", 6, 8080, "=GET READY FOR THE HTTP WORKSHOP\r\n", ""},
	{"SIP request", 17, 5060, "=INVITE sip:bob@x.example SIP/2.0\r\nCall-ID: 1@a\r\nCSeq: 1 INVITE\r\n\r\n", "SIP INVITE sip:bob@x.example"},
	{"SIP answer", 17, 5060, "=SIP/2.0 180 Ringing\r\nCSeq: 1 INVITE\r\n\r\n", "SIP 180 Ringing, 1 INVITE"},
	{"RTSP", 6, 554, "=DESCRIBE rtsp://x/s RTSP/1.0\r\nCSeq: 2\r\n\r\n", "RTSP DESCRIBE rtsp://x/s"},
	{"DNS query", 17, 53, "1234 0100 0001 0000 0000 0000 07 6578616d706c65 (example) 03 6f7267 (org) 00 0001 0001", "DNS A? example.org"},
	{"DNS query, other port", 17, 9953, "1234 0100 0001 0000 0000 0000 03 777777 00 001c 0001", "DNS AAAA? www"},
	{"DNS answer", 17, 53, "1234 8183 0001 0000 0000 0000 03 777777 00 000f 0001", "DNS MX www: NXDOMAIN"},
	{"DNS over TCP", 6, 53, "0015 1234 0100 0001 0000 0000 0000 03 777777 00 0001 0001", "DNS A? www"},
	{"mDNS", 17, 5353, "0000 0000 0001 0000 0000 0000 01 78 05 6c6f63616c 00 000c 8001", "mDNS PTR? x.local"},
	{"refused without a question", 17, 53, "1234 8005 0000 0000 0000 0000", "DNS answer: REFUSED"},
	{"SMTP banner", 6, 2525, "=220 mx.example ESMTP Postfix\r\n", "SMTP 220 mx.example ESMTP Postfix"},
	{"SMTP by port", 6, 25, "=250 2.1.0 Ok\r\n", "SMTP 250 2.1.0 Ok"},
	{"SMTP command", 6, 2525, "=MAIL FROM:<a@x.example>\r\n", "SMTP MAIL FROM:<a@x.example>"},
	{"SMTP password", 6, 587, "=AUTH PLAIN AGFiYwBzZWNyZXQ=\r\n", "SMTP AUTH PLAIN"},
	{"FTP password", 6, 21, "=PASS secret\r\n", "FTP PASS"},
	{"FTP port", 6, 2121, "=PORT 10,0,0,1,4,1\r\n", "FTP PORT 10,0,0,1,4,1"},
	{"FTP passive", 6, 2121, "=227 Entering Passive Mode (10,0,0,1,4,1).\r\n", "FTP 227 Entering Passive Mode (10,0,0,1,4,1)."},
	{"POP", 6, 110, "=+OK ready\r\n", "POP +OK ready"},
	{"IMAP login", 6, 143, "=a1 LOGIN me secret\r\n", "IMAP a1 LOGIN"},
	{"a number is no reply", 6, 7000, "=220 apples and 12 pears\r\n", ""},
	{"SSH", 6, 22, "=SSH-2.0-OpenSSH_9.2p1\r\n", "SSH SSH-2.0-OpenSSH_9.2p1"},
	{"SOCKS5 greeting", 6, 1080, "05 02 00 02", "SOCKS 5 greeting"},
	{"SOCKS5 request", 6, 9050, "05 01 00 03 09 782e6578616d706c65 01bb", "SOCKS 5 CONNECT x.example:443"},
	{"SOCKS5 reply", 6, 9050, "05 05 00 01 00000000 0000", "SOCKS 5 connection refused"},
	{"SOCKS4 request", 6, 1080, "04 01 0050 0a000001 6d65 00", "SOCKS 4 CONNECT 10.0.0.1:80"},
	{"PROXY v1 alone", 6, 80, "=PROXY TCP6 ::1 ::2 1 2\r\n", "PROXY v1 [::1]:1 → [::2]:2"},
	{"PROXY v1 and a request", 6, 80, "=PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET / HTTP/1.0\r\n\r\n", "HTTP GET /"},
	{"PROXY v2 LOCAL", 6, 80, "0d0a0d0a000d0a515549540a 20 00 0000", "PROXY v2 without addresses"},
	{"MQTT 3.1.1", 6, 1883, "10 0e 0004 4d515454 04 02 003c 0002 6964", "MQTT CONNECT id"},
	{"LDAP", 6, 389, "30 0c 02 01 01 60 07 02 01 03 04 00 80 00", "LDAP bindRequest"},
	{"SNMP", 17, 161, "30 1a 02 01 01 04 06 7075626c6963 a0 0d 02 01 01 02 01 00 02 01 00 30 02 30 00", "SNMP get-request"},
	{"Kerberos", 17, 88, "6a 0e 30 0c a1 03 02 01 05 a2 03 02 01 0a 00 00", "Kerberos AS-REQ"},
	{"SMB2", 6, 445, "00000044 fe534d42 4000 0000 00000000 0000 0000 00000000", "SMB Negotiate"},
	{"RDP", 6, 3389, "03 00 0013 0e e0 0000 0000 00 01 00 0800 03000000", "RDP connection request"},
	{"STUN", 17, 3478, "0001 0000 2112a442 000102030405060708090a0b", "STUN Binding request"},
	{"TURN error", 17, 3478, "0113 0000 2112a442 000102030405060708090a0b", "STUN Allocate error"},
	{"NTP", 17, 123, "23 00 06 ec" + strings.Repeat(" 00000000", 11), "NTP client"},
	{"not NTP on its port", 17, 123, "00000000 41dac16c 9f5ae4fc" + strings.Repeat(" 78787878", 10), ""},
	{"DHCP", 17, 67, "01 01 06 00" + strings.Repeat("00", 232) + "63825363 35 01 01 ff", "DHCP Discover"},
	{"DHCPv6", 17, 547, "01 123456", "DHCPv6 Solicit"},
	{"TLS data", 6, 443, "17 0303 0014 0000000000000000000000000000000000000000", "TLS ApplicationData"},
	{"TLS alert", 6, 443, "15 0303 0002 02 28", "TLS Alert fatal, handshake_failure"},
	{"DTLS hello", 17, 4433, "16 feff 0000 000000000000 0036 (handshake) 01 00002a 0000 000000 00002a fefd" +
		strings.Repeat("ab", 32) + "00 00 0002 c02b 01 00 00", "DTLS ClientHello, DTLS 1.2"},
	{"QUIC version negotiation", 17, 443, "80 00000000 04 01020304 00 00000001", "QUIC Version Negotiation"},
	{"random bytes", 17, 4000, "5a 39 f1 00 77 12 98 ab cd 45 23 11 98 00 17 66 12 45 aa bb", ""},
	{"empty", 6, 80, "", ""},
	{"one byte", 6, 80, "16", ""},
}

// unhex reads a row's payload.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	if text, ok := strings.CutPrefix(s, "="); ok {
		return []byte(text)
	}
	for {
		open, end := strings.IndexByte(s, '('), strings.IndexByte(s, ')')
		if open < 0 {
			break
		}
		s = s[:open] + s[end+1:]
	}
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return b
}

func TestName(t *testing.T) {
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b := unhex(t, row.payload)
			i := message.Name(row.proto, 40000, row.port, b, len(b))
			if got := i.Text(); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// TestNameCut: a payload cut at any byte is named as the whole is, or as the start of it, or not at all; never as
// another protocol.
func TestNameCut(t *testing.T) {
	for _, row := range rows {
		b := unhex(t, row.payload)
		whole := message.Name(row.proto, 40000, row.port, b, len(b)).Proto
		for n := range b {
			got := message.Name(row.proto, 40000, row.port, b[:n], len(b)).Proto
			if got != message.ProtoNone && got != whole && whole != message.ProtoHTTP { // PROXY in front of it
				t.Errorf("%s: first %d bytes are %s, the whole %s", row.name, n, got, whole)
			}
		}
	}
}

// TestSecrets: no password reaches any result.
func TestSecrets(t *testing.T) {
	for _, row := range rows {
		b := unhex(t, row.payload)
		i := message.Name(row.proto, 40000, row.port, b, len(b))
		if text := i.Text(); strings.Contains(text, "secret") || strings.Contains(text, "AGFi") || strings.Contains(text, "public") {
			t.Errorf("%s: %q", row.name, text)
		}
	}
}

func TestEscape(t *testing.T) {
	for _, row := range [][2]string{
		{"plain", "plain"}, {"", ""}, {"a\tb\r\n", `a\x09b\x0d\x0a`}, {"\x1b[31m", `\x1b[31m`}, {`a\b`, `a\\b`},
		{"grün", "grün"}, {"\xff\xfe", `\xff\xfe`}, {"a\u202eb", `a\u{202e}b`}, {"\u0085", `\u{85}`}, {"\ufffd", "\ufffd"},
	} {
		if got := message.Escape(row[0]); got != row[1] {
			t.Errorf("%q: got %q, want %q", row[0], got, row[1])
		}
	}
}
