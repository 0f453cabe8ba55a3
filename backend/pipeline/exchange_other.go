//go:build !linux

package pipeline

import "errors"

// exchange swaps two folders in one step, where the system can.
func exchange(a, b string) error { return errors.ErrUnsupported }

// syncDir makes a rename survive a power cut; systems other than Linux have no portable way to ask for it.
func syncDir(string) error { return nil }
