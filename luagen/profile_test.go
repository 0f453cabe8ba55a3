package luagen

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/field"
)

func TestProfileNamesKnownFields(t *testing.T) {
	if f := unknownField(); f != "" {
		t.Errorf("the profile names %s, which the plugin does not register", f)
	}
	if len(profileFields()) < 10 {
		t.Errorf("only %v found in the profile", profileFields())
	}
}

// Wireshark's own parser must take every filter of the profile, with the fields that corr.lua registers.
func TestProfileFiltersCompile(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "corr.lua"))
	if err != nil {
		t.Fatal(err)
	}
	if err := Generate(f, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := WriteProfile(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "colorfilters"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, l := range strings.Split(string(text), "\n") {
		p := strings.Split(l, "@")
		if len(p) != 4 {
			continue
		}
		n++
		out, err := exec.Command("tshark", "-X", "lua_script:"+filepath.Join(dir, "corr.lua"), "-r", "../testdata/routers-3-8/a.pcap", "-Y", p[2]).CombinedOutput()
		if err != nil {
			t.Errorf("tshark refuses %q: %v\n%s", p[2], err, out)
		}
	}
	if n != len(rules)+len(field.Tints) {
		t.Errorf("%d colour rules in the file, want %d", n, len(rules)+len(field.Tints))
	}
}
