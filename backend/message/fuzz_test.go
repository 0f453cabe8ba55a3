package message_test

import (
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/message"
)

// seeds adds the first payloads of the recorded cases' conversations, and of the tables.
func seeds(f *testing.F) {
	for _, row := range rows {
		f.Add(unhex(f, row.payload), uint16(40000), row.port, row.proto == 6)
	}
	for _, file := range recorded(f) {
		if strings.Contains(file, "sip-alg/a") || strings.Contains(file, "tls-offload/") || strings.Contains(file, "quic-nat/a") {
			left := 60
			eachPacket(f, file, func(_ int, p *decode.Packet) {
				if left--; left > 0 && p.Reach == decode.ReachTransport && len(p.Payload) > 0 {
					f.Add(p.Payload, p.Sport, p.Dport, p.IP.Proto == 6)
				}
			})
		}
	}
}

// FuzzName: no input makes Name panic, name a message outside the payload, or disagree with Sniff.
func FuzzName(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte, sport, dport uint16, stream bool) {
		proto := uint8(17)
		if stream {
			proto = 6
		}
		for _, wire := range []int{len(b), len(b) + 1000} {
			check(t, message.Name(proto, sport, dport, b, wire), b)
		}
		message.Sniff(b)
		var hello message.QUICHello
		hello.Add(b)
		hello.Add(b)
		for p := message.ProtoNone; p <= message.ProtoSNMP+1; p++ {
			check(t, message.NameAs(p, proto, b, len(b)), b)
		}
	})
}

func check(t *testing.T, i message.Info, b []byte) {
	t.Helper()
	if i.Proto == message.ProtoNone && (i.Label != "" || len(i.Messages) > 0) {
		t.Fatalf("no protocol, and yet %+v", i)
	}
	if len(i.Messages) > 17 || len(i.Text()) > 4*message.MaxText {
		t.Fatalf("%d messages, text of %d bytes", len(i.Messages), len(i.Text()))
	}
	if i.SIP != nil && !strings.Contains(i.SIP.Via, i.SIP.Branch()) {
		t.Fatalf("branch %q of %q", i.SIP.Branch(), i.SIP.Via)
	}
	for _, m := range i.Messages {
		if m.Off < 0 || m.Off > len(b) || m.Len < 0 || m.Kind == "" {
			t.Fatalf("%+v in a payload of %d bytes", m, len(b))
		}
	}
	for _, c := range message.Escape(i.Text()) {
		if c < ' ' || c == 0x7f {
			t.Fatalf("control character in %q", message.Escape(i.Text()))
		}
	}
}

// FuzzStream: however a stream is cut into writes and gaps, its messages lie in order, apart and inside it; and with
// no gap, cuts change nothing.
func FuzzStream(f *testing.F) {
	seeds(f)
	for _, s := range streams {
		f.Add([]byte(s.bytes), uint16(3), uint16(0), s.initiator)
	}
	// HTTP/2 with the fields of RFC 7541 §C.4.1, whole and in two frames.
	const fields = "\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"
	f.Add([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x11\x01\x05\x00\x00\x00\x01"+fields+
		"\x00\x00\x05\x01\x01\x00\x00\x00\x03"+fields[:5]+"\x00\x00\x0c\x09\x04\x00\x00\x00\x03"+fields[5:]), uint16(9), uint16(0), true)
	f.Fuzz(func(t *testing.T, b []byte, cut, gap uint16, initiator bool) {
		whole := message.NewStream(initiator, 0)
		whole.Write(0, b)
		whole.Close()
		ordered(t, whole.Messages(), uint64(len(b)))

		s := message.NewStream(initiator, gap)
		size, hole := int(cut)%300+1, int(gap)%500
		off := uint64(0)
		for rest := b; len(rest) > 0; {
			n := min(size, len(rest))
			s.Write(off, rest[:n])
			if rest = rest[n:]; hole > 0 && n%3 == 0 {
				skip := min(hole, len(rest))
				rest = rest[skip:]
				n += skip
			}
			off += uint64(n)
		}
		s.Close()
		ordered(t, s.Messages(), off)
	})
}

func ordered(t *testing.T, messages []message.StreamMessage, end uint64) {
	t.Helper()
	at := uint64(0)
	for k, m := range messages {
		if m.Off < at || m.Len == 0 || m.Off > end || m.Kind == "" {
			t.Fatalf("message %d of %d: %s %s at %d, %d bytes; the one before ends at %d, the stream at %d",
				k, len(messages), m.Proto, m.Kind, m.Off, m.Len, at, end)
		}
		at = m.End() - min(m.Missing, m.Len)
	}
}
