package match

import (
	"cmp"
	"math/rand"
	"slices"
	"testing"
)

// What comes out of buckets is what a sort of everything gives, whatever lies in how many pieces, and however values crowd.
func TestBucketed(t *testing.T) {
	type item struct{ key, n uint64 }
	less := func(x, y item) int { return cmp.Or(cmp.Compare(x.key, y.key), cmp.Compare(x.n, y.n)) }
	r := rand.New(rand.NewSource(1))
	var space []item
	for _, most := range []uint64{1, 7, 1 << 20, 1 << 58} {
		for _, n := range []int{0, 1, 2, 9, 1000, 100_000} {
			var pieces [][]item
			var want []item
			for k := range n {
				x := item{r.Uint64() % most, uint64(k)}
				if r.Intn(3) == 0 {
					x.key = most / 2 // a crowd
				}
				if k == 0 || r.Intn(50) == 0 {
					pieces = append(pieces, nil)
				}
				last := &pieces[len(pieces)-1]
				*last = append(*last, x)
				want = append(want, x)
			}
			slices.SortFunc(want, less)
			space = bucketed(pieces, space, most, func(x *item) uint64 { return x.key }, less)
			if !slices.Equal(space, want) {
				t.Fatalf("%d items below %d are not in order", n, most)
			}
		}
	}
}
