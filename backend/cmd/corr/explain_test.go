package main

import (
	"slices"
	"testing"
)

// A frame's point is told what holds its conversation together there, not elsewhere on the path.
func TestEvidenceAt(t *testing.T) {
	all := []string{"a and b: initial sequence number", "b and c: initial sequence number", "b and c: the runner-up at a and b: none", "c and d: TLS hello"}
	for point, want := range map[string][]string{"a": all[:1], "b": all[:3], "c": all[1:], "d": all[3:], "x": all} {
		if got := evidenceAt(all, point); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", point, got, want)
		}
	}
}
