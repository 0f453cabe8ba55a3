package compose

import (
	"math"
	"testing"
)

// Every sample lies in one part, in that which its time says, and clocks as far apart as can be make no more parts than others.
func TestParts(t *testing.T) {
	for name, l := range map[string][]sample{
		"none":           nil,
		"one":            {{5, 1}},
		"at once":        {{5, 1}, {5, 2}},
		"few, unordered": {{90, 1}, {0, 2}, {45, 3}, {100, 4}, {1, 5}},
		"all of time":    {{math.MaxInt64, 1}, {math.MinInt64, 2}, {0, 3}},
	} {
		for _, n := range []uint64{1, 10, 100} {
			ps := parts(l, n)
			count := 0
			for k, p := range ps {
				if len(p.samples) == 0 {
					t.Errorf("%s: an empty part", name)
				}
				for _, x := range p.samples {
					count++
					if x.at < p.begin || k+1 < len(ps) && x.at >= ps[k+1].begin {
						t.Errorf("%s in %d: %d lies in the part from %d on", name, n, x.at, p.begin)
					}
				}
			}
			if count != len(l) || uint64(len(ps)) > 2*n+1 {
				t.Errorf("%s in %d: %d samples in %d parts", name, n, count, len(ps))
			}
		}
	}
}

// Of each part of the time the fastest sample is kept and the first one, once where that is the same.
func TestThinned(t *testing.T) {
	got := thinned([]sample{{10, 7}, {0, 9}, {12, 5}, {10_000, 3}})
	want := []sample{{12, 5}, {0, 9}, {10_000, 3}}
	if len(got) != len(want) || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%v, want %v", got, want)
	}
}
