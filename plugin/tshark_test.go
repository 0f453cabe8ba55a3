package plugin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/field"
	"github.com/corr-dev/corr/backend/pipeline"
)

// tshark runs the program that CORR_TSHARK names (scripts/versions: that of another Wireshark), else the machine's own,
// as an ordinary user: from Wireshark 4.4 on root loads no Lua.
func tshark(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("../scripts/as-user", append([]string{"tshark"}, args...)...)
	if other := os.Getenv("CORR_TSHARK"); other != "" {
		cmd = exec.Command(other, args...)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if _, ended := err.(*exec.ExitError); err != nil && !(ended && strings.Contains(stderr.String(), "cut short")) {
		t.Fatalf("tshark %.200q: %v: %s", args, err, stderr.String())
	}
	if strings.Contains(stderr.String(), "Lua") {
		t.Fatalf("tshark %.200q: %s", args, stderr.String())
	}
	return string(text)
}

// correlated is a recorded case, correlated in a folder that everybody may read.
type correlated struct {
	dir      string // with the captures
	captures []string
	script   string // lua_script:…
	frames   map[string][][2]string
}

// correlate copies a recorded case and correlates it.
func correlate(t *testing.T, name string) *correlated {
	t.Helper()
	dir, err := os.MkdirTemp("", "corr-plugin-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	from := filepath.Join("../testdata", name)
	truth := struct{ Captures []struct{ File string } }{}
	b, err := os.ReadFile(filepath.Join(from, "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &truth); err != nil {
		t.Fatal(err)
	}
	c := &correlated{dir: dir, frames: map[string][][2]string{}}
	o := pipeline.Options{Out: filepath.Join(dir, "out")}
	for _, x := range truth.Captures {
		whole, err := os.ReadFile(filepath.Join(from, x.File))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, x.File)
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
		c.captures = append(c.captures, path)
		o.Inputs = append(o.Inputs, pipeline.Input{Path: path})
	}
	if _, err := pipeline.Correlate(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	c.script = "lua_script:" + filepath.Join(o.Out, "corr.lua")
	c.read(t, filepath.Join(o.Out, "corr.ann"))
	if out, err := exec.Command("chmod", "-R", "a+rwX", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return c
}

// read fills frames: conversation and fate by file and frame number.
func (c *correlated) read(t *testing.T, path string) {
	t.Helper()
	ann, err := annotate.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := annotate.WriteFrames(&b, ann); err != nil {
		t.Fatal(err)
	}
	if err := ann.Close(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if x := strings.Split(strings.TrimRight(line, "\n"), "\t"); line[0] != '#' {
			c.frames[x[0]] = append(c.frames[x[0]], [2]string{x[2], x[3]})
		}
	}
}

// shown is what the plugin says of each frame of a file.
func (c *correlated) shown(t *testing.T, path string) [][2]string {
	t.Helper()
	var out [][2]string
	for line := range strings.Lines(tshark(t, "-r", path, "-X", c.script, "-T", "fields", "-e", "corr.flow", "-e", "corr.fate")) {
		flow, fate, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		out = append(out, [2]string{flow, fate})
	}
	return out
}

// Whichever copy of a capture is opened, each frame that the plugin speaks of is the right one, and it speaks of all.
func TestRecognised(t *testing.T) {
	for _, name := range []string{"snat-basic", "clock-drift", "gateway", "skype-story"} {
		c := correlate(t, name)
		for _, path := range c.captures {
			file := filepath.Base(path)
			want := c.frames[file]
			half := len(want) / 2
			for _, v := range []struct {
				what    string
				command string
				frames  func(k int) int // the original number of the copy's frame k; nil: unknown
			}{
				{"as it is", "cp $in $out", func(k int) int { return k }},
				{"pcap", "editcap -F pcap $in $out", func(k int) int { return k }},
				{"pcapng", "editcap -F pcapng $in $out", func(k int) int { return k }},
				{"pcap with nanoseconds", "editcap -F nsecpcap $in $out", func(k int) int { return k }},
				{"an hour later", "editcap -t 3600.25 $in $out", func(k int) int { return k }},
				{"its second half", fmt.Sprintf("editcap -r $in $out %d-%d", half+1, len(want)), func(k int) int { return k + half }},
				{"without frames 2, 3 and 5", "editcap $in $out 2 3 5", func(k int) int {
					return k + []int{0, 2, 3, 3}[min(k-1, 1)+min(max(k-2, 0), 2)]
				}},
				{"cut short", fmt.Sprintf("head -c %d $in >$out", size(t, path)*2/3), func(k int) int { return k }},
				{"snapped", "editcap -s 80 $in $out", func(k int) int { return k }},
			} {
				if v.what == "its second half" && half < 20 || v.what == "pcap" && name == "gateway" {
					continue
				}
				copied := filepath.Join(c.dir, "copy")
				cmd := exec.Command("sh", "-c", v.command)
				cmd.Env = append(os.Environ(), "in="+path, "out="+copied)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v: %s", v.command, err, out)
				}
				got := c.shown(t, copied)
				known := 0
				for k, g := range got {
					if g == [2]string{} {
						continue
					}
					known++
					if n := v.frames(k + 1); n > len(want) || g != plain(want[n-1]) {
						t.Errorf("%s of %s %s: frame %d is said to be %v, is %v", file, name, v.what, k+1, g, want[min(n, len(want))-1])
						break
					}
				}
				// A shift is known from the fifth frame on.
				if (known+4)*100 < len(got)*95 || len(got) == 0 {
					t.Errorf("%s of %s %s: %d of %d frames known", file, name, v.what, known, len(got))
				}
			}
		}
	}
}

// plain is a line of corr frames as Wireshark shows it: conversation 0 is none.
func plain(x [2]string) [2]string {
	if x[0] == "0" {
		x[0] = ""
	}
	return x
}

func size(t *testing.T, path string) int64 {
	s, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return s.Size()
}

// Merged captures: each frame is told which capture it is of.
func TestMerged(t *testing.T) {
	c := correlate(t, "snat-basic")
	merged := filepath.Join(c.dir, "merged.pcapng")
	if out, err := exec.Command("mergecap", "-I", "none", "-w", merged, c.captures[0], c.captures[1]).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	next, known, all := map[string]int{}, 0, 0
	for line := range strings.Lines(tshark(t, "-r", merged, "-X", c.script, "-T", "fields", "-e", "frame.interface_id", "-e", "corr.flow", "-e", "corr.fate")) {
		x := strings.Split(strings.TrimRight(line, "\n"), "\t")
		k, err := strconv.Atoi(x[0])
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Base(c.captures[k])
		next[file]++
		all++
		if x[1] == "" && x[2] == "" {
			continue
		}
		known++
		if want := plain(c.frames[file][next[file]-1]); want != [2]string{x[1], x[2]} {
			t.Fatalf("frame %d of %s is said to be %v, is %v", next[file], file, x[1:], want)
		}
	}
	if known*100 < all*95 {
		t.Errorf("%d of %d frames known", known, all)
	}
}

// Strangers: with the plugins of all other cases at once no frame of a capture has a field.
func TestStrangers(t *testing.T) {
	dirs, err := filepath.Glob("../testdata/*/truth.json")
	if err != nil || len(dirs) < 20 {
		t.Fatalf("%d recorded cases, %v", len(dirs), err)
	}
	all := make([]*correlated, len(dirs))
	for i, d := range dirs {
		all[i] = correlate(t, filepath.Base(filepath.Dir(d)))
	}
	for i, c := range all {
		for _, path := range c.captures {
			args := []string{"-r", path, "-T", "fields", "-e", "corr.point", "-e", "corr.fate", "-e", "corr.flow"}
			for k, other := range all {
				if k != i {
					args = append(args, "-X", other.script)
				}
			}
			for n, line := range strings.Split(strings.TrimRight(tshark(t, args...), "\n"), "\n") {
				if strings.TrimSpace(line) != "" {
					t.Errorf("%s: frame %d is taken for another capture's: %q", path, n+1, line)
					break
				}
			}
		}
	}
}

// Text of logs that would steer a terminal comes out as text, wherever tshark writes it.
func TestTextIsHarmless(t *testing.T) {
	c := correlate(t, "skype-story")
	log := filepath.Join(c.dir, "fw.log")
	line := "src=10.17.4.35 dst=10.80.12.21 sport=53695 dport=5061 action=drop reason=\"\x1b[31m\x07\u009b2J</a>\"\n"
	if err := os.WriteFile(log, []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(c.dir, "told")
	if _, err := pipeline.Correlate(context.Background(), pipeline.Options{Out: out, Logs: []string{"keyvalue=" + log},
		Inputs: []pipeline.Input{{Path: c.captures[0]}, {Path: c.captures[1]}}}); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command("chmod", "-R", "a+rX", out).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	script := "lua_script:" + filepath.Join(out, "corr.lua")
	for _, how := range [][]string{{"-T", "fields", "-e", "corr.log", "-e", "corr.finding"}, {"-T", "json"}, {"-T", "pdml"}, {"-V"}, {"-q", "-z", "expert"}} {
		text := tshark(t, append([]string{"-r", c.captures[0], "-X", script}, how...)...)
		if strings.ContainsAny(text, "\x1b\x07") || strings.Contains(text, "\u009b") {
			t.Errorf("%v lets control characters through", how)
		}
		// From 4.4 on tshark doubles backslashes here.
		if how[0] == "-T" && how[1] == "fields" && !strings.Contains(strings.ReplaceAll(text, `\\`, `\`), `\x1b[31m\x07\x9b2J`) {
			t.Errorf("the log's text is not there: %.300q", text)
		}
	}
}

// Every field of the table is registered with its type and description, and the other outputs carry them.
func TestOutputs(t *testing.T) {
	c := correlate(t, "skype-story")
	fields := tshark(t, "-G", "fields", "-X", c.script)
	types := map[field.Type]string{field.String: "FT_STRING", field.Uint8: "FT_UINT8", field.Uint32: "FT_UINT32"}
	for _, f := range field.All {
		line := "\tcorr" + strings.TrimPrefix(f.Name, "corr") + "\t" + types[f.Type]
		if at := strings.Index(fields, line); at < 0 {
			t.Errorf("tshark -G fields lacks %q", line)
		} else if row, _, _ := strings.Cut(fields[at:], "\n"); !strings.Contains(row, f.Text[:20]) {
			t.Errorf("%s has no description: %q", f.Name, row)
		}
	}
	for _, how := range []string{"json", "ek", "pdml"} {
		out := tshark(t, "-r", c.captures[0], "-X", c.script, "-T", how)
		name := "corr.fate"
		if how == "ek" {
			name = "corr_fate"
		}
		if n := strings.Count(out, name+`"`); n < len(c.frames["a.pcap"]) {
			t.Errorf("-T %s has %s %d times, for %d frames", how, name, n, len(c.frames["a.pcap"]))
		}
	}
	expert := tshark(t, "-r", c.captures[0], "-X", c.script, "-q", "-z", "expert")
	if !strings.Contains(expert, "ended 1 conversation: 10.") || !strings.Contains(expert, "Errors") {
		t.Errorf("-z expert tells no finding:\n%s", expert)
	}
	summary := tshark(t, "-q", "-r", c.captures[1], "-X", c.script, "-X", "lua_script1:summary")
	if !strings.HasPrefix(summary, "error  a TCP-terminating firewall (Check Point) between a and b ended 1 conversation") {
		t.Errorf("the summary begins with %.100q", summary)
	}
	if got := tshark(t, "-r", c.captures[0], "-X", c.script, "-Y", "corr.middlebox && corr.fate == \"injected\"", "-T", "fields", "-e", "corr.middlebox.kind"); !strings.Contains(got, "terminating-transparent-proxy") {
		t.Errorf("the display filter finds %q", got)
	}
}
