package anonymise

import (
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// The key and pairs of the sample that the authors published with their program.
var published = map[string]string{
	"128.11.68.132":   "135.242.180.132",
	"129.118.74.4":    "134.136.186.123",
	"130.132.252.244": "133.68.164.234",
	"141.223.7.43":    "141.167.8.160",
	"141.233.145.108": "141.129.237.235",
	"152.163.225.39":  "151.140.114.167",
	"156.29.3.236":    "147.225.12.42",
	"165.247.96.84":   "162.9.99.234",
	"166.107.77.190":  "160.132.178.185",
	"192.102.249.13":  "252.138.62.131",
	"192.215.32.125":  "252.43.47.189",
	"192.233.80.103":  "252.25.108.8",
	"192.41.57.43":    "252.222.221.184",
	"193.150.244.223": "253.169.52.216",
	"195.205.63.100":  "255.186.223.5",
	"198.200.171.101": "249.199.68.213",
	"198.26.132.101":  "249.36.123.202",
	"198.36.213.5":    "249.7.21.132",
	"198.51.77.238":   "249.18.186.254",
}

var publishedKey = [KeySize]byte{21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16,
	216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2}

func TestPublished(t *testing.T) {
	p, err := NewPrefix(publishedKey)
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range published {
		if got := p.Addr(netip.MustParseAddr(in)).String(); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

// Two addresses share as many bits afterwards as before, no more and no less.
func TestPrefixesStay(t *testing.T) {
	p, err := NewPrefix(publishedKey)
	if err != nil {
		t.Fatal(err)
	}
	common := func(a, b netip.Addr) int {
		x, y := a.AsSlice(), b.AsSlice()
		for i := range x {
			if d := x[i] ^ y[i]; d != 0 {
				return i*8 + bits.LeadingZeros8(d)
			}
		}
		return len(x) * 8
	}
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 400 {
		size := 4 + 12*(n%2)
		x := make([]byte, size)
		for i := range x {
			x[i] = byte(r.Uint32())
		}
		y := append([]byte(nil), x...)
		y[r.IntN(size)] ^= 1 << r.IntN(8)
		a, _ := netip.AddrFromSlice(x)
		b, _ := netip.AddrFromSlice(y)
		if got, want := common(p.Addr(a), p.Addr(b)), common(a, b); got != want {
			t.Fatalf("%s and %s share %d bits, afterwards %d", a, b, want, got)
		}
	}
}
