package wireshark

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Check is one thing that must be right for corr.* fields to show.
type Check struct {
	OK   bool
	What string // what was found
	Mend string // what to do, "" if nothing
}

// Doctor looks at everything between corr and the analyst's window. result is a result directory to try the plugin of,
// "" for none.
func Doctor(f Folders, result string) []Check {
	var out []Check
	say := func(ok bool, mend, format string, args ...any) {
		if ok {
			mend = ""
		}
		out = append(out, Check{ok, fmt.Sprintf(format, args...), mend})
	}
	shark, gui := Find("tshark"), Find("wireshark")
	for _, x := range []struct {
		name string
		p    *Program
	}{{"tshark", shark}, {"wireshark", gui}} {
		if x.p == nil {
			say(false, "install it: apt install "+x.name+" (Debian), or from wireshark.org", "%s is not found", x.name)
			continue
		}
		old := x.p.Major < 3 || x.p.Major == 3 && x.p.Minor < 4
		say(!old, "corr.lua needs 3.4 or newer", "%s %s at %s", x.name, x.p.Version, x.p.Path)
		say(x.p.Lua != "", "this build has no Lua: install one that has", "%s has Lua %s", x.name, orNone(x.p.Lua))
		if os.Geteuid() == 0 && x.p.LuaNotAsRoot() {
			say(false, "start it as an ordinary user", "%s %s started by root loads no Lua, without a word", x.name, x.p.Version)
		}
	}
	out = append(out, luaSwitch(f)...)
	say(true, "", "personal folders: %s, plugins in %s", f.Config, f.Plugins)
	m, err := readManifest(f)
	switch {
	case err != nil:
		say(false, "remove corr's folders below it by hand", "%s", err)
	case len(m.Files) == 0:
		say(true, "", "no result is installed (corr install DIR); corr open DIR needs none")
	default:
		missing := 0
		for _, p := range m.Files {
			if _, err := os.Stat(p); err != nil {
				missing++
			}
		}
		say(missing == 0, "run corr install DIR again", "%d files installed, %d missing", len(m.Files), missing)
	}
	if result != "" && shark != nil {
		out = append(out, tryPlugin(shark, result))
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// luaSwitch looks for enable_lua = false, which old guides recommend.
func luaSwitch(f Folders) []Check {
	for _, p := range []string{filepath.Join(f.Config, "init.lua"), "/etc/wireshark/init.lua", "/usr/share/wireshark/init.lua"} {
		b, err := os.ReadFile(p)
		if err != nil {
			continue
		}
		for _, l := range strings.Split(string(b), "\n") {
			l = strings.ReplaceAll(strings.TrimSpace(l), " ", "")
			if strings.HasPrefix(l, "enable_lua=false") || strings.HasPrefix(l, "disable_lua=true") {
				return []Check{{false, "Lua is switched off in " + p, "set enable_lua = true there"}}
			}
		}
	}
	return []Check{{true, "Lua is not switched off", ""}}
}

// tryPlugin asks tshark whether it knows corr's fields.
func tryPlugin(p *Program, result string) Check {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	lua := filepath.Join(result, "corr.lua")
	out, err := exec.CommandContext(ctx, p.Path, "-G", "fields", "-X", "lua_script:"+lua).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\tcorr.middlebox\t") {
		return Check{false, lua + " does not load", "see above; else run corr correlate again"}
	}
	return Check{true, lua + " loads and registers its fields", ""}
}
