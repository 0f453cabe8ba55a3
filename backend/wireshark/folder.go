package wireshark

import (
	"os"
	"path/filepath"
	"runtime"
)

// Folders are where a user's Wireshark looks.
type Folders struct {
	Config  string // personal configuration: profiles lie in it
	Plugins string // personal Lua plugins
}

// Flatpak is the identifier of Wireshark's Flatpak.
const flatpakID = "org.wireshark.Wireshark"

// FoldersOf finds the folders of this user: WIRESHARK_CONFIG_DIR, else the system's convention (Wireshark User's Guide,
// "Configuration Files and Folders").
func FoldersOf(getenv func(string) string, goos string) Folders {
	home := getenv("HOME")
	if c := getenv("WIRESHARK_CONFIG_DIR"); c != "" {
		return Folders{c, filepath.Join(c, "plugins")}
	}
	switch goos {
	case "windows":
		c := filepath.Join(getenv("APPDATA"), "Wireshark")
		return Folders{c, filepath.Join(c, "plugins")}
	case "darwin":
		c := filepath.Join(home, ".config", "wireshark")
		return Folders{c, filepath.Join(home, ".local", "lib", "wireshark", "plugins")}
	}
	config := getenv("XDG_CONFIG_HOME")
	if config == "" {
		config = filepath.Join(home, ".config")
	}
	if flat := filepath.Join(home, ".var", "app", flatpakID, "config", "wireshark"); isDir(flat) && !isDir(filepath.Join(config, "wireshark")) {
		return Folders{flat, filepath.Join(home, ".var", "app", flatpakID, ".local", "lib", "wireshark", "plugins")}
	}
	return Folders{filepath.Join(config, "wireshark"), filepath.Join(home, ".local", "lib", "wireshark", "plugins")}
}

// Here are the folders of the user that runs this program.
func Here() Folders { return FoldersOf(os.Getenv, runtime.GOOS) }

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}
