package pipeline

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/lab"
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

// What both ends' cards join is cut in between: no packet of one end is said to be one of the other, of which it may carry no byte, and
// nothing is said to be sent again.
func TestLadderOfCutSegments(t *testing.T) {
	c, doc := derivedCase(t, 3, "four-points", "gro@a,gro@d")
	const joined = 1514 // longer frames are
	cut := 0
	for i := range doc.Flows {
		for n := range doc.Flows[i].Ladder {
			e := &doc.Flows[i].Ladder[n]
			ends := map[string]bool{}
			for _, s := range e.Seen {
				at := slices.IndexFunc(c.Captures, func(k *lab.Capture) bool { return strings.HasPrefix(k.File, s.Capture+".") })
				ends[s.Capture] = ends[s.Capture] || c.Captures[at].Frames[s.Frame-1].OrigLen > joined
			}
			if ends["a"] || ends["d"] {
				cut++
			}
			if ends["a"] && ends["d"] {
				t.Errorf("conversation %d: packet %d is %v", doc.Flows[i].ID, n, e.Seen)
			}
			if e.Retransmits >= 0 {
				t.Errorf("conversation %d: packet %d repeats packet %d", doc.Flows[i].ID, n, e.Retransmits)
			}
		}
	}
	if cut == 0 {
		t.Error("no packet was cut")
	}
}

// A copy is no packet sent again, and where a router records all twice it is no packet of its own.
func TestLadderOfCopies(t *testing.T) {
	for name, want := range map[string]bool{"gateway": false, "partial-reuse-span": true} {
		doc := derived(t, 1, name, "rename")
		copies := 0
		for i := range doc.Flows {
			for n := range doc.Flows[i].Ladder {
				if e := &doc.Flows[i].Ladder[n]; e.Fate == "duplicate" {
					if copies++; e.Retransmits >= 0 {
						t.Errorf("%s, conversation %d: the copy %d repeats packet %d", name, doc.Flows[i].ID, n, e.Retransmits)
					}
				}
			}
		}
		if copies > 0 != want {
			t.Errorf("%s: %d copies", name, copies)
		}
	}
}
