package match_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/lab"
	"github.com/corr-dev/corr/backend/match"
)

// Points whose clocks are so far apart that one seems to have ended before the other began are no pieces of what one recorder wrote,
// though packets pass both with the same network cards in them, or a device ends what both have with the same ports.
func TestPointsAreNoPieces(t *testing.T) {
	dirs, err := os.ReadDir("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if !d.IsDir() {
			continue
		}
		c, err := lab.Load(filepath.Join("../../testdata", d.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, turned := range []bool{false, true} {
			caps := read(t, c.Paths(filepath.Join("../../testdata", d.Name())))
			for k := range caps {
				n := k
				if turned {
					n = len(caps) - k
				}
				caps[k].First, caps[k].Last = capture.LocalTime(n)*1e15, capture.LocalTime(n)*1e15+1e12
			}
			r, err := match.Run(context.Background(), caps, nil)
			if err != nil {
				t.Fatal(err)
			}
			for k, first := range r.Pieces {
				if first != k {
					t.Errorf("%s: %s is taken for a piece of %s", d.Name(), caps[k].Name, caps[first].Name)
				}
			}
		}
	}
}
