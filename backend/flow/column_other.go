//go:build !linux

package flow

func wantLargePages([]byte) {}
