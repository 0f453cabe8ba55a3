package clock_test

import (
	"context"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/clock"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/lab"
	"github.com/corr-dev/corr/backend/match"
)

// What pairs say of clocks is the same however many cores look at parts of them.
func TestParts(t *testing.T) {
	b := lab.Bulks["mixed"]
	b.Frames, b.Conversations = 20_000, 50
	dir := t.TempDir()
	if _, err := b.Write(dir); err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
	if err != nil || len(paths) != b.Points {
		t.Fatal(paths, err)
	}
	var caps []*flow.Capture
	for _, path := range paths {
		r, err := capture.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := flow.Build(context.Background(), r, flow.Options{PayloadBudget: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		caps = append(caps, c)
	}
	r, err := match.Run(context.Background(), caps, nil)
	if err == nil {
		err = match.Packets(context.Background(), r)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	want := clock.New(r, r.Order())
	if len(want.Links) == 0 || want.Links[0].Forward+want.Links[0].Reverse < 10_000 {
		t.Fatalf("links %+v", want.Links)
	}
	for _, cores := range []int{2, 3, 7} {
		runtime.GOMAXPROCS(cores)
		if got := clock.New(r, r.Order()); !reflect.DeepEqual(got.Links, want.Links) || !reflect.DeepEqual(got.Of, want.Of) {
			t.Errorf("%d cores: %+v, on one %+v", cores, got.Of, want.Of)
		}
	}
}
