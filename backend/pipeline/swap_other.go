//go:build !linux

package pipeline

import "errors"

// swap exchanges two folders in one step, where the system can.
func swap(a, b string) error { return errors.ErrUnsupported }
