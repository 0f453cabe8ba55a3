package wireshark

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFolders(t *testing.T) {
	for _, x := range []struct {
		name, goos      string
		env             map[string]string
		config, plugins string
	}{
		{"linux", "linux", map[string]string{"HOME": "/nohome"}, "/nohome/.config/wireshark", "/nohome/.local/lib/wireshark/plugins"},
		{"xdg", "linux", map[string]string{"HOME": "/nohome", "XDG_CONFIG_HOME": "/x"}, "/x/wireshark", "/nohome/.local/lib/wireshark/plugins"},
		{"own folder", "linux", map[string]string{"HOME": "/nohome", "WIRESHARK_CONFIG_DIR": "/w"}, "/w", "/w/plugins"},
		{"macos", "darwin", map[string]string{"HOME": "/Users/a"}, "/Users/a/.config/wireshark", "/Users/a/.local/lib/wireshark/plugins"},
	} {
		f := FoldersOf(func(k string) string { return x.env[k] }, x.goos)
		if f.Config != x.config || f.Plugins != x.plugins {
			t.Errorf("%s: %+v", x.name, f)
		}
	}
}

func TestReadVersion(t *testing.T) {
	for _, x := range []struct {
		out          string
		major, minor int
		lua          string
		root         bool
	}{
		{"TShark (Wireshark) 4.0.17 (Git v4.0.17)\nCompiled ... with\nLua 5.2.4, with", 4, 0, "5.2.4", false},
		{"Wireshark 4.4.9.\n\nCompiled with Lua 5.4.6", 4, 4, "5.4.6", true},
		{"TShark (Wireshark) 3.4.10\nwithout Lua", 3, 4, "", false},
		{"", 0, 0, "", false},
	} {
		p := &Program{}
		p.read(x.out)
		if p.Major != x.major || p.Minor != x.minor || p.Lua != x.lua || p.LuaNotAsRoot() != x.root {
			t.Errorf("%q is read as %+v", x.out, p)
		}
	}
}

// result makes a folder that looks like a result.
func result(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "my result;$(x)")
	for name, text := range map[string]string{"corr.lua": "-- lua", "corr.ann": "ann", "profile/colorfilters": "c", "profile/preferences": "p", "profile/dfilter_buttons": "b"} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tree lists all files below a folder.
func tree(t *testing.T, dir string) []string {
	var out []string
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && p != dir {
			out = append(out, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestInstallLeavesNoTrace(t *testing.T) {
	home := t.TempDir()
	f := Folders{filepath.Join(home, "config"), filepath.Join(home, "lib", "plugins")}
	if err := os.MkdirAll(filepath.Join(f.Config, "profiles", "mine"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := tree(t, home)
	for range 2 { // a second time over the first
		name, err := Install(result(t), f)
		if err != nil {
			t.Fatal(err)
		}
		if name != "corr-my_result___x_" {
			t.Errorf("installed as %q", name)
		}
	}
	if _, err := os.Stat(filepath.Join(f.Plugins, "corr-my_result___x_", "corr.ann")); err != nil {
		t.Error(err)
	}
	n, err := Uninstall(f)
	if err != nil || n != 5 {
		t.Errorf("%d files removed, %v", n, err)
	}
	if after := tree(t, home); !slices.Equal(before, after) {
		t.Errorf("left behind: %v, before: %v", after, before)
	}
}

func TestInstallLeavesOthersAlone(t *testing.T) {
	home := t.TempDir()
	f := Folders{filepath.Join(home, "config"), filepath.Join(home, "plugins")}
	mine := filepath.Join(f.Config, "profiles", "corr", "preferences")
	if err := os.MkdirAll(filepath.Dir(mine), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mine, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Install(result(t), f); err == nil {
		t.Error("a file of the user was replaced")
	}
	if _, err := Uninstall(f); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(mine); err != nil || string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestArgumentsAreNoShell(t *testing.T) {
	got := Arguments("/d/$(rm)", Window{Capture: "a b;c.pcap", Filter: "corr.flow == 1", Frame: 7})
	want := []string{"-X", "lua_script:/d/$(rm)/corr.lua", "-C", "corr", "-r", "a b;c.pcap", "-Y", "corr.flow == 1", "-g", "7"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
