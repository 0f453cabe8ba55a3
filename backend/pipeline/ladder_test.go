package pipeline

import (
	"path/filepath"
	"testing"

	"github.com/corr-dev/corr/backend/model"
)

// However many points see a packet, a ladder has it once, with its frames at all of them; and nothing is told to be sent again that
// another point sees.
func TestLadderHasPacketsOnce(t *testing.T) {
	cases, err := filepath.Glob("../../testdata/*/truth.json")
	if err != nil || len(cases) == 0 {
		t.Fatal("no cases", err)
	}
	whole := 0
	for _, truth := range cases {
		name := filepath.Base(filepath.Dir(truth))
		files, err := filepath.Glob(filepath.Join(filepath.Dir(truth), "*.pcap*"))
		if err != nil || len(files) < 3 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			var inputs []Input
			for _, f := range files {
				inputs = append(inputs, Input{Path: f})
			}
			doc, err := Correlate(t.Context(), Options{Inputs: inputs, Out: filepath.Join(t.TempDir(), "out")})
			if err != nil {
				t.Fatal(err)
			}
			for i := range doc.Flows {
				whole += onceEach(t, &doc.Flows[i])
			}
		})
	}
	if whole < 500 {
		t.Errorf("%d packets with a frame at every point of their path, want more", whole)
	}
}

// onceEach checks a ladder and counts its packets that have a frame at every point of three or more on their path.
func onceEach(t *testing.T, f *model.Flow) (whole int) {
	type frame struct {
		capture string
		n       uint32
	}
	shared := func(e *model.Event) bool { return e.Match == "resegmented" || e.Match == "relayed" } // frames may have a part in several packets
	in := map[frame]int{}
	for n := range f.Ladder {
		e := &f.Ladder[n]
		for _, s := range e.Seen {
			k := frame{s.Capture, s.Frame}
			if o, twice := in[k]; twice && !shared(e) && !shared(&f.Ladder[o]) {
				t.Errorf("conversation %d: frame %d of %s is in packets %d and %d", f.ID, s.Frame, s.Capture, o, n)
			}
			in[k] = n
		}
		path := f.Path
		if e.Dir == "r" {
			path = f.PathReverse
		}
		if len(path) >= 3 && len(e.Seen) == len(path) {
			whole++
		}
		if e.Retransmits < 0 {
			continue
		}
		if e.Retransmits >= n {
			t.Errorf("conversation %d: packet %d repeats packet %d", f.ID, n, e.Retransmits)
		}
		for _, s := range f.Ladder[e.Retransmits].Seen {
			for _, o := range e.Seen {
				if s == o {
					t.Errorf("conversation %d: packet %d repeats packet %d, which is the same", f.ID, n, e.Retransmits)
				}
			}
		}
	}
	return whole
}
