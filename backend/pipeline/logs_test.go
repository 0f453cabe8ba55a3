package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/lab"
	"github.com/corr-dev/corr/backend/model"
)

// A double NAT of UDP whose payloads were cut away and whose identifications are 0: addresses, ports and lengths say
// nothing of who is who. The device's log does.
func TestTranslationsInLogs(t *testing.T) {
	c, err := lab.Load("../../testdata/double-nat")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply("snaplen=42@a,snaplen=42@b,ipid=zero,clock=4h@b", 3); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := c.Write(dir); err != nil {
		t.Fatal(err)
	}
	silent := correlateDir(t, dir, filepath.Join(dir, "silent"))
	var log strings.Builder
	udp := 0
	for _, f := range silent.truth.Flows {
		if f.Proto == "udp" {
			a, b := f.At["a.pcapng"].Tuple, f.At["b.pcap"].Tuple
			udp++
			// As conntrack -E prints it: the original tuple, and the one that answers come with.
			fmt.Fprintf(&log, "[1700000000.000001]\t    [NEW] udp      17 30 src=%v dst=%v sport=%v dport=%v [UNREPLIED] src=%v dst=%v sport=%v dport=%v id=%d\n",
				a[0], a[2], a[1], a[3], b[2], b[0], b[3], b[1], 1000+udp)
		}
	}
	path := filepath.Join(dir, "conntrack.log")
	if err := os.WriteFile(path, []byte(log.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	o := Options{Out: filepath.Join(dir, "told"), Logs: []string{path}}
	for _, x := range silent.truth.Captures {
		o.Inputs = append(o.Inputs, Input{Path: filepath.Join(dir, x.File)})
	}
	told, err := Correlate(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	joined := func(r *result) (right, wrong int) {
		for _, f := range r.doc.Flows {
			x, y := f.At["a"], f.At["b"]
			if f.Proto != "udp" || x == nil || y == nil {
				continue
			}
			ok := false
			for _, w := range r.truth.Flows {
				ok = ok || w.Proto == "udp" && fmt.Sprint(w.At["a.pcapng"].Tuple) == fmt.Sprint(x.Tuple) && fmt.Sprint(w.At["b.pcap"].Tuple) == fmt.Sprint(y.Tuple)
			}
			if ok {
				right++
			} else {
				wrong++
			}
		}
		return right, wrong
	}
	before, _ := joined(silent)
	right, wrong := joined(&result{doc: told, truth: silent.truth})
	if udp < 8 || before == udp || right != udp || wrong > 0 {
		t.Errorf("of %d conversations %d are joined without the log, %d with it, %d wrong", udp, before, right, wrong)
	}
	if err := silent.ann.Close(); err != nil {
		t.Fatal(err)
	}
}

// What a log does not say, and what it says of packets that nobody captured.
func TestSilenceOfLogs(t *testing.T) {
	// Of the second conversation, by a clock of its own; the first one failed.
	const good = "time=2026-11-24 10:00:00|action=accept|src=10.80.12.21|s_port=49811|dst=10.17.4.35|service=5062|proto=tcp\n"
	const failing = "time=2026-11-24 10:00:00|action=drop|src=10.17.4.35|s_port=53695|dst=10.80.12.21|service=5061|proto=tcp|reason=x\n"
	for _, x := range []struct {
		name, log      string
		unseen, silent bool
	}{
		{"a drop of other ports, at the time", good + "time=2026-11-24 10:00:00|action=drop|src=10.17.4.35|s_port=50001|dst=10.80.12.21|service=5061|proto=tcp|reason=<b>\x1b[31m\n", true, true},
		{"a drop of other ports, an hour later", good + "time=2026-11-24 11:00:00|action=drop|src=10.17.4.35|s_port=50001|dst=10.80.12.21|service=5061|proto=tcp\n", false, true},
		{"a drop of other hosts", good + "time=2026-11-24 10:00:00|action=drop|src=10.17.4.36|s_port=50001|dst=10.80.12.21|service=5061|proto=tcp\n", false, true},
		{"other ports accepted", good + "time=2026-11-24 10:00:00|action=accept|src=10.17.4.35|s_port=50001|dst=10.80.12.21|service=5061|proto=tcp\n", false, true},
		{"a record of each", good + failing, false, false},
		{"a log of others", "time=2026-11-24 10:00:00|action=drop|src=10.17.4.36|s_port=50001|dst=10.80.12.21|service=5061|proto=tcp\n", false, false},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "fw.log")
		if err := os.WriteFile(path, []byte(x.log), 0o644); err != nil {
			t.Fatal(err)
		}
		doc, err := Correlate(context.Background(), Options{Out: filepath.Join(dir, "out"), Logs: []string{"checkpoint=" + path},
			Inputs: []Input{{Path: "../../testdata/skype-story/a.pcap"}, {Path: "../../testdata/skype-story/b.pcapng"}}})
		if err != nil {
			t.Fatal(err)
		}
		var unseen, silent bool
		for _, f := range doc.Findings {
			switch f.ID {
			case "log-unseen-drop":
				unseen = true
				if !strings.Contains(f.Title, "10.17.4.35:50001 → 10.80.12.21:5061") || len(f.Evidence) == 0 {
					t.Errorf("%s: %+v", x.name, f)
				}
			case "log-silent":
				silent = true
				if !strings.Contains(f.Next, "10.17.4.35:53695") || len(f.Evidence) == 0 {
					t.Errorf("%s: %+v", x.name, f)
				}
			}
		}
		if unseen != x.unseen || silent != x.silent {
			t.Errorf("%s: unseen %v, silent %v", x.name, unseen, silent)
		}
	}
}

// A proxy that ends TCP, headers only: its own log says which connection behind carries on which in front.
func TestProxyLogJoins(t *testing.T) {
	c, err := lab.Load("../../testdata/haproxy-tcp")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply("snaplen=66@a,snaplen=66@b", 3); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := c.Write(dir); err != nil {
		t.Fatal(err)
	}
	silent := correlateDir(t, dir, filepath.Join(dir, "silent"))
	if err := silent.ann.Close(); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	want := map[string]string{}
	for _, f := range silent.truth.Flows {
		a, b := f.At["a.pcap"], f.At["b.pcap"]
		if f.Proto == "tcp" && a != nil && b != nil {
			fmt.Fprintf(&log, "Nov 24 15:50:46 lb haproxy[123]: %v:%v [24/Nov/2026:15:50:46.123] front back/srv1 1/0/30 212 -- 1/1/1/1/0 0/0 %v:%v %v:%v\n",
				a.Tuple[0], a.Tuple[1], b.Tuple[0], b.Tuple[1], b.Tuple[2], b.Tuple[3])
			want[fmt.Sprint(a.Tuple)] = fmt.Sprint(b.Tuple)
		}
	}
	path := filepath.Join(dir, "haproxy.log")
	if err := os.WriteFile(path, []byte(log.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	told, err := Correlate(context.Background(), Options{Out: filepath.Join(dir, "told"), Logs: []string{path},
		Inputs: []Input{{Path: filepath.Join(dir, "a.pcap")}, {Path: filepath.Join(dir, "b.pcap")}}})
	if err != nil {
		t.Fatal(err)
	}
	// Order and time join them without it too, but as what it is: likely. The log is certain.
	by := func(doc *model.Document, words string) (n, confidence int) {
		confidence = 100
		for _, f := range doc.Flows {
			x, y := f.At["a"], f.At["b"]
			if f.Proto != "tcp" || x == nil || y == nil {
				continue
			}
			if want[fmt.Sprint(x.Tuple)] != fmt.Sprint(y.Tuple) {
				t.Errorf("%v is said to be %v", x.Tuple, y.Tuple)
			}
			if strings.Contains(strings.Join(f.Evidence, "; "), words) {
				n, confidence = n+1, min(confidence, f.Confidence)
			}
		}
		return n, confidence
	}
	guessed, _ := by(silent.doc, "by time and size")
	certain, confidence := by(told, "translations that a log records")
	if certain != len(want) || guessed == 0 || confidence < 95 {
		t.Errorf("of %d connections %d rest on time and size without the log, %d on the log with it, at %d %%", len(want), guessed, certain, confidence)
	}
}
