package wireshark

import (
	"context"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"time"
)

// Program is a Wireshark program on this machine.
type Program struct {
	Path         string
	Major, Minor int
	Version      string
	Lua          string // version of its Lua, "" for none
}

// Find looks for wireshark or tshark; nil if there is none.
func Find(name string) *Program {
	path, err := exec.LookPath(name)
	if err != nil {
		for _, p := range elsewhere(name) {
			if path, err = exec.LookPath(p); err == nil {
				break
			}
		}
	}
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	p := &Program{Path: path}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err == nil {
		p.read(string(out))
	}
	return p
}

// elsewhere are places beside the search path where installers put it.
func elsewhere(name string) []string {
	switch runtime.GOOS {
	case "darwin":
		return []string{"/Applications/Wireshark.app/Contents/MacOS/" + name, "/Applications/Wireshark.app/Contents/MacOS/Wireshark"}
	case "windows":
		return []string{`C:\Program Files\Wireshark\` + name + ".exe"}
	}
	return nil
}

var (
	versionLine = regexp.MustCompile(`(\d+)\.(\d+)(?:\.(\d+))?`)
	luaLine     = regexp.MustCompile(`with\s+Lua\s+(\d+\.\d+(?:\.\d+)?)`)
)

// read takes version and Lua from what --version prints.
func (p *Program) read(out string) {
	if m := versionLine.FindStringSubmatch(out); m != nil {
		p.Version = m[0]
		p.Major, _ = strconv.Atoi(m[1]) // digits by the expression
		p.Minor, _ = strconv.Atoi(m[2])
	}
	if m := luaLine.FindStringSubmatch(out); m != nil {
		p.Lua = m[1]
	}
}

// LuaNotAsRoot reports whether this version loads no Lua when root starts it, without a word: from 4.4 on.
func (p *Program) LuaNotAsRoot() bool { return p.Major > 4 || p.Major == 4 && p.Minor >= 4 }
