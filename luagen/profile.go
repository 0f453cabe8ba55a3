package luagen

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/corr-dev/corr/backend/field"
)

// colour is a rule of Wireshark's packet list. Backgrounds are tints of the colour-blind-safe set of Okabe and Ito (2008)
// with black text, so they read the same on light and dark desktops, and each rule has a filter button that says the
// same in words.
type colour struct {
	name, filter string
	background   [3]uint16 // of 65535
}

func tint(r, g, b int) [3]uint16 { return [3]uint16{uint16(r) * 257, uint16(g) * 257, uint16(b) * 257} }

// rules come before Wireshark's own: what happened to a frame, then the conversation's colour, the same in every window.
var rules = []colour{
	{"corr: lost on the way", `corr.fate == "lost"`, tint(240, 170, 120)},
	{"corr: made by a middlebox", `corr.fate == "injected"`, tint(245, 205, 120)},
	{"corr: ended at a middlebox", `corr.fate == "consumed"`, tint(225, 190, 215)},
	{"corr: bytes relayed on another connection", `corr.match == "relayed"`, tint(190, 215, 240)},
	// Translated addresses are no news, and all frames behind a translator have them.
	{"corr: options, marks or data changed on the way", `corr.changed matches "mss_val|wscale|sack_perm|timestamp$|dsfield|tclass|flags|data"`, tint(170, 222, 200)},
	{"corr: copy of an earlier frame", `corr.fate == "duplicate"`, tint(215, 215, 215)},
}

// button is a filter button of Wireshark's toolbar.
type button struct{ label, filter string }

var buttons = []button{
	{"Lost", `corr.fate == "lost"`},
	{"Injected", `corr.fate == "injected"`},
	{"Changed", `corr.changed`},
	{"Middlebox", `corr.middlebox`},
	{"Findings", `corr.finding`},
}

// column of the packet list.
type column struct{ title, format string }

var columns = []column{
	{"No.", "%m"}, {"Time", "%t"}, {"Source", "%s"}, {"Destination", "%d"}, {"Protocol", "%p"}, {"Length", "%L"},
	{"Peer", "%Cus:corr.peer_frame:0:R"}, {"Delay", "%Cus:corr.delay:0:R"}, {"Fate", "%Cus:corr.fate:0:R"}, {"Middlebox", "%Cus:corr.middlebox:0:R"},
	{"Info", "%i"},
}

// WriteProfile writes a Wireshark profile into dir, which must exist: columns, colours and filter buttons that show what
// corr.lua adds. It names only fields that the plugin registers: Wireshark drops a rule with any other.
func WriteProfile(dir string) error {
	for _, f := range []struct{ name, text string }{{"colorfilters", colorFilters()}, {"preferences", preferences()}, {"dfilter_buttons", filterButtons()}} {
		if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func colorFilters() string {
	var b strings.Builder
	b.WriteString("# Colours of frames that corr has something to say about.\n")
	line := func(name, filter string, bg [3]uint16) {
		fmt.Fprintf(&b, "@%s@%s@[%d,%d,%d][0,0,0]\n", name, filter, bg[0], bg[1], bg[2])
	}
	for _, c := range rules {
		line(c.name, c.filter, c.background)
	}
	for n, rgb := range field.Tints {
		bg := tint(int(rgb[0]), int(rgb[1]), int(rgb[2]))
		var bits []string
		for k := 0; k < 3; k++ {
			t := fmt.Sprintf("corr.flow & %d", 1<<k)
			if n>>k&1 == 0 {
				t = "!(" + t + ")"
			}
			bits = append(bits, t)
		}
		line(fmt.Sprintf("corr: conversation colour %d", n+1), "corr.flow && "+strings.Join(bits, " && "), bg)
	}
	return b.String()
}

func preferences() string {
	var b strings.Builder
	b.WriteString("# Columns of the packet list.\ngui.column.format: \n")
	for i, c := range columns {
		end := ","
		if i == len(columns)-1 {
			end = ""
		}
		fmt.Fprintf(&b, "\t%q, %q%s\n", c.title, c.format, end)
	}
	return b.String()
}

func filterButtons() string {
	var b strings.Builder
	b.WriteString("# Filter buttons.\n")
	for _, x := range buttons {
		fmt.Fprintf(&b, "\"TRUE\",\"%s\",\"%s\",\"\"\n", x.label, strings.ReplaceAll(x.filter, `"`, `\x22`))
	}
	return b.String()
}

// profileFields lists the corr.* fields that the profile names.
func profileFields() []string {
	var out []string
	for _, text := range []string{colorFilters(), preferences(), filterButtons()} {
		for _, w := range strings.FieldsFunc(text, func(r rune) bool { return !(r == '.' || r == '_' || r >= 'a' && r <= 'z') }) {
			if strings.HasPrefix(w, "corr.") && !strings.HasSuffix(w, ".lua") {
				out = append(out, w)
			}
		}
	}
	return out
}

// unknownField is the first field that the profile names and the plugin does not have; "" for none.
func unknownField() string {
	for _, f := range profileFields() {
		if !field.Known(f) {
			return f
		}
	}
	return ""
}
