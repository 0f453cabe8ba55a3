package compose

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/clock"
	"github.com/corr-dev/corr/backend/exchange"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/lab"
	"github.com/corr-dev/corr/backend/match"
)

// conclude is what there is to say of some captures; nil where they share nothing.
func conclude(t *testing.T, paths []string) *Input {
	t.Helper()
	ctx := t.Context()
	var caps []*flow.Capture
	in := &Input{}
	for _, path := range paths {
		r, err := capture.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		c, err := flow.Build(ctx, r, flow.Options{PayloadBudget: flow.DefaultPayloadBudget})
		if err != nil {
			t.Fatal(err)
		}
		caps = append(caps, c)
		in.Points = append(in.Points, Point{Name: fmt.Sprint("p", len(in.Points)), File: path, Cell: filepath.Base(path)})
	}
	r, err := match.Run(ctx, caps, nil)
	if err != nil {
		t.Fatal(err)
	}
	x, err := exchange.Tie(ctx, r, nil, make([]*exchange.Sealed, len(caps)))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Relations) == 0 {
		return nil
	}
	if err := match.Packets(ctx, r); err != nil {
		t.Fatal(err)
	}
	order := r.Order()
	in.Verdict = infer.New(r, clock.New(r, order), order, x, nil, nil)
	return in
}

// said is what every frame's annotation says, by capture.
func said(t *testing.T, in *Input) [][]any {
	t.Helper()
	path := filepath.Join(t.TempDir(), "corr.ann")
	w, err := annotate.Create(path, in.Tables())
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Frames(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := annotate.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := make([][]any, len(in.Points))
	for p := range out {
		err := f.Each(p, func(_ capture.FrameNo, fr *annotate.Frame, c *annotate.Class) error {
			x := *fr
			x.Class, x.Extra = 0, nil
			var extra annotate.Extra
			if fr.Extra != nil {
				extra = *fr.Extra
			}
			out[p] = append(out[p], []any{x, *c, extra})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// changeSome has f change or (nil) take out the frames of a pcap file, by number.
func changeSome(t *testing.T, path string, f func(n int, b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := bytes.Clone(b[:24])
	b = b[24:]
	for n := 1; len(b) > 0; n++ {
		size := 16 + int(binary.LittleEndian.Uint32(b[8:]))
		if x := f(n, b[16:size]); x != nil {
			out = append(append(out, b[:16]...), x...)
		}
		b = b[size:]
	}
	if err := os.WriteFile(path, out, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestOrdinary: what is said of a frame by what those before it shared is what is said of it when it is looked at anew, of the recorded cases, of
// made-up ones with up to sixteen points, and of the same frames with many points at once.
func TestOrdinary(t *testing.T) {
	all := 0
	compare := func(name string, paths []string) {
		t.Run(name, func(t *testing.T) {
			in := conclude(t, paths)
			if in == nil {
				t.Skip("no traffic in common")
			}
			quick := said(t, in)
			all += in.quick
			in.anew = true
			for p, frames := range said(t, in) {
				for i := range frames {
					if !reflect.DeepEqual(frames[i], quick[p][i]) {
						t.Fatalf("%s frame %d: %+v\nlooked at anew: %+v", paths[p], i+1, quick[p][i], frames[i])
					}
				}
			}
		})
	}
	dirs, err := filepath.Glob("../../testdata/*/truth.json")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, truth := range dirs {
		dir := filepath.Dir(truth)
		c, err := lab.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		compare(filepath.Base(dir), c.Paths(dir))
	}
	for seed := range int64(24) {
		dir := t.TempDir()
		c := lab.Random(seed, lab.Options{Points: 2 + int(seed)%3*7})
		if err := c.Write(dir); err != nil {
			t.Fatal(err)
		}
		compare(fmt.Sprint("made up ", seed), c.Paths(dir))
	}
	for name, points := range map[string]int{"mixed": 2, "16": 16, "five points of which one changes and one loses some": 5} {
		b := lab.Bulks[map[bool]string{false: "16", true: "mixed"}[points == 2]]
		b.Frames, b.Conversations, b.Points = 4000, 20, points
		dir := t.TempDir()
		if _, err := b.Write(dir); err != nil {
			t.Fatal(err)
		}
		paths, err := filepath.Glob(filepath.Join(dir, "*.pcap"))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(paths)
		if points == 5 {
			changeSome(t, paths[2], func(n int, b []byte) []byte {
				switch {
				case n%5 == 0:
					b[48]++ // window
				case n%7 == 0:
					b[22] -= 40 // TTL
				}
				return b
			})
			changeSome(t, paths[3], func(n int, b []byte) []byte {
				if n%11 == 0 {
					return nil
				}
				return b
			})
		}
		before := all
		if compare(name, paths); all-before < points*b.Frames/2 {
			t.Errorf("%s: %d frames were not looked at anew", name, all-before)
		}
	}
}
