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

// apart makes captures seem to begin where another ends, as clocks that are apart do, and matches them.
func apart(t *testing.T, paths []string, turned bool) *match.Result {
	t.Helper()
	caps := read(t, paths)
	for k := range caps {
		n := k
		if turned {
			n = len(caps) - k
		}
		caps[k].First, caps[k].Last = capture.LocalTime(n)*1e12, capture.LocalTime(n+1)*1e12-1
	}
	r, err := match.Run(context.Background(), caps, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

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
		from := filepath.Join("../../testdata", d.Name())
		c, err := lab.Load(from)
		if err != nil {
			t.Fatal(err)
		}
		groups := [][]string{c.Paths(from)}
		for _, p := range c.Paths(from) {
			groups = append(groups, []string{p, p}) // two recorders at one place
		}
		// Connections between the same ports, with other numbers, and nothing else.
		if err := c.Apply("isn,filter=tcp@"+c.Captures[0].Label(), 3); err == nil {
			dir := t.TempDir()
			if err := c.Write(dir); err != nil {
				t.Fatal(err)
			}
			groups = append(groups, []string{c.Paths(from)[0], c.Paths(dir)[0]})
		}
		for _, g := range groups {
			for _, turned := range []bool{false, true} {
				for k, first := range apart(t, g, turned).Pieces {
					if first != k {
						t.Errorf("%s is taken for a piece of %s", g[k], g[first])
					}
				}
			}
		}
	}
}
