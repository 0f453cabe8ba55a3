package plugin_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"github.com/corr-dev/corr/plugin"
)

// menus loads menus.lua alone, with the few things that it takes from elsewhere.
func menus(t *testing.T) *lua.LState {
	t.Helper()
	l := lua.NewState()
	t.Cleanup(l.Close)
	text, err := plugin.Files.ReadFile("menus.lua")
	if err != nil {
		t.Fatal(err)
	}
	prelude := `
		corr = { fields = { { name = "corr.fate", title = "Fate" }, { name = "corr.peer_frame", title = "Peer frame" } } }
		shown, copied = "", ""
		TextWindow = { new = function(title) return { set = function(_, text) shown = title .. ": " .. text end } end }
		Dir = { personal_config_path = function() return "menus.lua" end } -- there is such a file: a profile
		function copy_to_clipboard(text) copied = text end
		function os.execute(line) executed = line end
	`
	if err := l.DoString(prelude + string(text)); err != nil {
		t.Fatal(err)
	}
	return l
}

// A capture's name is one argument of the second Wireshark, whatever it holds; no shell reads more into it.
func TestOpenIsNoShell(t *testing.T) {
	dir := t.TempDir()
	args := filepath.Join(dir, "args")
	if err := os.WriteFile(args, []byte("#!/bin/sh\nprintf '%s\\n' \"$@\" >"+filepath.Join(dir, "got")+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plain.pcap", "two words.pcap", "it's; touch bad; '.pcap", "$(touch bad)`touch bad`.pcap", "&& touch bad #.pcap", "-rf"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		l := menus(t)
		l.SetGlobal("path", lua.LString(path))
		l.SetGlobal("args", lua.LString(args))
		if err := l.DoString(`
			corr.menus.program = function() return args end
			line = corr.menus.command("/out/", path, 7, "corr.flow == 3")
		`); err != nil {
			t.Fatal(err)
		}
		line := strings.TrimSuffix(l.GetGlobal("line").String(), ">/dev/null 2>&1 &")
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", line, err, out)
		}
		got, err := os.ReadFile(filepath.Join(dir, "got"))
		if err != nil {
			t.Fatal(err)
		}
		if want := "-X\nlua_script:/out/corr.lua\n-r\n" + path + "\n-C\ncorr\n-Y\ncorr.flow == 3\n-g\n7\n"; string(got) != want {
			t.Errorf("%s: arguments %q, want %q", name, got, want)
		}
		if _, err := os.Stat(filepath.Join(dir, "bad")); err == nil {
			t.Fatalf("%s: a command in the name ran", name)
		}
	}
	l := menus(t)
	if err := l.DoString(`no, why = corr.menus.command("/out/", "/gone.pcap", 7)`); err != nil {
		t.Fatal(err)
	}
	if l.GetGlobal("no") != lua.LNil || !strings.Contains(l.GetGlobal("why").String(), "/gone.pcap is no longer there") {
		t.Errorf("a capture that is gone: %v, %v", l.GetGlobal("no"), l.GetGlobal("why"))
	}
}

// A frame's menu works on the frame's own fields.
func TestFrameMenu(t *testing.T) {
	l := menus(t)
	here, err := filepath.Abs("menus.lua")
	if err != nil {
		t.Fatal(err)
	}
	l.SetGlobal("here", lua.LString(here))
	if err := l.DoString(`
		corr.menus.program = function() return "wireshark" end
		local store = { points = { { name = "server", path = here } } }
		local by = {}
		for _, action in ipairs(corr.menus.actions({ { path = "/out/corr.ann", store = store } })) do by[action[1]] = action[2] end
		local fields = corr.menus.read({ { name = "frame.number", display = "12" }, { name = "corr.fate", display = "lost" }, { name = "corr.flow", display = "3" },
			{ name = "corr.peer_frame", display = "44" }, { name = "corr.peer_point", display = "server" }, { name = "ip.src", display = "10.0.0.1" },
			{ name = "corr.finding", display = "first" }, { name = "corr.finding", display = "second" } })
		by["Explain this frame"](fields)
		by["Copy the findings"](fields)
		by["Open this frame in the other capture"](fields)
		frame = executed
		by["Show this conversation there"](fields)
		conversation = executed
	`); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"shown":        "Correlation: frame 12: Fate                   lost\nPeer frame             44\n",
		"copied":       "first\nsecond",
		"frame":        "'wireshark' '-X' 'lua_script:/out/corr.lua' '-r' '" + here + "' '-C' 'corr' '-g' '44' >/dev/null 2>&1 &",
		"conversation": "'wireshark' '-X' 'lua_script:/out/corr.lua' '-r' '" + here + "' '-C' 'corr' '-Y' 'corr.flow == 3' >/dev/null 2>&1 &",
	} {
		if got := l.GetGlobal(name).String(); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
