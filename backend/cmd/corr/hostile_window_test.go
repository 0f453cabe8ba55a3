package main

import (
	"bytes"
	"context"
	"image"
	_ "image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Names in a capture, of files and of points are text in Wireshark's own windows too: the plugin loads, shows what is lost and
// what it found, runs nothing and upsets nothing.
func TestHostileWindow(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
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
	// What runs as another user must get at it.
	if b, err := exec.Command("chmod", "-R", "a+rwX", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	// Frame 11 is the answer that was lost on the way.
	if b, err := exec.Command("../../../scripts/screenshots", pictures, file, out, "11", "alert").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	for _, where := range []string{filepath.Join(dir, "*", "pwned"), "pwned", "../../../pwned"} { // beside the result, here, where Wireshark ran
		if l, err := filepath.Glob(where); err != nil || len(l) > 0 {
			t.Errorf("something ran what a name says: %v %v", l, err)
		}
	}
	for name, c := range map[string][3]uint32{"wireshark.png": {238, 168, 119}, "expert.png": {255, 92, 92}} { // a lost frame's row, a finding's
		f, err := os.Open(filepath.Join(pictures, name))
		if err != nil {
			t.Fatal(err)
		}
		img, _, err := image.Decode(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if keep := os.Getenv("CORR_PICTURES"); keep != "" {
			if err := exec.Command("cp", filepath.Join(pictures, name), filepath.Join(keep, "hostile-"+name)).Run(); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				r, g, b, _ := img.At(x, y).RGBA()
				if near(r>>8, c[0]) && near(g>>8, c[1]) && near(b>>8, c[2]) {
					n++
				}
			}
		}
		if n < 5000 {
			t.Errorf("%s has %d pixels of the colour %v: what corr says is not shown", name, n, c)
		}
	}
}

func near(x, want uint32) bool { return max(x, want)-min(x, want) <= 8 }
