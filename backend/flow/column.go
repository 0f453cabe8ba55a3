package flow

import "unsafe"

// Column makes n values in a store, or in memory where s is nil: memory that the system is asked to give in large pages. Of
// millions of values that are visited in any order, the tables that lead to small pages fit no cache, and each small page
// is a trap when it is first used.
func Column[T any](s *Store, n int) []T {
	size := n * int(unsafe.Sizeof(*new(T)))
	if s != nil && size >= storeLeast {
		if b := s.take(size); b != nil {
			return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
		}
	}
	c := make([]T, n)
	if size >= largeColumn {
		wantLargePages(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(c))), size))
	}
	return c
}

// facts is Column of facts, which are two thirds of all memory, and written and visited in runs: pages may be small. A virtual machine
// may give its host back what lies free in large pages; then each of those is slow to come, and small ones are of what was kept.
func facts(s *Store, n int) []Fact {
	if s == nil {
		return make([]Fact, n)
	}
	return Column[Fact](s, n)
}

// largeColumn is the size, bytes, from which large pages pay: some of 2 MiB each.
const largeColumn = 8 << 20
