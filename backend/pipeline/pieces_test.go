package pipeline

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/model"
)

// A recorder that begins a new file every so often is one point all the same: what its files hold together has the counterparts and the
// fates that it would have in one.
func TestPieces(t *testing.T) {
	for _, x := range []struct{ name, whole, other, early, late string }{
		{"snat-basic", "a.pcap", "b.pcapng", "early=0.5@a", "late=0.5@a"},
		{"snat-basic", "b.pcapng", "a.pcap", "early=0.3@b", "late=0.3@b"},
		{"ipv6-routers", "a.pcap", "b.pcap", "early=0.5@a", "late=0.5@a"},
		{"nat64", "b.pcap", "a.pcap", "early=0.6@b", "late=0.6@b"}, // no connection lies across
		{"haproxy-tcp", "a.pcap", "b.pcap", "early=0.4@a", "late=0.4@a"},
		{"clock-drift", "a.pcap", "b.pcapng", "early=0.4@a", "late=0.4@a"},
	} {
		t.Run(x.name+" "+x.early, func(t *testing.T) {
			_, first := changed(t, x.name, x.early)
			_, second := changed(t, x.name, x.late)
			from := filepath.Join("../../testdata", x.name)
			whole := correlateOf(t, from, x.whole, x.other)
			doc, err := Correlate(context.Background(), Options{Out: filepath.Join(t.TempDir(), "out"), Inputs: []Input{
				{Label: "two", Path: filepath.Join(second, x.whole)}, {Label: "one", Path: filepath.Join(first, x.whole)}, {Label: "other", Path: filepath.Join(from, x.other)}}})
			if err != nil {
				t.Fatal(err)
			}
			fates := func(d *model.Document) map[string]int64 {
				n := map[string]int64{}
				for i := range d.Captures {
					for fate, k := range d.Captures[i].Fates {
						n[fate] += k
					}
				}
				return n
			}
			have, want := fates(doc), fates(whole.doc)
			for fate, n := range want {
				if have[fate] != n {
					t.Errorf("%d frames are %s, of one file %d", have[fate], fate, n)
				}
			}
			ids := func(d *model.Document) (out []string) {
				for i := range d.Findings {
					out = append(out, d.Findings[i].ID)
				}
				slices.Sort(out)
				return slices.Compact(out)
			}
			if have, want := ids(doc), ids(whole.doc); !slices.Equal(have, want) {
				t.Errorf("the findings are %q, of one file %q", have, want)
			}
			if !slices.ContainsFunc(doc.Captures, func(c model.Capture) bool {
				return strings.Contains(strings.Join(c.Notes, "\n"), "the recorder of")
			}) {
				t.Error("nothing says that the files are of one recorder")
			}
			for i := range doc.Segments {
				if s := &doc.Segments[i]; s.A != "other" && s.B != "other" {
					t.Errorf("a stretch lies between %s and %s", s.A, s.B)
				}
			}
			if len(doc.Segments) != 2 {
				t.Errorf("%d stretches", len(doc.Segments))
			}
		})
	}
}

// Two recorders at one place see every packet at one time: nothing tells which is first, and nothing depends on it.
func TestOnePlace(t *testing.T) {
	for _, x := range []struct {
		name, file, apply string
		want              []string
	}{{"snat-basic", "a.pcap", "", []string{"delivered"}}, {"snat-basic", "a.pcap", "filter=port:80@a", []string{"delivered", "filtered"}},
		{"asymmetric-route", "d.pcapng", "", []string{"delivered"}}, {"nat64", "a.pcap", "filter=tcp@a", []string{"delivered", "filtered"}}} {
		from := filepath.Join("../../testdata", x.name)
		again := from
		if x.apply != "" {
			_, again = changed(t, x.name, x.apply)
		}
		b, err := os.ReadFile(filepath.Join(again, x.file))
		if err != nil {
			t.Fatal(err)
		}
		again = filepath.Join(t.TempDir(), "again"+filepath.Ext(x.file))
		if err := os.WriteFile(again, b, 0o600); err != nil {
			t.Fatal(err)
		}
		doc, err := Correlate(context.Background(), Options{Out: filepath.Join(t.TempDir(), "out"), Inputs: []Input{{Path: filepath.Join(from, x.file)}, {Path: again}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range doc.Captures {
			if c.Clock.OffsetS == nil || *c.Clock.OffsetS != 0 || *c.Clock.OffsetErrorS > 1e-5 {
				t.Errorf("%s %s: %s is at %v s", x.name, x.apply, c.Name, c.Clock.OffsetS)
			}
			for fate := range c.Fates {
				if !slices.Contains(x.want, fate) {
					t.Errorf("%s %s: of %s frames are %s", x.name, x.apply, c.Name, fate)
				}
			}
		}
	}
}
