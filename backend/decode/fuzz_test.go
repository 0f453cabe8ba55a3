package decode

import (
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

var fuzzed = []capture.LinkType{0, 1, 9, 12, 14, 50, 51, 101, 104, 108, 113, 204, 228, 229, 276}

// FuzzDecode holds Decode to what it promises of any bytes: no panic, the payload inside the frame, counts inside
// their arrays, the same result again.
func FuzzDecode(f *testing.F) {
	for _, link := range fuzzed {
		for _, text := range []string{
			eth4 + in4("06", tcpTS),
			eth4 + in4("11", inUDP(4789, "08000000 00002a00"+eth4+in4("06", tcpTS))),
			eth4 + in4("2f", "b000 88be 00000000 00000007 00000001 0000000000000000"+eth4+in4("11", udp4)),
			macs + "8847 00010 0 40 00020 1 40 00000000" + eth4 + in4("01", "0304 0000 0000 0514"+ip4("06", 100)+tcpPlain),
			ethIPv6 + in6("00", "3c00 0104 00000000 2c00 0104 00000000 1100 0001 0000002a"+udp4),
			"0000 0001 0006 020000000001 0000 8100 0005 86dd" + in6("3a", "0104 0000 00000000"+ip6("3c", 20)+"1100 0104 00000000"+udp4),
			"ff03 0021" + in4("84", "1388 0035 0000002a 00000000 00 03 0011 00000007 0000 0000 00000000 41 000000"),
			"1e000000" + in6("32", "0000002a 00000007"),
			in4("11", inUDP(2152, "34ff 0028 0000002a 0000 00 85 01 0001 00"+in4("11", udp4))),
		} {
			b := unhex(text)
			f.Add(uint16(link), b, uint32(len(b)))
		}
	}
	f.Fuzz(func(t *testing.T, link uint16, data []byte, origLen uint32) {
		var p, again Packet
		Decode(capture.LinkType(link), data, origLen, &p)
		end := int(p.PayloadOffset) + len(p.Payload)
		if end > len(data) || len(p.Payload) > int(p.PayloadLen) {
			t.Fatalf("payload of %d bytes at %d, length %d, in a frame of %d", len(p.Payload), p.PayloadOffset, p.PayloadLen, len(data))
		}
		if len(p.Payload) > 0 && &p.Payload[0] != &data[p.PayloadOffset] {
			t.Fatalf("payload isn't at its offset %d", p.PayloadOffset)
		}
		if int(p.NSocket) > len(p.Socket) || int(p.NTunnel) > len(p.Tunnel) || p.TCP.NSACK > MaxSACK || p.Reach > ReachTransport {
			t.Fatalf("counts: %+v", p)
		}
		if p.Reach >= ReachNetwork && (p.IP.Version == 0 || p.Outer.Version == 0) || p.Reach < ReachNetwork && p.IP.Version != 0 {
			t.Fatalf("reach %d, IP version %d, outer %d", p.Reach, p.IP.Version, p.Outer.Version)
		}
		if Decode(capture.LinkType(link), data, origLen, &again); p.Reach != again.Reach || p.IP != again.IP || p.Sport != again.Sport {
			t.Fatal("another result the second time")
		}
	})
}
