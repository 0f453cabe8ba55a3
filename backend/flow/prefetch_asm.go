//go:build amd64 || arm64

package flow

import "unsafe"

//go:noescape
func prefetch(p unsafe.Pointer)

// Prefetch asks for what lies at p to be brought near, without waiting for it. Conversations lie in memory far from each other, and a
// processor that goes from one to the next waits longer for their first bytes than it works on them.
func Prefetch[T any](p *T) { prefetch(unsafe.Pointer(p)) }
