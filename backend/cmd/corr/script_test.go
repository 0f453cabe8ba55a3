package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"corr": func() { os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// The scripts test promises: what a command prints, its exit code, and what lies on the disk afterwards.
func TestScripts(t *testing.T) {
	cases, err := filepath.Abs("../../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("CASES", cases)
			return nil
		},
	})
}

func TestReorder(t *testing.T) {
	app := newApp(os.Stdin, os.Stdout, os.Stderr)
	for _, x := range []struct{ name, in, want string }{
		{"flags last", "corr correlate a b -o out", "corr correlate -o out -- a b"},
		{"flags between", "corr correlate a -o out b -q", "corr correlate -o out -q -- a b"},
		{"value with =", "corr correlate a --output=out b", "corr correlate --output=out -- a b"},
		{"behind --", "corr correlate -- -a -b", "corr correlate -- -a -b"},
		{"standard input", "corr correlate - b -o out", "corr correlate -o out -- - b"},
		{"boolean", "corr flows out --json", "corr flows --json -- out"},
		{"no such command", "corr nothing -x", "corr nothing -x"},
	} {
		if got := reorder(app, strings.Fields(x.in)); !slices.Equal(got, strings.Fields(x.want)) {
			t.Errorf("%s: %v, want %v", x.name, got, strings.Fields(x.want))
		}
	}
}

func TestSize(t *testing.T) {
	for in, want := range map[string]int64{"512M": 512 << 20, "4G": 4 << 30, "1.5k": 1536, "100": 100, "2MiB": 2 << 20, "": -1, "x": -1, "-3M": -1, "1E": -1} {
		got, ok := size(in)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q is %d, want %d", in, got, want)
		}
	}
}
