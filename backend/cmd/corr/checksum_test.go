package main

import (
	"encoding/binary"
	"strings"
	"testing"
)

// Checksums that the card makes are named where many are missing; one that looks like it by chance is none.
func TestChecksumsLeftToTheCard(t *testing.T) {
	for _, x := range []struct {
		missing int // one in so many
		want    bool
	}{{1, true}, {3, true}, {100, false}} {
		doc := recorded(t, func(p *point) {
			for n := range uint32(300) {
				b := segment(40000, 7000, 1000+n, 5000, 0x10, "x")
				if n%uint32(x.missing) != 0 {
					binary.BigEndian.PutUint16(b[16:], uint16(0x1234+7*n))
				}
				p.put(false, 6, b)
			}
		})
		if got := strings.Contains(strings.Join(doc.Captures[0].Notes, "\n"), "checksums"); got != x.want {
			t.Errorf("one in %d missing: named: %v, %q", x.missing, got, doc.Captures[0].Notes)
		}
	}
}
