package message

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// DNS holds what the header and first question of a DNS message say (RFC 1035 §4).
type DNS struct {
	ID       uint16
	Response bool
	Opcode   uint8
	// RCode of the header; extended codes (EDNS) are not put together.
	RCode                                  uint8
	Authoritative, Truncated               bool
	Questions, Answers, Authority, Further int // record counts, as the header has them
	// Name, Type, Class are those of the first question; Name without the last dot, "." for the root, a dot inside a
	// label as \., other bytes raw and in their case (0x20 randomisation survives). Valid where HasQuestion.
	HasQuestion bool
	Name        string
	Type, Class uint16
}

const (
	dnsHeader    = 12
	dnsMaxName   = 255 // RFC 1035 §3.1
	dnsClassMDNS = 0x7fff
)

// isDNS recognises a message with one question, by its form alone. wire is the message's length.
func isDNS(b []byte, wire int) bool {
	if len(b) < dnsHeader+5 || b[4] != 0 || b[5] != 1 {
		return false
	}
	flags := binary.BigEndian.Uint16(b[2:])
	answers, authority := binary.BigEndian.Uint16(b[6:]), binary.BigEndian.Uint16(b[8:])
	further := binary.BigEndian.Uint16(b[10:])
	opcode := flags >> 11 & 15
	// Z is zero (RFC 1035 §4.1.1); a query has neither an rcode nor, unless it updates or notifies, answers.
	if flags&0x40 != 0 || opcode > 6 || opcode == 3 || further > 512 || authority > 512 || answers > 4096 {
		return false
	}
	if flags&0x8000 == 0 && opcode == 0 && (answers > 0 || authority > 1 || flags&15 != 0) {
		return false
	}
	end := dnsNameEnd(b)
	if end < 0 || len(b) < end+4 {
		return false
	}
	class := binary.BigEndian.Uint16(b[end+2:]) & dnsClassMDNS
	if class != 1 && class != 3 && class != 4 && class != 254 && class != 255 || b[end] == 0 && b[end+1] == 0 {
		return false
	}
	// Records take at least 11 bytes each, and without any the message ends here.
	records := int(answers) + int(authority) + int(further)
	return records == 0 && end+4 == wire || records > 0 && wire >= end+4+11*records
}

// dnsNameEnd returns the offset behind the first question's name, -1 where it is none: labels of printable bytes.
func dnsNameEnd(b []byte) int {
	off := dnsHeader
	for off < len(b) {
		n := int(b[off])
		off++
		if n == 0 {
			return off
		}
		if n > 63 || off+n > len(b) || off-dnsHeader+n > dnsMaxName {
			return -1
		}
		for _, c := range b[off : off+n] {
			if c < 0x20 || c == 0x7f {
				return -1
			}
		}
		off += n
	}
	return -1
}

// nameDNS names a DNS message; over TCP the length before it is skipped.
func nameDNS(i *Info, b []byte, wire int, proto uint8) bool {
	skip := 0
	if proto == tcp || proto == 0 && len(b) > 2 && !isDNS(b, wire) && isDNS(b[2:], wire-2) {
		skip = 2
		if len(b) < 2 || int(binary.BigEndian.Uint16(b)) < dnsHeader {
			return false
		}
	}
	d := parseDNS(b[skip:])
	if d == nil {
		return false
	}
	i.DNS = d
	kind, label := d.label()
	length := wire
	if skip > 0 {
		length = 2 + int(binary.BigEndian.Uint16(b))
	}
	i.only(kind, label, length, len(b))
	return true
}

