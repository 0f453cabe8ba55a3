//go:build !amd64 && !arm64

package flow

// Prefetch does nothing where it is not known how.
func Prefetch[T any](*T) {}

// PrefetchAll does nothing here.
func PrefetchAll[T any]([]T) {}
