package wireshark

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Window is one capture to open.
type Window struct {
	Capture string // file
	Filter  string // display filter, "" for none
	Frame   uint32 // to go to, 0 for none
}

// Open starts a Wireshark for each window with the plugin and the profile of a result, without installing anything: the
// profile lies in a configuration folder of its own, a copy of the user's preferences with it. It gives that folder,
// which the windows need until they close.
func Open(dir string, windows []Window) (string, error) {
	p := Find("wireshark")
	if p == nil {
		return "", errors.New("wireshark is not found; install it, or open the captures elsewhere with -X lua_script:corr.lua")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	config, err := Prepare(abs)
	if err != nil {
		return "", err
	}
	for _, w := range windows {
		cmd := exec.Command(p.Path, Arguments(abs, w)...)
		cmd.Env = append(os.Environ(), "WIRESHARK_CONFIG_DIR="+config)
		if err := cmd.Start(); err != nil {
			return config, fmt.Errorf("%s: %w", p.Path, err)
		}
		if err := cmd.Process.Release(); err != nil {
			return config, err
		}
	}
	return config, nil
}

// Arguments are Wireshark's for one window. Every value is an argument of its own: no shell sees it.
func Arguments(dir string, w Window) []string {
	args := []string{"-X", "lua_script:" + filepath.Join(dir, "corr.lua"), "-C", "corr", "-r", w.Capture}
	if w.Filter != "" {
		args = append(args, "-Y", w.Filter)
	}
	if w.Frame > 0 {
		args = append(args, "-g", fmt.Sprint(w.Frame))
	}
	return args
}

// Prepare makes a configuration folder with the result's profile.
func Prepare(dir string) (string, error) {
	config, err := os.MkdirTemp("", "corr-wireshark-")
	if err != nil {
		return "", err
	}
	profile := filepath.Join(config, "profiles", "corr")
	if err := os.MkdirAll(profile, 0o755); err != nil {
		return "", err
	}
	for _, name := range []string{"colorfilters", "preferences", "dfilter_buttons"} {
		if err := copyFile(filepath.Join(dir, "profile", name), filepath.Join(profile, name)); err != nil {
			return "", err
		}
	}
	return config, nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // only read from
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close() // the first error tells more
		return err
	}
	return out.Close()
}
