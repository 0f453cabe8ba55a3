package message

import (
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

// suites.txt: one cipher suite a line, number and name (IANA, TLS Cipher Suites), as Wireshark lists them:
// tshark -G values, field tls.handshake.ciphersuite, names that begin with TLS_. A test compares.
//
//go:embed suites.txt
var suiteList string

var suiteNames = sync.OnceValue(func() map[uint16]string {
	names := make(map[uint16]string)
	for line := range strings.Lines(suiteList) {
		number, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if id, err := strconv.ParseUint(number, 16, 16); ok && err == nil {
			names[uint16(id)] = name
		}
	}
	return names
})

// SuiteName returns the name of a cipher suite, "" where it isn't known.
func SuiteName(id uint16) string { return suiteNames()[id] }

// PlainBounds bounds the plaintext that a protected record of recordLen bytes (the length in its header) holds, for a
// version and cipher suite as ServerHello chose them. max always holds. min holds as long as nobody pads beyond need:
// TLS 1.3 and CBC allow it, the usual libraries don't unless told. An unknown suite gives 0 and recordLen.
func PlainBounds(version, suite uint16, recordLen int) (minimum, maximum int) {
	if recordLen <= 0 {
		return 0, 0
	}
	name := SuiteName(suite)
	if version == 0x0304 || version == 0xfefc {
		n := recordLen - 1 - 16 // the inner content type (RFC 8446 §5.2) and the tag
		if strings.Contains(name, "CCM_8") {
			n += 8
		}
		n = max(n, 0)
		return n, n
	}
	o, ok := overheadOf(version, name)
	if !ok {
		return 0, recordLen
	}
	return max(recordLen-o.fixed-o.block, 0), max(recordLen-o.fixed-min(o.block, 1), 0)
}

// overhead is what protection adds to a record: fixed bytes, and padding of 1 to block.
type overhead struct{ fixed, block int }

// overheadOf derives the overhead from a suite's name: RFC 5246 §6.2.3, RFC 5288 §3, RFC 6655, RFC 7905 §2.
func overheadOf(version uint16, name string) (overhead, bool) {
	has := func(s string) bool { return strings.Contains(name, s) }
	mac := 0
	switch {
	case has("_CHACHA20_POLY1305"):
		return overhead{fixed: 16}, true
	case has("_GCM_"):
		return overhead{fixed: 8 + 16}, true
	case has("_CCM_8"):
		return overhead{fixed: 8 + 8}, true
	case has("_CCM"):
		return overhead{fixed: 8 + 16}, true
	case strings.HasSuffix(name, "_MD5"):
		mac = 16
	case strings.HasSuffix(name, "_SHA"), strings.HasSuffix(name, "_SHA1"):
		mac = 20
	case strings.HasSuffix(name, "_SHA256"):
		mac = 32
	case strings.HasSuffix(name, "_SHA384"):
		mac = 48
	default:
		return overhead{}, false
	}
	switch {
	case has("_RC4_"), has("_WITH_NULL_"):
		return overhead{fixed: mac}, true
	case !has("_CBC_"):
		return overhead{}, false
	}
	block := 16
	if has("DES") || has("IDEA") || has("RC2") {
		block = 8
	}
	iv := block
	if version < 0x0302 { // the IV is the last block of the record before; DTLS versions are above all
		iv = 0
	}
	return overhead{fixed: iv + mac, block: block}, true
}
