package match

import (
	"cmp"
	"math/rand"
	"runtime"
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/flow"
)

// A long list sorted on several cores, an odd number of them too, is what it is sorted on one.
func TestSortAtOnce(t *testing.T) {
	for _, cores := range []int{1, 2, 3, 5} {
		before := runtime.GOMAXPROCS(cores)
		l := rand.New(rand.NewSource(int64(cores))).Perm(20_001)
		sortAtOnce(l, cmp.Compare[int])
		runtime.GOMAXPROCS(before)
		if len(l) != 20_001 || l[20_000] != 20_000 || !slices.IsSorted(l) {
			t.Errorf("on %d cores: not sorted", cores)
		}
	}
}

// Candidates come into the order of pairs, equal ones as they were.
func TestInPairOrder(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	var ks []Candidate
	for n := range 10_000 {
		ks = append(ks, Candidate{A: Conv{rnd.Intn(3), flow.ConvID(rnd.Intn(9))}, B: Conv{3 + rnd.Intn(3), flow.ConvID(rnd.Intn(9))}, Score: float64(n)})
	}
	want := slices.Clone(ks)
	slices.SortStableFunc(want, func(x, y Candidate) int { return byPair(&x, &y) })
	if got := inPairOrder(ks); !slices.Equal(got, want) {
		t.Error("not as a stable sort has them")
	}
}
