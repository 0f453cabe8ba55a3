package logs

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// A line that names an end is never passed over, in any format; one that names its address with another port is.
func TestSpeaks(t *testing.T) {
	for _, x := range lines {
		_, err := ReadFrom(context.Background(), Source{}, strings.NewReader(x.line+"\n"), nil, func(r *Record) {
			for _, end := range []netip.AddrPort{r.From, r.To, r.XFrom, r.XTo} {
				if !end.IsValid() {
					continue
				}
				ends := NewEnds()
				ends.Add(end)
				if !ends.speaks([]byte(r.Text), &scan{}) {
					t.Errorf("%s: does not speak of %v: %s", x.name, end, r.Text)
				}
				other := NewEnds()
				other.Add(netip.AddrPortFrom(end.Addr(), 64999))
				if other.speaks([]byte(r.Text), &scan{}) {
					t.Errorf("%s: speaks of port 64999 of %v: %s", x.name, end.Addr(), r.Text)
				}
			}
		})
		if err != nil {
			t.Error(x.name, err)
		}
	}
	ends := NewEnds()
	ends.Add(netip.MustParseAddrPort("10.1.1.1:5000"))
	ends.Add(netip.MustParseAddrPort("[2001:db8::1]:7"))
	for line, want := range map[string]bool{
		"no address at all":            true,
		"10.1.1.1 5000":                true,
		"10.1.1.11 5000":               false,
		"110.1.1.1 5000":               false,
		"10.1.1.1.5000":                true,
		"10.1.1.1 50000 15000":         false,
		"5000 192.0.2.1":               false,
		"2001:db8::1 port 7":           true,
		"2001:DB8:0:0:0:0:0:1,7":       true,
		"2001:db8::2 port 7":           false,
		"::ffff:10.1.1.1 5000":         true,
		"1.2.3 version 5000":           true,
		"999.1.1.1 5000 and 10.9.9.9x": false,
	} {
		if got := ends.speaks([]byte(line), &scan{}); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

// With ends and without, the same records of these ends come out.
func FuzzSpeaks(f *testing.F) {
	for _, x := range lines {
		f.Add(x.line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "\\") || strings.Contains(text, `""`) {
			t.Skip("an address may be written in escapes")
		}
		for _, name := range Formats() {
			s := Source{Format: name}
			_, _ = ReadFrom(context.Background(), s, strings.NewReader(text), nil, func(r *Record) { // nonsense may fail
				for _, end := range []netip.AddrPort{r.From, r.To} {
					ends := NewEnds()
					ends.Add(end)
					if !ends.speaks([]byte(r.Text), &scan{}) {
						t.Errorf("%s: %q is a record of %v and passed over", name, r.Text, end)
					}
				}
			})
		}
	})
}

// A busy firewall's log, of which one line in a thousand is of the conversations.
func BenchmarkBusyLog(b *testing.B) {
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, "loc=%d|time=2026-11-24 15:50:46|action=accept|i/f_dir=inbound|product=VPN-1 & FireWall-1|src=10.%d.%d.%d|s_port=%d|dst=192.0.2.7|service=443|proto=tcp|rule=17\n",
			i, i%200, i/200%200, i%250, 1024+i%60000)
	}
	ends := NewEnds()
	for i := 0; i < 20_000; i += 1000 {
		ends.Add(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i % 200), byte(i / 200 % 200), byte(i % 250)}), uint16(1024+i%60000)))
	}
	tie := NewTie(nil)
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadFrom(context.Background(), Source{}, strings.NewReader(text.String()), ends, tie.Add); err != nil {
			b.Fatal(err)
		}
	}
}
