package plugin_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// With corr's profile a conversation has the same colour in every window, and what happened to a frame comes before it.
func TestColours(t *testing.T) {
	for _, name := range []string{"mss-loss-reorder", "four-points"} {
		c := correlate(t, name)
		t.Setenv("WIRESHARK_CONFIG_DIR", filepath.Join(c.dir, "out", "profile"))
		of, colours, others := map[string]string{}, map[string]bool{}, map[string]int{}
		for _, path := range c.captures {
			for line := range strings.Lines(tshark(t, "-r", path, "--color", "-X", c.script, "-T", "fields", "-e", "frame.coloring_rule.name", "-e", "corr.flow", "-e", "corr.fate")) {
				x := strings.Split(strings.TrimRight(line, "\n"), "\t")
				if len(x) != 3 {
					t.Fatalf("%q", line)
				}
				rule, flow, fate := x[0], x[1], x[2]
				if (rule == "corr: lost on the way") != (fate == "lost") {
					t.Errorf("%s: a frame whose fate is %s is coloured as %q", path, fate, rule)
				}
				if !strings.HasPrefix(rule, "corr: conversation colour") {
					others[rule]++
					continue
				}
				if old, ok := of[flow]; ok && old != rule {
					t.Errorf("%s: conversation %s has %q here and %q elsewhere", path, flow, rule, old)
				}
				of[flow], colours[rule] = rule, true
			}
		}
		if len(of) < 5 || len(colours) < 5 {
			t.Errorf("%s: %d conversations in %d colours", name, len(of), len(colours))
		}
		if name == "mss-loss-reorder" && (others["corr: lost on the way"] == 0 || others["corr: options, marks or data changed on the way"] == 0) {
			t.Errorf("%s: other colours: %v", name, others)
		}
	}
}
