package wireshark

import (
	"image"
	"image/color"
	_ "image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Wireshark's window itself, on a display of its own: rows have the colours of their fates, corr's menu opens, and the
// findings stand in the expert information.
func TestWindow(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("../../scripts/screenshots", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	list := picture(t, filepath.Join(dir, "wireshark.png"))
	half := image.Rect(0, 0, list.Bounds().Dx(), list.Bounds().Dy()/2)
	for fate, c := range map[string]color.RGBA{"injected": {243, 204, 123, 255}, "consumed": {223, 189, 214, 255}, "delivered": {188, 213, 237, 255}} {
		if n := pixels(list, half, c); n < 10_000 {
			t.Errorf("%d pixels of the list have the colour of %s frames", n, fate)
		}
	}
	// The entry of Tools that is chosen has one beside it that is, too: it leads to a menu.
	menu := picture(t, filepath.Join(dir, "menu.png"))
	chosen := color.RGBA{48, 140, 198, 255}
	if a, b := pixels(menu, image.Rect(216, 60, 394, 110), chosen), pixels(menu, image.Rect(396, 60, 616, 110), chosen); a < 2000 || b < 2000 {
		t.Errorf("%d and %d pixels of the menus are chosen: Tools > Correlation does not open", a, b)
	}
	expert := picture(t, filepath.Join(dir, "expert.png"))
	if n := pixels(expert, expert.Bounds(), color.RGBA{255, 92, 92, 255}); n < 10_000 {
		t.Errorf("%d pixels of the expert information have the colour of errors: no finding is shown", n)
	}
}

func picture(t *testing.T, name string) image.Image {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// pixels counts those of a colour, give or take what a smaller palette does to it.
func pixels(img image.Image, in image.Rectangle, c color.RGBA) int {
	n := 0
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			r, g, b, _ := img.At(x, y).RGBA()
			if near(r, c.R) && near(g, c.G) && near(b, c.B) {
				n++
			}
		}
	}
	return n
}

func near(x uint32, want uint8) bool {
	d := int(x>>8) - int(want)
	return -6 <= d && d <= 6
}
