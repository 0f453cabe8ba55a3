package compose

import (
	"fmt"
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/match"
)

// TestHolding checks which joints are named as what holds a conversation together.
func TestHolding(t *testing.T) {
	joint := func(a, b int, score float64, kinds uint32) *match.Joint {
		return &match.Joint{A: a, B: b, Score: score, Kinds: kinds}
	}
	for _, c := range []struct {
		name   string
		path   [2][]int
		joints []*match.Joint
		want   string
	}{
		{"two", [2][]int{{0, 1}, {1, 0}}, []*match.Joint{joint(0, 1, 50, 1)}, "01"},
		{"three in a row", [2][]int{{0, 1, 2}, {2, 1, 0}}, []*match.Joint{joint(0, 1, 50, 1), joint(0, 2, 90, 1), joint(1, 2, 50, 1)}, "01 12"},
		{"in another order", [2][]int{{1, 0, 2}, {2, 0, 1}}, []*match.Joint{joint(0, 1, 50, 1), joint(0, 2, 50, 1), joint(1, 2, 90, 1)}, "01 02"},
		{"joined through the third", [2][]int{{0, 1, 2}, {2, 1, 0}}, []*match.Joint{joint(0, 1, 50, 1), joint(0, 2, 50, 1), joint(1, 2, 0, 0)}, "01 02"},
		{"another way back", [2][]int{{0, 1, 3}, {3, 2, 0}}, []*match.Joint{joint(0, 1, 50, 1), joint(0, 2, 50, 1), joint(0, 3, 90, 1), joint(1, 2, 50, 1), joint(1, 3, 50, 1), joint(2, 3, 50, 1)}, "01 02 13 23"},
		{"the better of two", [2][]int{{0, 1, 2}, {2, 1, 0}}, []*match.Joint{joint(0, 1, 0, 0), joint(0, 2, 60, 1), joint(1, 2, 0, 0)}, "02"},
		{"no path known", [2][]int{}, []*match.Joint{joint(0, 1, 40, 1), joint(0, 2, 60, 1), joint(1, 2, 50, 1)}, "02 12"},
	} {
		f := &match.Flow{Sides: make([]*match.Side, 4), Joints: c.joints, Path: c.path}
		got := ""
		for i, j := range holding(f) {
			if i > 0 {
				got += " "
			}
			got += fmt.Sprintf("%d%d", j.A, j.B)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestFewerOfManyPoints checks that the document lists as many conversations as it should, those that failed before others.
func TestFewerOfManyPoints(t *testing.T) {
	for _, c := range []struct{ points, flows, want int }{{2, 100, 100}, {2, 9000, 5000}, {4, 9000, 5000}, {16, 9000, 1250}, {200, 9000, 500}, {200, 400, 400}} {
		in := &Input{Verdict: &infer.Verdict{Result: &match.Result{Caps: make([]*flow.Capture, c.points)}}}
		for n := range c.flows {
			s := &infer.State{Outcome: "ok"}
			if n == c.flows-1 {
				s.Outcome = "blackholed"
			}
			in.State = append(in.State, s)
		}
		ix := in.order()
		if len(ix) != c.want || !slices.Contains(ix, c.flows-1) {
			t.Errorf("%d points, %d conversations: %d listed, want %d; the one that failed: %v", c.points, c.flows, len(ix), c.want, slices.Contains(ix, c.flows-1))
		}
	}
}
