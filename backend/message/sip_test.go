package message_test

import (
	"testing"

	"github.com/corr-dev/corr/backend/message"
)

func TestBranch(t *testing.T) {
	for _, c := range []struct{ via, want string }{
		{"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK776asdhds", "z9hG4bK776asdhds"},
		{"v:SIP/2.0/UDP 10.0.0.1 ; rport ; Branch = z9hG4bKx1", "z9hG4bKx1"},
		{"Via: SIP/2.0/UDP a;received=1.2.3.4;branch=z9hG4bK1;rport=5\r\nVia: SIP/2.0/UDP b;branch=z9hG4bK2", "z9hG4bK1"},
		{"Via: SIP/2.0/UDP a;branch=1", ""}, // of RFC 2543: not unique
		{"Via: SIP/2.0/UDP a;branch=z9hG4bK", ""},
		{"Via: SIP/2.0/UDP a", ""},
		{"To: b", ""},
	} {
		b := []byte("OPTIONS sip:a SIP/2.0\r\n" + c.via + "\r\nCSeq: 1 OPTIONS\r\n\r\n")
		m := message.Name(17, 5060, 5060, b, len(b)).SIP
		if m == nil {
			t.Fatalf("%q is not read", c.via)
		}
		if got := m.Branch(); got != c.want {
			t.Errorf("%q: branch %q, want %q", c.via, got, c.want)
		}
		// A snaplen inside of the field leaves no branch, whatever is left of it.
		cut := b[:len("OPTIONS sip:a SIP/2.0\r\n")+len(c.via)-1]
		if m := message.Name(17, 5060, 5060, cut, len(b)).SIP; m != nil && m.Branch() != "" && m.Branch() != c.want {
			t.Errorf("%q, cut: branch %q", c.via, m.Branch())
		}
	}
}
