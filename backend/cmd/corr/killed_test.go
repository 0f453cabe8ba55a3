package main

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Killed at any moment, corr leaves the old result or the new one, never a mix and never none, and nothing in the folder for
// temporary files.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	corr := build(t, dir)
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	job := func(name, out string) *exec.Cmd {
		from := "../../../testdata/" + name
		return exec.Command(corr, "correlate", from+"/a.pcap", from+"/b.pcapng", "-o", out, "-q")
	}
	run := func(name, out string) string {
		if b, err := job(name, out).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		return digest(t, out)
	}
	const before, after = "skype-story", "mss-loss-reorder"
	out := filepath.Join(dir, "out")
	from := time.Now()
	renewed := run(after, out)
	takes := time.Since(from)
	old := run(before, out)
	const times = 50
	kept := 0
	for i := range times {
		cmd := job(after, out)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(takes * time.Duration(i) / times)
		_ = cmd.Process.Kill() // it may be done already
		_ = cmd.Wait()
		switch digest(t, out) {
		case old:
			kept++
		case renewed:
			if run(before, out) != old {
				t.Fatal("the same job gives another result")
			}
		default:
			t.Fatalf("killed after %d/%d of its time: neither the old result nor the new one", i, times)
		}
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left among the temporary files: %v %v", left, err)
	}
	t.Logf("%d of %d kept the old result", kept, times)
}

// build makes the program.
func build(t *testing.T, dir string) string {
	t.Helper()
	corr := filepath.Join(dir, "corr")
	if out, err := exec.Command("go", "build", "-o", corr, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return corr
}

// digest is over the names and bytes of a folder's files.
func digest(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %d\n%s", path, len(b), b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}
