package luagen

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestProves(t *testing.T) {
	src, err := assemble(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := prove(src, t.TempDir()); err != nil {
		t.Error(err)
	}
	for name, change := range map[string][2]string{
		"a syntax error":       {"local corr = {}", "local corr = {"},
		"a field that is lost": {`["corr.fate"] = value.class("fate")`, `["corr.fate"] = value.class("origin")`},
		"a wrong frame":        {"if f.peer ~= 0 and f.class.peer then return f.peer end", "if f.peer ~= 0 and f.class.peer then return f.peer + 1 end"},
		"no registration":      {"register_postdissector(proto)", ""},
	} {
		bad := bytes.Replace(src, []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(bad, src) {
			t.Errorf("%s: corr.lua has no %q", name, change[0])
		}
		if prove(bad, t.TempDir()) == nil {
			t.Errorf("%s went unnoticed", name)
		}
	}
}

// The Lua that Wireshark brings along answers as the interpreter here does.
func TestOtherLuas(t *testing.T) {
	dir := t.TempDir()
	src, err := assemble(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeProof(filepath.Join(dir, "corr.ann")); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\ndofile(%q)\nask_anew()\n", mock, filepath.Join(dir, "corr.lua"))
	l, err := load(src, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := ""
	for _, q := range questions() {
		f := provedFrame(q.frame - 1)
		answer, err := q.ask(l)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "print(ask(%d, %d, %.9f, %v, %q))\n", q.frame, f.Len, float64(f.Time)/1e9, q.visible, q.wanted)
		want += answer + "\n"
	}
	for name, text := range map[string][]byte{"corr.lua": src, "ask.lua": []byte(b.String())} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, interpreter := range []string{"lua5.2", "lua5.4"} {
		out, err := exec.Command(interpreter, filepath.Join(dir, "ask.lua")).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s(scripts/setup %s installs it)", interpreter, err, out, interpreter)
		} else if string(out) != want {
			t.Errorf("%s answers\n%s\nnot\n%s", interpreter, out, want)
		}
	}
}

// Damaged annotations raise no error out of the plugin, whatever byte is wrong.
func TestDamagedAnnotations(t *testing.T) {
	src, err := assemble(Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "corr.ann")
	if err := writeProof(path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		bad := bytes.Clone(whole)
		at := rng.IntN(len(bad))
		bad[at] ^= byte(1 + rng.IntN(255))
		if rng.IntN(8) == 0 {
			bad = bad[:rng.IntN(len(bad))]
		}
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		l, err := load(src, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range questions() {
			if _, err := q.ask(l); err != nil {
				t.Errorf("byte %d: frame %d: %v", at, q.frame, err)
				break
			}
		}
		l.Close()
	}
}
