package match_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/corr-dev/corr/backend/lab"
	"github.com/corr-dev/corr/backend/match"
)

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
		from := filepath.Join("../../testdata", d.Name())
		c, err := lab.Load(from)
		if err != nil {
			t.Fatal(err)
		}
		r, err := match.Run(context.Background(), read(t, c.Paths(from)), nil)
		if err != nil {
			t.Fatal(err)
		}
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
