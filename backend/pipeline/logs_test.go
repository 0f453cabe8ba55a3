package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/lab"
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