// parseDNS reads header and first question; nil where the bytes can't be a DNS message.
func parseDNS(b []byte) *DNS {
	c := cursor{b: b}
	d := &DNS{ID: uint16(c.uint(2))}
	flags := c.uint(2)
	d.Questions, d.Answers, d.Authority, d.Further = c.uint(2), c.uint(2), c.uint(2), c.uint(2)
	if c.short || flags&0x40 != 0 || d.Questions > 256 || flags>>11&15 > 6 {
		return nil
	}
	d.Response = flags&0x8000 != 0
	d.Opcode, d.RCode = uint8(flags>>11&15), uint8(flags&15)
	d.Authoritative, d.Truncated = flags&0x400 != 0, flags&0x200 != 0
	if d.Questions == 0 {
		return d
	}
	name, ok := dnsName(&c)
	kind, class := c.uint(2), c.uint(2)
	if !ok || c.short {
		return d
	}
	d.HasQuestion, d.Name, d.Type, d.Class = true, name, uint16(kind), uint16(class)
	return d
}

// dnsName reads the first question's name; it never needs compression.
func dnsName(c *cursor) (string, bool) {
	var name strings.Builder
	for total := 0; ; {
		n := c.uint(1)
		if c.short || n > 63 {
			return "", false
		}
		if n == 0 {
			break
		}
		label := c.take(n)
		if total += n + 1; c.short || total > dnsMaxName {
			return "", false
		}
		if name.Len() > 0 {
			name.WriteByte('.')
		}
		name.WriteString(strings.ReplaceAll(string(label), ".", `\.`))
	}
	if name.Len() == 0 {
		return ".", true
	}
	return name.String(), true
}

// label returns the kind and name: "A? example.org", "A example.org: 2 answers", "A example.org: NXDOMAIN".
func (d *DNS) label() (kind, label string) {
	kind, sign := "query", "?"
	if d.Response {
		kind, sign = "answer", ""
	}
	if d.HasQuestion {
		label = DNSType(d.Type) + sign + " " + d.Name
	} else {
		label = kind
	}
	if d.Opcode != 0 {
		label = dnsOpcode(d.Opcode) + " " + label
	}
	switch {
	case !d.Response:
		return kind, label
	case d.RCode != 0:
		return kind, label + ": " + DNSRCode(d.RCode)
	case d.Truncated:
		return kind, label + ": truncated"
	case d.Answers == 1:
		return kind, label + ": 1 answer"
	}
	return kind, label + ": " + strconv.Itoa(d.Answers) + " answers"
}

func dnsOpcode(op uint8) string {
	switch op {
	case 1:
		return "IQUERY"
	case 2:
		return "STATUS"
	case 4:
		return "NOTIFY"
	case 5:
		return "UPDATE"
	case 6:
		return "DSO"
	}
	return "opcode " + strconv.Itoa(int(op))
}

// DNSRCode names a response code (IANA, DNS RCODEs).
func DNSRCode(code uint8) string {
	names := [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
		"NXRRSET", "NOTAUTH", "NOTZONE"}
	if int(code) < len(names) {
		return names[code]
	}
	return "rcode " + strconv.Itoa(int(code))
}

// DNSType names a record type (IANA, Resource Record TYPEs), TYPE123 where it has no name (RFC 3597 §5).
func DNSType(t uint16) string {
	switch t {
	case 1:
		return "A"
	case 2:
		return "NS"
	case 5:
		return "CNAME"
	case 6:
		return "SOA"
	case 12:
		return "PTR"
	case 13:
		return "HINFO"
	case 15:
		return "MX"
	case 16:
		return "TXT"
	case 28:
		return "AAAA"
	case 33:
		return "SRV"
	case 35:
		return "NAPTR"
	case 39:
		return "DNAME"
	case 43:
		return "DS"
	case 44:
		return "SSHFP"
	case 46:
		return "RRSIG"
	case 47:
		return "NSEC"
	case 48:
		return "DNSKEY"
	case 50:
		return "NSEC3"
	case 52:
		return "TLSA"
	case 64:
		return "SVCB"
	case 65:
		return "HTTPS"
	case 251:
		return "IXFR"
	case 252:
		return "AXFR"
	case 255:
		return "ANY"
	case 257:
		return "CAA"
	}
	return "TYPE" + strconv.Itoa(int(t))
}
