//go:build !linux

package annotate

import "os"

func letGo(*os.File, int64, int64) {}
