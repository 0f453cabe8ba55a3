package decode

import (
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

func benchmarkDecode(b *testing.B, frame []byte) {
	b.Helper()
	var p Packet
	b.ReportAllocs()
	for b.Loop() {
		Decode(capture.LinkEthernet, frame, uint32(len(frame)), &p)
	}
}

func BenchmarkTCP(b *testing.B) {
	benchmarkDecode(b, unhex(ethIPv4+in4("06", tcpTS+"0102030405060708")))
}

func BenchmarkUDP6(b *testing.B) {
	benchmarkDecode(b, unhex(ethIPv6+in6("11", udp4)))
}

func BenchmarkVXLAN(b *testing.B) {
	benchmarkDecode(b, unhex(ethIPv4+in4("11", inUDP(4789, "08000000 00002a00"+eth4+in4("06", tcpTS)))))
}
