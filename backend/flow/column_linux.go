package flow

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const largePage = 2 << 20

// wantLargePages advises the system; that it can't comply is no matter.
func wantLargePages(b []byte) {
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (largePage - 1)
	if n := (len(b) - skip) &^ (largePage - 1); n > 0 {
		_ = unix.Madvise(b[skip:skip+n], unix.MADV_HUGEPAGE)
	}
}
