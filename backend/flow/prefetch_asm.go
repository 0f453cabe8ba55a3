//go:build amd64 || arm64

package flow

import "unsafe"

//go:noescape
func prefetch(p unsafe.Pointer)

//go:noescape
func prefetchLines(p unsafe.Pointer, n int)

// Prefetch asks for what lies at p to be brought near, without waiting for it. Conversations lie in memory far from each other, and a
// processor that goes from one to the next waits longer for their first bytes than it works on them.
func Prefetch[T any](p *T) { prefetch(unsafe.Pointer(p)) }

// cacheLine is what comes from memory at once, bytes.
const cacheLine = 64

// PrefetchAll is Prefetch of a list.
func PrefetchAll[T any](l []T) {
	if len(l) > 0 {
		p := unsafe.Pointer(unsafe.SliceData(l))
		prefetchLines(p, int((uintptr(p)%cacheLine+uintptr(len(l))*unsafe.Sizeof(l[0])+cacheLine-1)/cacheLine))
	}
}
