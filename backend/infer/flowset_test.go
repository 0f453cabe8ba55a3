package infer

import (
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/match"
)

func TestFlowSet(t *testing.T) {
	var all []*match.Flow
	for n := range 200 {
		all = append(all, &match.Flow{ID: uint32(n + 1)})
	}
	var s FlowSet
	for _, n := range []int{199, 0, 63, 64, 128, 64, 0} { // some twice
		s.add(all[n])
	}
	want := []*match.Flow{all[0], all[63], all[64], all[128], all[199]}
	if s.Len() != len(want) {
		t.Errorf("%d flows, want %d", s.Len(), len(want))
	}
	for _, f := range all {
		if s.Has(f) != slices.Contains(want, f) {
			t.Errorf("flow %d: %v", f.ID, s.Has(f))
		}
	}
	if got := s.in(all, len(all)); !slices.Equal(got, want) {
		t.Errorf("listed: %d", len(got))
	}
	if got := s.in(all, 3); !slices.Equal(got, want[:3]) {
		t.Errorf("three listed: %d", len(got))
	}
	if none := (FlowSet{}); none.Has(all[0]) || len(none.in(all, 9)) != 0 {
		t.Error("an empty set has something")
	}
}
