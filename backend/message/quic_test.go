package message_test

import (
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/message"
)

// TestQUICHello: each connection of the recorded case begins with a ClientHello over several Initials, shuffled; its
// server name must be what tshark reads once it put them together.
func TestQUICHello(t *testing.T) {
	const file = "../../testdata/quic-nat/a.pcap"
	want := map[string]bool{}
	for _, they := range askTshark(t, file) {
		if they.sni != "" {
			want[they.sni] = true
		}
	}
	hellos, got := map[uint16]*message.QUICHello{}, map[uint16]string{}
	eachPacket(t, file, func(_ int, p *decode.Packet) {
		if p.Reach != decode.ReachTransport || p.IP.Proto != 17 || p.Dport != 443 || len(p.Payload) == 0 || p.Payload[0] < 0x80 {
			return
		}
		if hellos[p.Sport] == nil {
			hellos[p.Sport], got[p.Sport] = &message.QUICHello{}, ""
		}
		if hello := hellos[p.Sport].Add(p.Payload); hello != nil && hello.SNI != "" {
			got[p.Sport] = hello.SNI
		}
	})
	if len(got) == 0 || len(want) == 0 {
		t.Fatalf("%d connections, tshark names %d servers", len(got), len(want))
	}
	for port, sni := range got {
		if !want[sni] {
			t.Errorf("connection from port %d: server name %q, tshark reads %v", port, sni, want)
		}
	}
}

// TestQUICHelloHostile: garbage, cuts and repeats neither panic nor name anything.
func TestQUICHelloHostile(t *testing.T) {
	packet := unhex(t, "c0 00000001 08 8394c8f03e515708 00 00 449e"+strings.Repeat("aa", 1182))
	var h message.QUICHello
	for n := range packet {
		if hello := h.Add(packet[:n]); hello != nil {
			t.Fatalf("cut at %d: %+v", n, hello)
		}
	}
}
