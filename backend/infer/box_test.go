package infer

import (
	"net/netip"
	"testing"

	"github.com/corr-dev/corr/backend/flow"
)

// The examples with sums are of RFC 6296 §3.4 and its appendix; the others differ in one respect each.
func TestSamePrefixOnly(t *testing.T) {
	tuple := func(src, dst string, sport uint16) flow.Tuple {
		return flow.Tuple{Version: 6, Src: netip.MustParseAddr(src).As16(), Dst: netip.MustParseAddr(dst).As16(), Sport: sport, Dport: 443}
	}
	out := tuple("fd01:203:405:1::1234", "2001:db8:5e::80", 40000)
	for _, c := range []struct {
		name string
		b    flow.Tuple
		want bool
	}{
		{"a prefix of 48 bits, sum kept", tuple("2001:db8:1:d550::1234", "2001:db8:5e::80", 40000), true},
		{"a prefix of 64 bits, the sum kept in the interface identifier", tuple("2001:db8:1:1:d54f::1234", "2001:db8:5e::80", 40000), true},
		{"the identifier kept, the sum not", tuple("2001:db8:1:77::1234", "2001:db8:5e::80", 40000), true},
		{"both ends", tuple("2001:db8:1:d550::1234", "fd09:1:2::80", 40000), true},
		{"another host", tuple("2001:db8:1:d550::1235", "2001:db8:5e::80", 40000), false},
		{"another port", tuple("2001:db8:1:d550::1234", "2001:db8:5e::80", 40001), false},
		{"the responder is another host", tuple("2001:db8:1:d550::1234", "fd09:1:2::81", 40000), false},
	} {
		if got := samePrefixOnly(out, c.b); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
