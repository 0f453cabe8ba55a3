package main

import (
	"bytes"
	"context"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// window opens a capture in Wireshark with a result's plugin and profile, shows the frame's tree and the expert
// information, and takes pictures of both. Its arguments: capture, result, folder of the pictures.
const window = `set -eu
config="$HOME/config"
mkdir -p "$config/profiles/corr"
cp "$2/profile/"* "$config/profiles/corr/"
cd "$3"
export WIRESHARK_CONFIG_DIR="$config" XDG_RUNTIME_DIR="$HOME" LANG=C.UTF-8
wireshark -C corr -X "lua_script:$2/corr.lua" -r "$1" -g 11 >log 2>&1 &
pid=$!
trap 'kill $pid 2>/dev/null || true' EXIT
for n in $(seq 60); do
	main=$(xdotool search --onlyvisible --class wireshark 2>/dev/null | head -1)
	[ -z "$main" ] || break
	sleep 0.5
done
sleep 3
main=$(xdotool search --onlyvisible --name '\[corr\]|pcap|Wireshark' | head -1)
xdotool windowmove "$main" 0 0 windowsize "$main" 1500 900
sleep 1
xdotool mousemove 90 583 click 1 key shift+Right
sleep 1
import -window root main.png
xdotool key alt+a
sleep 0.5
xdotool key Up Return
sleep 2
xdotool mousemove 497 845 click 1 # not grouped: each finding in its own words
sleep 1
xdotool mousemove 312 41 click 1
sleep 1
import -window root expert.png
kill -0 $pid
`

// Names in a capture, in a log, of files and of points are text in Wireshark's own windows too: the plugin loads, runs
// nothing and upsets nothing.
func TestHostileWindow(t *testing.T) {
	dir, err := os.MkdirTemp("", "corr window ")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(dir, strings.ReplaceAll(evil, "/", "")+".pcap")
	capturePoint(t, file, 3, evilTalk(t))
	capturePoint(t, filepath.Join(dir, "b.pcap"), 1, evilTalk(t))
	out, pictures := filepath.Join(dir, "$(touch pwned)"), filepath.Join(dir, "pictures")
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"corr", "correlate", evilLabel + "=" + file, filepath.Join(dir, "b.pcap"), "-o", out}, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("%d, %s", code, stderr.String())
	}
	if err := os.Mkdir(pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	// What runs as another user must get at it.
	if b, err := exec.Command("chmod", "-R", "a+rwX", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	cmd := exec.Command("../../../scripts/as-user", "xvfb-run", "-a", "-s", "-screen 0 1500x900x24", "sh", "-c", window, "window", file, out, pictures)
	if b, err := cmd.CombinedOutput(); err != nil {
		said, _ := os.ReadFile(filepath.Join(pictures, "log"))
		t.Fatalf("%v: %s%s", err, b, said)
	}
	said, err := os.ReadFile(filepath.Join(pictures, "log"))
	if err != nil || bytes.Contains(said, []byte("Lua")) || bytes.Contains(said, []byte("corr.lua")) {
		t.Errorf("Wireshark complains: %v %s", err, said)
	}
	if l, err := filepath.Glob(filepath.Join(dir, "*", "pwned")); err != nil || len(l) > 0 {
		t.Errorf("something ran what a name says: %v %v", l, err)
	}
	for _, name := range []string{"main.png", "expert.png"} {
		b, err := os.ReadFile(filepath.Join(pictures, name))
		if err != nil {
			t.Fatal(err)
		}
		if keep := os.Getenv("CORR_PICTURES"); keep != "" {
			if err := os.WriteFile(filepath.Join(keep, "hostile-"+name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		colours := map[[3]uint32]bool{}
		for y := 0; y < img.Bounds().Dy(); y += 3 {
			for x := 0; x < img.Bounds().Dx(); x += 3 {
				r, g, b, _ := img.At(x, y).RGBA()
				colours[[3]uint32{r, g, b}] = true
			}
		}
		if len(colours) < 20 {
			t.Errorf("%s shows nothing: %d colours", name, len(colours))
		}
	}
}
