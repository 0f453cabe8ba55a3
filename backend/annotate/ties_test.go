package annotate

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
)

// Frames that are tied say so, in every window, whatever else is said of them; others do not.
func TestTies(t *testing.T) {
	tables, classes, _ := sample()
	const n = WindowMost + 1000
	tables.Points[0].Frames, tables.Points[1].Frames = n, 0
	path := filepath.Join(t.TempDir(), "corr.ann")
	w, err := Create(path, tables)
	if err != nil {
		t.Fatal(err)
	}
	class := w.Class(classes[0])
	digest := func(f capture.FrameNo) uint32 {
		if f%3 != 0 && f != n {
			return 0
		}
		return uint32(f)*7919%0xffffff + 1
	}
	var ties []flow.Tie
	for f := capture.FrameNo(1); f <= n; f++ {
		if d := digest(f); d != 0 {
			ties = append(ties, flow.Tie{Frame: f, Digest: d})
		}
	}
	out := w.Capture(0)
	out.Ties(func() (x flow.Tie, ok bool) {
		if len(ties) == 0 {
			return x, false
		}
		x, ties = ties[0], ties[1:]
		return x, true
	})
	for f := capture.FrameNo(1); f <= n; f++ {
		if f%5 == 0 {
			err = out.Put(f, &Frame{Class: class, Extra: &Extra{Message: "GET /", Tie: digest(f)}})
		} else {
			err = out.PutPlain(f, 1e18, 60, 1, class, 1, 5, true)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for f := capture.FrameNo(1); f <= n; f++ {
		fr, _, err := a.Frame(0, f)
		if err != nil {
			t.Fatal(err)
		}
		var x Extra
		if fr.Extra != nil {
			x = *fr.Extra
		}
		if x.Tie != digest(f) || (x.Message != "") != (f%5 == 0) {
			t.Fatalf("frame %d: %+v, want tie %x", f, x, digest(f))
		}
	}
}

// A delay that does not fit into a record is no plain frame's.
func TestFits(t *testing.T) {
	for _, ns := range []int64{0, math.MaxInt32, math.MinInt32 + 2} {
		if !Fits(ns) {
			t.Errorf("%d ns does not fit", ns)
		}
	}
	for _, ns := range []int64{math.MaxInt32 + 1, math.MinInt32 + 1, math.MinInt32} {
		w, fr := bench(t, 1)
		if err := w.Capture(0).PutPlain(1, fr.Time, 60, 1, fr.Class, 2, ns, true); Fits(ns) || err == nil {
			t.Errorf("%d ns fits: %v", ns, err)
		}
	}
}

// In widened windows frames may be put in any order over more of them.
func TestWiden(t *testing.T) {
	for _, wide := range []bool{false, true} {
		tables, classes, _ := sample()
		const n = WindowMost + 1000
		tables.Points[0].Frames, tables.Points[1].Frames = n, 0
		path := filepath.Join(t.TempDir(), "corr.ann")
		w, err := Create(path, tables)
		if err != nil {
			t.Fatal(err)
		}
		if wide {
			w.Widen()
		}
		out, class := w.Capture(0), w.Class(classes[0])
		put := func(f capture.FrameNo) error { return out.PutPlain(f, 1e18, 60, 1, class, f, 5, true) }
		if err := put(n); (err == nil) != wide {
			t.Fatalf("wide %v: the last frame put first: %v", wide, err)
		}
		if !wide {
			continue
		}
		for f := capture.FrameNo(1); f < n; f++ {
			if err := put(f); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := r.Each(0, func(f capture.FrameNo, fr *Frame, _ *Class) error {
			if fr.Peer != f {
				t.Errorf("frame %d has the annotation of %d", f, fr.Peer)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}
