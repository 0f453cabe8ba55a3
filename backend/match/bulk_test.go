package match_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/corr-dev/corr/backend/lab"
	"github.com/corr-dev/corr/backend/match"
)

// Of large traffic of every kind, made small, each packet that two neighbouring points share is found, and nothing else.
func TestBulk(t *testing.T) {
	for name, b := range lab.Bulks {
		b.Frames = 20_000
		if testing.Short() {
			b.Frames = 4000
		}
		b.Conversations = min(b.Conversations, 1000)
		dir := t.TempDir()
		pairs, err := b.Write(dir)
		if err != nil {
			t.Fatal(err)
		}
		paths, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
		if err != nil || len(paths) != b.Points {
			t.Fatalf("%s: %d captures, %v", name, len(paths), err)
		}
		caps := read(t, paths)
		r, err := match.Run(context.Background(), caps, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := match.Packets(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, l := range r.Links {
			l.Each(func(p match.Pair) {
				x, y := caps[l.A].At(p.A), caps[l.B].At(p.B)
				if x.Seq != y.Seq || x.Ack != y.Ack || x.Len() != y.Len() || x.IPID != y.IPID {
					t.Errorf("%s: frame %d of %s is taken for frame %d of %s", name, caps[l.A].Frame(p.A), paths[l.A], caps[l.B].Frame(p.B), paths[l.B])
				}
				if l.A == 0 && l.B == 1 {
					found++
				}
			})
		}
		if found != pairs {
			t.Errorf("%s: %d of %d pairs found", name, found, pairs)
		}
	}
}
