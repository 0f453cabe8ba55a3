package pipeline

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/annotate"
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
			out := filepath.Join(t.TempDir(), "out")
			doc, err := Correlate(context.Background(), Options{Out: out, Inputs: []Input{
				{Label: "two", Path: filepath.Join(second, x.whole)}, {Label: "one", Path: filepath.Join(first, x.whole)}, {Label: "other", Path: filepath.Join(from, x.other)}}})
			if err != nil {
				t.Fatal(err)
			}
			ann, err := annotate.Open(filepath.Join(out, "corr.ann"))
			if err != nil {
				t.Fatal(err)
			}
			defer ann.Close()
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
