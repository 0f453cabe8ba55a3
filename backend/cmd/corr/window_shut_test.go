package main

import (
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

// A receiver that keeps its window shut is named, for how long, and that it is not the network; one that is shut for a
// moment, or that ends with a RST, whose window means nothing, is not.
func TestZeroWindow(t *testing.T) {
	for _, x := range []struct {
		name     string
		shut     capture.LocalTime // ns
		open     bool              // again, before the end
		reset    bool              // instead of being shut
		severity string            // "" for no finding
	}{
		{"shut for three seconds", 3e9, true, false, "note"},
		{"shut for good", 5e9, false, false, "warn"},
		{"shut for a moment", 3e8, true, false, ""},
		{"a reset", 3e9, false, true, ""},
	} {
		talk := func(p *point) {
			answer := func(ack uint32, flags byte, window uint16) {
				b := segment(7000, 40000, 5001, ack, flags, "")
				b[14], b[15] = byte(window>>8), byte(window)
				p.put(true, 6, b)
			}
			data := strings.Repeat("twelve bytes", 40)
			n := uint32(len(data))
			p.put(false, 6, segment(40000, 7000, 1000, 0, 0x02, ""))
			p.put(true, 6, segment(7000, 40000, 5000, 1001, 0x12, ""))
			p.put(false, 6, segment(40000, 7000, 1001, 5001, 0x18, data))
			if x.reset {
				answer(1001+n, 0x14, 0)
				return
			}
			answer(1001+n, 0x10, 0)
			for range 4 { // probes of the window (RFC 9293 §3.8.6.1)
				p.now += x.shut / 5
				p.put(false, 6, segment(40000, 7000, 1000+n, 5001, 0x10, "s"))
				answer(1001+n, 0x10, 0)
			}
			p.now += x.shut / 5
			if x.open {
				answer(1001+n, 0x10, 4096)
				p.put(false, 6, segment(40000, 7000, 1001+n, 5001, 0x18, data))
				answer(1001+2*n, 0x10, 4096)
			}
		}
		doc := recorded(t, talk)
		got := ""
		for _, f := range doc.Findings {
			if f.ID != "zero-window" {
				continue
			}
			got = f.Severity
			if f.Evidence[0].Capture != "b" || !strings.Contains(f.Title, "server") {
				t.Errorf("%s: %s by %+v", x.name, f.Title, f.Evidence)
			}
		}
		if got != x.severity {
			t.Errorf("%s: %q, want %q", x.name, got, x.severity)
		}
	}
}
