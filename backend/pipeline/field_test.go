package pipeline

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/field"
)

// userTshark runs tshark as an ordinary user, who may read dir: from Wireshark 4.4 on root loads no Lua.
func userTshark(t *testing.T, dir string) func(args ...string) string {
	t.Helper()
	if text, err := exec.Command("chmod", "-R", "a+rX", filepath.Dir(dir)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return func(args ...string) string {
		t.Helper()
		cmd := exec.Command("../../scripts/as-user", append([]string{"tshark"}, args...)...)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		text, err := cmd.Output()
		if err != nil {
			t.Fatalf("tshark %v: %v: %s", args, err, stderr.String())
		}
		return string(text)
	}
}

// TestOneRowMakesAField: a row in the field table, and nothing else, makes a field that tshark knows and fills, and that
// the documentation lists.
func TestOneRowMakesAField(t *testing.T) {
	all := field.All
	defer func() { field.All = all }()
	field.All = append(all[:len(all):len(all)], field.Field{Name: "corr.test", Title: "Test", Type: field.String, Text: "A field for a test", Source: "the fate", Example: "lost",
		Value: `value.class("fate")`})

	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	capture := filepath.Join(dir, "a.pcap")
	whole, err := os.ReadFile("../../testdata/skype-story/a.pcap")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(capture, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Correlate(context.Background(), Options{Out: out, Inputs: []Input{{Path: capture}, {Path: "../../testdata/skype-story/b.pcapng"}}}); err != nil {
		t.Fatal(err)
	}
	tshark := userTshark(t, dir)
	script := "lua_script:" + filepath.Join(out, "corr.lua")
	if !strings.Contains(tshark("-G", "fields", "-X", script), "F\tTest\tcorr.test\tFT_STRING\t") {
		t.Error("tshark -G fields lists no corr.test")
	}
	both := tshark("-r", capture, "-X", script, "-T", "fields", "-e", "corr.fate", "-e", "corr.test")
	for line := range strings.Lines(both) {
		if a, b, _ := strings.Cut(strings.TrimSpace(line), "\t"); a != b || a == "" {
			t.Errorf("corr.fate and corr.test: %q", line)
		}
	}
	var docs strings.Builder
	if err := field.WriteMarkdown(&docs); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(docs.String(), "| corr.test | string | A field for a test |") {
		t.Error("the reference page has no corr.test")
	}
	var list strings.Builder
	if err := field.WriteJSON(&list); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(list.String(), `"name": "corr.test"`) {
		t.Error("the list in JSON has no corr.test")
	}
}
