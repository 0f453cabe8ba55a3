package oui

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"strconv"
	"strings"
	"sync"
)

// The table: a line for each block, "prefix<TAB>organisation", prefixes of 6, 7 or 9 hex digits, ascending.
//
//go:embed table.tsv.gz
var table []byte

// block is an assigned prefix, its digits in the low bits.
type block struct {
	digits uint8
	prefix uint64
}

var load = sync.OnceValue(func() map[block]string {
	m := map[block]string{}
	z, err := gzip.NewReader(bytes.NewReader(table))
	if err != nil {
		return m // the tests read the table; a broken one can't be built in
	}
	names := map[string]string{}
	s := bufio.NewScanner(z)
	for s.Scan() {
		hex, name, _ := strings.Cut(s.Text(), "\t")
		p, err := strconv.ParseUint(hex, 16, 64)
		if err != nil {
			continue
		}
		short, known := names[name]
		if !known {
			short = Short(name)
			names[name] = short
		}
		m[block{uint8(len(hex)), p}] = short
	}
	return m
})

// Vendor is the short name of the organisation that a hardware address is assigned to; "" for none, and for addresses
// that nobody is assigned: locally administered ones and groups (IEEE 802-2014 §8.2).
func Vendor(mac [6]byte) string {
	if mac[0]&3 != 0 {
		return ""
	}
	v := uint64(mac[0])<<40 | uint64(mac[1])<<32 | uint64(mac[2])<<24 | uint64(mac[3])<<16 | uint64(mac[4])<<8 | uint64(mac[5])
	t := load()
	for _, digits := range [...]uint8{9, 7, 6} { // the smaller block counts
		if n, ok := t[block{digits, v >> (48 - 4*digits)}]; ok {
			return n
		}
	}
	return ""
}
