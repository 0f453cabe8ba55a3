package logs

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

func lower(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// record makes a Record of a line's fields; ok is false where it names no two ends.
func (f fields) record() (r Record, ok bool) {
	r.From, r.To = end(f["src"], f["sport"]), end(f["dst"], f["dport"])
	if !r.From.IsValid() || !r.To.IsValid() {
		return r, false
	}
	r.XFrom, r.XTo = end(f["xsrc"], f["xsport"]), end(f["xdst"], f["xdport"])
	r.Proto, r.Action, r.Reason = protocol(f["proto"]), lower(f["action"]), f["reason"]
	t := f["time"]
	if d := f["date"]; d != "" && t != "" {
		t = d + " " + t
	}
	r.Time, r.Zoned = when(t)
	return r, true
}

// end reads an address and port; a port of a name ("https") is left at 0.
func end(addr, port string) netip.AddrPort {
	addr = strings.Trim(addr, `"[] `)
	if ap, err := netip.ParseAddrPort(addr); err == nil && port == "" {
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	a, err := netip.ParseAddr(addr)
	if err != nil || a.IsUnspecified() {
		return netip.AddrPort{}
	}
	n, err := strconv.ParseUint(strings.Trim(port, `" `), 10, 16)
	if err != nil {
		n = 0
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(n))
}

// protocol reads names and numbers (IANA).
func protocol(s string) string {
	switch s = lower(s); s {
	case "6":
		return "tcp"
	case "17":
		return "udp"
	case "1":
		return "icmp"
	case "58":
		return "icmpv6"
	case "132":
		return "sctp"
	}
	return s
}

// layouts are the ways in which logs write time. Those of RFC 3164 lack the year.
var layouts = []struct {
	text  string
	zoned bool
}{
	{time.RFC3339Nano, true}, {"2006-01-02T15:04:05.999999999-0700", true}, {"2006-01-02 15:04:05.999999999 -0700", true},
	{"2006-01-02 15:04:05.999999999", false}, {"2006-01-02T15:04:05.999999999", false}, {"2006/01/02 15:04:05.999", false},
	{"02/Jan/2006:15:04:05.999", false}, {"02/Jan/2006:15:04:05 -0700", true}, {"Jan _2 2006 15:04:05", false}, {"2Jan2006 15:04:05", false},
	{"Jan _2 15:04:05", false}, {"02 Jan 2006 15:04:05", false},
}

// when reads a time; the zero time if it can't. Without a zone it is taken for UTC.
func when(s string) (t time.Time, zoned bool) {
	s = strings.Trim(s, `"[] `)
	if s == "" {
		return t, false
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil && n > 1e8 {
		sec := n
		for sec > 1e11 { // ms, µs, ns
			sec /= 1000
		}
		whole := int64(sec)
		return time.Unix(whole, int64((sec-float64(whole))*1e9)).UTC(), true
	}
	for _, l := range layouts {
		if t, err := time.Parse(l.text, s); err == nil {
			return t.UTC(), l.zoned
		}
	}
	return time.Time{}, false
}
