//go:build !linux

package pipeline

import "errors"

// swap exchanges two folders in one step, where the system can.
func swap(a, b string) error { return errors.ErrUnsupported }

// syncDir makes a rename survive a power cut; systems other than Linux have no portable way to ask for it.
func syncDir(string) error { return nil }
