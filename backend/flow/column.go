package flow

import "unsafe"

// Column makes n values in memory that the system is asked to give in large pages: of millions of values that are visited
// in any order, the tables that lead to small pages fit no cache, and each small page is a trap when it is first used.
func Column[T any](n int) []T {
	c := make([]T, n)
	if size := n * int(unsafe.Sizeof(*new(T))); size >= largeColumn {
		wantLargePages(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(c))), size))
	}
	return c
}

// largeColumn is the size, bytes, from which large pages pay: some of 2 MiB each.
const largeColumn = 8 << 20
