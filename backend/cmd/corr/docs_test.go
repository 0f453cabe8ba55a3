package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/model"
	"github.com/corr-dev/corr/backend/report"
)

var update = flag.Bool("update", false, "write what commands print into the documentation")

// omitted is the line that stands for the rest of an output.
const omitted = "…"

// Every command that the documentation shows with its output prints that output. A document's commands run in one folder,
// in order, beside testdata and the two files of the skype-story case.
func TestDocs(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "corr"), ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// Wireshark's programs load no Lua as root.
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\nchmod -R a+rX . \nexec " + root + "/scripts/as-user " + tshark + ` "$@"` + "\n"
	if err := os.WriteFile(filepath.Join(bin, "tshark"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	names := []string{"README.md", "docs/tutorial.md"}
	pages, err := filepath.Glob(filepath.Join(root, "docs/middleboxes/*.md"))
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages in docs/middleboxes: %v", len(pages), err)
	}
	for _, page := range pages {
		names = append(names, "docs/middleboxes/"+filepath.Base(page))
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			dir := scene(t, root)
			path := filepath.Join(root, name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(b), dir, bin)
			if got == string(b) {
				return
			}
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want := strings.Split(string(b), "\n")
			for k, line := range strings.Split(got, "\n") {
				if k >= len(want) || line != want[k] {
					t.Fatalf("line %d: commands print other than the document says (go test ./backend/cmd/corr -run TestDocs -update renews it):\n%s", k+1, line)
				}
			}
		})
	}
}

// scene is a folder that an ordinary user may read, with the captures that the documents name.
func scene(t *testing.T, root string) string {
	dir, err := os.MkdirTemp("", "corr-docs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "testdata"), filepath.Join(dir, "testdata")); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"a.pcap", "b.pcapng"} {
		b, err := os.ReadFile(filepath.Join(root, "testdata/skype-story", f))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, f), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// replay runs the commands of a document's blocks that begin with "$ " and gives the document with what they print.
func replay(t *testing.T, doc, dir, bin string) string {
	var out []string
	lines := strings.Split(doc, "\n")
	for k := 0; k < len(lines); k++ {
		out = append(out, lines[k])
		if lines[k] != "```" || k+1 == len(lines) || !strings.HasPrefix(lines[k+1], "$ ") {
			continue
		}
		k++
		for k < len(lines) && lines[k] != "```" {
			command := lines[k]
			out = append(out, command)
			from := k + 1
			for k++; k < len(lines) && lines[k] != "```" && !strings.HasPrefix(lines[k], "$ "); k++ {
			}
			shown := lines[from:k]
			blank := len(shown) > 0 && shown[len(shown)-1] == "" && k < len(lines) && strings.HasPrefix(lines[k], "$ ")
			if blank {
				shown = shown[:len(shown)-1]
			}
			printed := strings.Split(strings.TrimRight(shell(t, strings.TrimPrefix(command, "$ "), dir, bin), "\n"), "\n")
			if n := len(shown); n > 0 && shown[n-1] == omitted && len(printed) >= n {
				printed = append(printed[:n-1], omitted)
			}
			if len(printed) > 1 || printed[0] != "" {
				out = append(out, printed...)
			}
			if blank {
				out = append(out, "")
			}
		}
		out = append(out, "```")
	}
	return strings.Join(out, "\n")
}

func shell(t *testing.T, command, dir, bin string) string {
	t.Helper()
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "TZ=UTC", "LANG=C.UTF-8")
	out, err := cmd.Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			t.Fatalf("%s: %v\n%s", command, err, e.Stderr)
		}
		t.Fatalf("%s: %v", command, err)
	}
	return string(out)
}

// docs/findings.md is made from the rules themselves, with the words that the report has for everyone.
func TestFindingsPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Findings\n\nWhat corr may say of captures, what explains a failure best first. `corr.finding` holds the word in brackets at the\nframes that prove it.\n\nThis page is made from backend/infer: `go test ./backend/cmd/corr -run TestFindingsPage -update` renews it.\n")
	for _, d := range infer.Docs() {
		plain := report.Plainly(&model.Finding{ID: d.ID})
		if strings.Contains(plain, "technical details of the connection") {
			t.Errorf("%s has no plain words", d.ID)
		}
		fmt.Fprintf(&b, "\n## %s (%s)\n\n%s\n\n- Told when: %s\n- Not told: %s\n", d.Title, d.ID, d.Meaning, d.Sign, d.Not)
		if len(d.Explains) > 0 {
			fmt.Fprintf(&b, "- Explains: %s\n", strings.Join(d.Explains, ", "))
		}
		fmt.Fprintf(&b, "- For everyone: %s\n", plain)
	}
	const path = "../../../docs/findings.md"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if old, err := os.ReadFile(path); err != nil || string(old) != b.String() {
		t.Errorf("docs/findings.md is old, -update renews it (%v)", err)
	}
}
