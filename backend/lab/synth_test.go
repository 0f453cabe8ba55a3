package lab

import (
	"fmt"
	"testing"
)

// seeds of made-up cases that the tests look at.
const seeds = 150

func TestRandomIsConsistent(t *testing.T) {
	for seed := range int64(seeds) {
		c := Random(seed, Options{})
		if err := c.check(); err != nil {
			t.Errorf("seed %d (%s): %v", seed, c.Recipe(), err)
		}
		if len(c.Pairs[0].Matches)+len(c.Pairs[0].Seg)+len(c.Pairs[0].Stream) == 0 {
			t.Logf("seed %d (%s): nothing in common", seed, c.Recipe())
		}
	}
}

func TestRandomReadsBack(t *testing.T) {
	for seed := range int64(20) {
		t.Run(fmt.Sprint("seed-", seed), func(t *testing.T) {
			t.Parallel()
			c := Random(seed, Options{})
			dir := t.TempDir()
			if err := c.Write(dir); err != nil {
				t.Fatal(err)
			}
			readBack(t, c, dir)
			if seed < 4 {
				dissects(t, c.Paths(dir))
			}
		})
	}
}

func TestRandomSameSeedSameTruth(t *testing.T) {
	for seed := range int64(20) {
		a, err := Random(seed, Options{}).Truth()
		if err != nil {
			t.Fatal(err)
		}
		b, err := Random(seed, Options{}).Truth()
		if err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) {
			t.Errorf("seed %d differs", seed)
		}
	}
}

// TestBoxes: each kind of device, on paths of two to sixteen points.
func TestBoxes(t *testing.T) {
	for _, box := range []string{"none", "synproxy", "transparent", "proxy", "siit"} {
		for _, points := range []int{2, 3, 16} {
			c := Random(5, Options{Box: box, Points: points, Flows: 20, Plain: true})
			if err := c.check(); err != nil {
				t.Errorf("%s, %d points: %v", box, points, err)
			}
			if len(c.Captures) != points {
				t.Errorf("%s: %d captures, want %d", box, len(c.Captures), points)
			}
		}
	}
}
