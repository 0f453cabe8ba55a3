package annotate

import (
	"os"

	"golang.org/x/sys/unix"
)

// letGo gives back n bytes of a file from at on. That the file system can't is no matter.
func letGo(f *os.File, at, n int64) {
	if n > 0 {
		_ = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, n)
	}
}
