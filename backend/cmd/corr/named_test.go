package main

import (
	"slices"
	"strings"
	"testing"
)

// Conversations say what they carry, message by message, on any port; what is none of the protocols known has no name, nor
// has one protocol's text inside of another's.
func TestMessagesHaveNames(t *testing.T) {
	client := func(s string) spoken { return spoken{client: true, bytes: s} }
	server := func(s string) spoken { return spoken{bytes: s} }
	for _, x := range []struct {
		name string
		port uint16
		talk []spoken
		want []string // labels of the segments with data; "": none but the bytes' number
	}{
		{"SMTP", 2525, []spoken{server("220 mx.example ESMTP Postfix\r\n"), client("EHLO me\r\n"), server("250 PIPELINING\r\n"), client("MAIL FROM:<a@x.example>\r\n"), server("451 4.7.1 Try again later\r\n")},
			[]string{"SMTP 220 mx.example ESMTP Postfix", "SMTP EHLO me", "SMTP 250 PIPELINING", "SMTP MAIL FROM:<a@x.example>", "SMTP 451 4.7.1 Try again later"}},
		{"SSH", 2222, []spoken{server("SSH-2.0-OpenSSH_9.2p1\r\n"), client("SSH-2.0-PuTTY_Release_0.78\r\n"), client("\x00\x00\x05\xdc\x04\x14abcdefgh")},
			[]string{"SSH SSH-2.0-OpenSSH_9.2p1", "SSH SSH-2.0-PuTTY_Release_0.78", ""}},
		{"FTP, the password kept", 2121, []spoken{server("220 (vsFTPd 3.0.3)\r\n"), client("USER ann\r\n"), server("331 Password please\r\n"), client("PASS secret\r\n")},
			[]string{"FTP 220 (vsFTPd 3.0.3)", "FTP USER ann", "FTP 331 Password please", "FTP PASS"}},
		{"prose", 7000, []spoken{client("To be or not to be, that is the question\r\n"), server("220 apples and 12 pears\r\n")}, []string{"", ""}},
		{"mail inside of HTTP", 8080, []spoken{client("POST /mail HTTP/1.1\r\nHost: x\r\nContent-Length: 26\r\n\r\n"), client("MAIL FROM:<a@x.example>\r\n\r"), server("HTTP/1.1 204 No Content\r\n\r\n")},
			[]string{"", "POST /mail", "204 No Content"}},
	} {
		talk := func(p *point) { p.tcp(x.port, x.talk) }
		doc := recorded(t, talk)
		var got []string
		for _, e := range doc.Flows[0].Ladder[2 : len(doc.Flows[0].Ladder)-1] {
			if strings.HasSuffix(e.Label, " bytes") {
				e.Label = ""
			}
			got = append(got, e.Label)
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
}
