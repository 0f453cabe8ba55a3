package capturetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Corpus lists the captures that scripts/corpus fetched, of the packages that it names. It fails where there are none.
func Corpus(t testing.TB) []string {
	t.Helper()
	packages := strings.Fields(os.Getenv("CORR_PACKAGES"))
	if len(packages) == 0 {
		t.Fatal("no packages named: run scripts/corpus")
	}
	var files []string
	for _, p := range packages {
		l, err := filepath.Glob(filepath.Join(os.Getenv("CORR_CORPUS"), p, "*"))
		if err != nil || len(l) == 0 {
			t.Fatalf("no captures of %s: run scripts/corpus", p)
		}
		files = append(files, l...)
	}
	return files
}
