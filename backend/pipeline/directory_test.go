package pipeline

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What killed runs left is removed by a later one, but not what another run may still be writing.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	old, fresh, other := filepath.Join(dir, ".out.new-1"), filepath.Join(dir, ".out.new-2"), filepath.Join(dir, ".out2.new-3")
	for _, d := range []string{old, fresh, other} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * abandoned)
	for _, d := range []string{old, other} {
		if err := os.Chtimes(d, past, past); err != nil {
			t.Fatal(err)
		}
	}
	(&directory{path: filepath.Join(dir, "out")}).sweep()
	for d, stays := range map[string]bool{old: false, fresh: true, other: true} {
		if _, err := os.Stat(d); (err == nil) != stays {
			t.Errorf("%s: %v, should stay: %v", filepath.Base(d), err, stays)
		}
	}
}
