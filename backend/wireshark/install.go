package wireshark

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// manifestName lists the files that Install wrote, beside the plugins.
const manifestName = "corr-installed.json"

// manifest is what was installed.
type manifest struct {
	Files []string `json:"files"`
	Dirs  []string `json:"dirs"` // made by Install, removed when empty
}

// Install puts a result's plugin and the profile into the user's folders. Several results lie side by side; each is found
// by the frames of the file that is opened. It gives the name it was installed under.
func Install(dir string, f Folders) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	m, err := readManifest(f)
	if err != nil {
		return "", err
	}
	name := "corr-" + plainName(filepath.Base(abs))
	into := filepath.Join(f.Plugins, name)
	profile := filepath.Join(f.Config, "profiles", "corr")
	for _, d := range []string{into, profile} {
		if err := m.mkdir(d); err != nil {
			return "", err
		}
	}
	for _, x := range []struct{ from, to string }{
		{"corr.lua", filepath.Join(into, "corr.lua")}, {"corr.ann", filepath.Join(into, "corr.ann")},
		{"profile/colorfilters", filepath.Join(profile, "colorfilters")}, {"profile/preferences", filepath.Join(profile, "preferences")},
		{"profile/dfilter_buttons", filepath.Join(profile, "dfilter_buttons")},
	} {
		if err := m.copy(filepath.Join(abs, filepath.FromSlash(x.from)), x.to); err != nil {
			return "", errors.Join(err, m.write(f))
		}
	}
	return name, m.write(f)
}

// Uninstall removes what Install wrote and nothing else; it gives the number of files removed.
func Uninstall(f Folders) (int, error) {
	m, err := readManifest(f)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, p := range m.Files {
		switch err := os.Remove(p); {
		case err == nil:
			n++
		case !os.IsNotExist(err):
			return n, err
		}
	}
	if err := os.Remove(filepath.Join(f.Plugins, manifestName)); err != nil && !os.IsNotExist(err) {
		return n, err
	}
	for i := len(m.Dirs) - 1; i >= 0; i-- {
		_ = os.Remove(m.Dirs[i]) // only if it is empty: others may have put files there since
	}
	return n, nil
}

func readManifest(f Folders) (*manifest, error) {
	b, err := os.ReadFile(filepath.Join(f.Plugins, manifestName))
	if os.IsNotExist(err) {
		return &manifest{}, nil
	}
	if err != nil {
		return nil, err
	}
	m := &manifest{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("%s: not readable (%w); remove corr's folders by hand", filepath.Join(f.Plugins, manifestName), err)
	}
	return m, nil
}

func (m *manifest) write(f Folders) error {
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(f.Plugins, manifestName), append(b, '\n'), 0o644)
}

func (m *manifest) has(path string) bool {
	for _, p := range m.Files {
		if p == path {
			return true
		}
	}
	return false
}

// mkdir makes a folder and those above it, noting which are new.
func (m *manifest) mkdir(dir string) error {
	var missing []string
	for d := dir; !isDir(d) && d != filepath.Dir(d); d = filepath.Dir(d) {
		missing = append(missing, d)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i := len(missing) - 1; i >= 0; i-- {
		m.Dirs = append(m.Dirs, missing[i])
	}
	return nil
}

// copy writes a file that is corr's own or new; another's is left alone.
func (m *manifest) copy(from, to string) error {
	if _, err := os.Lstat(to); err == nil && !m.has(to) {
		return fmt.Errorf("%s: exists and was not put there by corr; move it away first", to)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // only read from
	tmp := to + ".new"
	out, err := os.Create(tmp)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close() // the first error tells more
		return errors.Join(err, os.Remove(tmp))
	}
	if err := out.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp, to); err != nil {
		return err
	}
	if !m.has(to) {
		m.Files = append(m.Files, to)
	}
	return nil
}

// plainName keeps letters, digits, dot, dash and underscore.
func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
}
