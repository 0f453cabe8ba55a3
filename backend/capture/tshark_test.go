package capture_test

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

// recorded lists the captures of the recorded cases.
func recorded(t testing.TB) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir("../../testdata", func(path string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err == nil && (ext == ".pcap" || ext == ".pcapng") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata: %d captures, %v", len(files), err)
	}
	return files
}

// line writes a frame as tshark's fields do.
func line(p *capture.Packet) string {
	at := ""
	if p.HasTime {
		sec, ns := int64(p.Time)/1e9, int64(p.Time)%1e9
		sign := ""
		if sec < 0 || ns < 0 {
			sign, sec, ns = "-", -sec, -ns
		}
		at = fmt.Sprintf("%s%d.%09d", sign, sec, ns)
	}
	return fmt.Sprintf("%d\t%s\t%d\t%d", p.Number, at, p.OrigLen, len(p.Data))
}

// ours reads a capture to its end, or to what is wrong with it.
func ours(t testing.TB, file string) ([]string, error) {
	t.Helper()
	r, err := capture.Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var lines []string
	for {
		var p capture.Packet
		if err := r.Next(&p); err == io.EOF {
			return lines, nil
		} else if err != nil {
			return lines, err
		}
		lines = append(lines, line(&p))
	}
}

// tshark asks tshark the same.
func tshark(t testing.TB, file string) (lines []string, complaint string) {
	t.Helper()
	cmd := exec.Command("tshark", "-r", file, "-T", "fields", "-e", "frame.number", "-e", "frame.time_epoch", "-e", "frame.len", "-e", "frame.cap_len")
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "TZ=UTC", "LC_ALL=C.UTF-8")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, _ := cmd.Output()
	if text := strings.TrimSuffix(string(out), "\n"); text != "" {
		lines = strings.Split(text, "\n")
	}
	for _, l := range strings.Split(errs.String(), "\n") {
		if l != "" && !strings.HasPrefix(l, "Running as user") {
			complaint += l + "\n"
		}
	}
	return lines, complaint
}

func compare(t *testing.T, file string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "(no frame)", "(no frame)"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("frame %d (number, time, len, cap_len)\n got %s\nwant %s\nrepeat: tshark -r %s -T fields -e frame.number -e frame.time_epoch -e frame.len -e frame.cap_len", i+1, g, w, file)
		}
	}
}

func TestRecordedAsTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	for _, file := range recorded(t) {
		t.Run(strings.TrimPrefix(file, "../../testdata/"), func(t *testing.T) {
			t.Parallel()
			got, err := ours(t, file)
			if err != nil {
				t.Fatal(err)
			}
			want, _ := tshark(t, file)
			compare(t, file, got, want)
		})
	}
}
