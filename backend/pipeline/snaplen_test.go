package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/lab"
	"github.com/corr-dev/corr/backend/model"
)

// Snapshots that end in mid-header take knowledge away and add none: no wrong pair, no fate but the true one or unknown, no
// finding and no device that the whole frames do not show. Ethernet, IPv4 and TCP end at byte 54, IPv6 and TCP at 74, in front of
// TCP's options; inside of a tunnel later.
func TestSnapshotsEndInHeaders(t *testing.T) {
	specs := []string{"snaplen=54@%[2]s", "snaplen=64@%[1]s", "snaplen=68@%[2]s", "snaplen=64@%[1]s,snaplen=64@%[2]s", "snaplen=76@%[2]s"}
	for n, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			whole := correlated(t, name)
			label := func(n int) string { return (&lab.Capture{File: whole.truth.Captures[n].File}).Label() }
			spec := fmt.Sprintf(specs[n%len(specs)]+"%.0[1]s%.0[2]s", label(0), label(len(whole.truth.Captures)-1))
			c, dir := changed(t, name, spec)
			o := Options{Out: filepath.Join(dir, "out")}
			for _, x := range whole.truth.Captures {
				o.Inputs = append(o.Inputs, Input{Path: filepath.Join(dir, x.File)})
			}
			doc, err := Correlate(context.Background(), o)
			if e := (*Error)(nil); errors.As(err, &e) && e.Code == 3 {
				return // nothing is left to compare, which is an answer
			} else if err != nil {
				t.Fatal(err)
			}
			r := &result{dir: o.Out, truth: whole.truth, doc: doc}
			if r.ann, err = annotate.Open(filepath.Join(o.Out, "corr.ann")); err != nil {
				t.Fatal(err)
			}
			defer r.ann.Close()
			for _, p := range r.grade(t, c).Pairs {
				if p.Wrong > 0 {
					t.Errorf("%s: %s-%s: %d wrong pairs: %v", spec, p.A, p.B, p.Wrong, p.WrongList)
				}
			}
			r.checkFates(t, "unknown")
			known := map[string]bool{}
			for _, f := range whole.doc.Findings {
				known[f.ID] = true
			}
			for _, f := range doc.Findings {
				if !known[f.ID] {
					t.Errorf("%s: finding %s: %s", spec, f.ID, f.Title)
				}
			}
			for _, x := range doc.Segments {
				for _, box := range x.Middleboxes {
					if !slices.ContainsFunc(whole.doc.Segments, func(y model.Segment) bool {
						return slices.ContainsFunc(y.Middleboxes, func(z model.Middlebox) bool { return z.Kind == box.Kind })
					}) {
						t.Errorf("%s: a %s between %s and %s", spec, box.Kind, x.A, x.B)
					}
				}
			}
		})
	}
}
