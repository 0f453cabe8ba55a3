package match_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/lab"
	"github.com/corr-dev/corr/backend/match"
)

// joined is what is made of a recorded case before its packets are paired.
func joined(t *testing.T, name string) *match.Result {
	t.Helper()
	from := filepath.Join("../../testdata", name)
	c, err := lab.Load(from)
	if err != nil {
		t.Fatal(err)
	}
	r, err := match.Run(context.Background(), read(t, c.Paths(from)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Few packets of a conversation say what many do of what stands between two points, of every recorded conversation.
func TestGlancesTellDevices(t *testing.T) {
	dirs, err := os.ReadDir("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range dirs {
		if !d.IsDir() {
			continue
		}
		r := joined(t, d.Name())
		few, many := r.Glances()
		for k := range few {
			n++
			x, y := &few[k], &many[k]
			if x.Terminated != y.Terminated || x.SynProxied != y.SynProxied || x.Traits.Shift != y.Traits.Shift || x.Way != 0 && y.Way != 0 && x.Way != y.Way ||
				x.Traits.Pairs > 0 && (x.Traits.KeepsID != y.Traits.KeepsID || x.Traits.KeepsTS != y.Traits.KeepsTS) {
				t.Errorf("%s, points %d and %d: %+v by few, %+v by many", d.Name(), x.A, x.B, *x, *y)
			}
		}
	}
	if n == 0 {
		t.Error("nothing was looked at")
	}
}

// The ends of a conversation are its first and last packets in either direction, no more than all.
func TestEnds(t *testing.T) {
	for _, name := range []string{"partial-reuse-span", "gateway", "mss-loss-reorder", "udp-icmp-nat"} {
		r := joined(t, name)
		for _, f := range r.Flows {
			for k, s := range f.Sides {
				if s == nil {
					continue
				}
				for _, limit := range []int{1, 2, 3, 8, 100} {
					ends, want := s.Probed(limit)
					for d, l := range want {
						if len(l) > 2*limit {
							l = append(l[:limit:limit], l[len(l)-limit:]...)
						}
						if !slices.Equal(ends[d], l) {
							t.Fatalf("%s, flow %d at point %d, direction %d, %d packets: %v, want %v", name, f.ID, k, d, limit, ends[d], l)
						}
					}
				}
			}
		}
	}
}
