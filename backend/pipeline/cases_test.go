package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/lab"
	"github.com/corr-dev/corr/backend/model"
)

// truth is what these tests read of a case's truth.json.
type truth struct {
	Captures []struct {
		File  string
		Order int
		Clock struct {
			OffsetS  float64 `json:"offset_s"`
			DriftPPM float64 `json:"drift_ppm"`
		}
	}
	Pairs []struct {
		A, B        string
		Matches     [][2]uint32
		Seg         [][2]uint32
		Messages    [][2]uint32
		OnlyA       map[string][]uint32 `json:"only_a"`
		OnlyB       map[string][]uint32 `json:"only_b"`
		Middleboxes []struct{ Kind string }
		Rewritten   []any
	}
	Flows []struct {
		ID      int
		Proto   string
		Outcome string
		By      string
		Also    []string `json:"outcome_also"`
		Alike   any
		At      map[string]*struct {
			Tuple [4]any
		}
		FirstClose struct{ Flag string } `json:"first_close"`
	}
}

// result is a case that went through the whole pipeline.
type result struct {
	dir   string
	truth truth
	doc   *model.Document
	ann   *annotate.File
}

var (
	resultsMu sync.Mutex
	results   = map[string]*result{}
)

// cases lists the recorded cases.
func cases(t *testing.T) []string {
	dirs, err := filepath.Glob("../../testdata/*/truth.json")
	if err != nil || len(dirs) < 20 {
		t.Fatalf("recorded cases: %d found, %v", len(dirs), err)
	}
	var out []string
	for _, d := range dirs {
		out = append(out, filepath.Base(filepath.Dir(d)))
	}
	return out
}

// correlated runs a recorded case, its captures in an order that says nothing, and keeps the result for other tests.
func correlated(t *testing.T, name string) *result {
	resultsMu.Lock()
	defer resultsMu.Unlock()
	if r := results[name]; r != nil {
		return r
	}
	dir, err := os.MkdirTemp("", "corr-case-")
	if err != nil {
		t.Fatal(err)
	}
	r := correlateDir(t, filepath.Join("../../testdata", name), filepath.Join(dir, "out"))
	results[name] = r
	return r
}

func correlateDir(t *testing.T, from, out string) *result {
	r := &result{dir: out}
	b, err := os.ReadFile(filepath.Join(from, "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &r.truth); err != nil {
		t.Fatal(err)
	}
	o := Options{Out: out}
	for _, c := range slices.Backward(r.truth.Captures) {
		o.Inputs = append(o.Inputs, Input{Path: filepath.Join(from, c.File)})
	}
	if r.doc, err = Correlate(context.Background(), o); err != nil {
		t.Fatalf("%s: %v", from, err)
	}
	if r.ann, err = annotate.Open(filepath.Join(out, "corr.ann")); err != nil {
		t.Fatal(err)
	}
	return r
}

// correlateOf correlates some of the captures in a folder.
func correlateOf(t *testing.T, from string, files ...string) *result {
	r := &result{dir: filepath.Join(t.TempDir(), "out")}
	o := Options{Out: r.dir}
	for _, f := range files {
		o.Inputs = append(o.Inputs, Input{Path: filepath.Join(from, f)})
	}
	var err error
	if r.doc, err = Correlate(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	if r.ann, err = annotate.Open(filepath.Join(r.dir, "corr.ann")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.ann.Close() })
	return r
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, r := range results {
		_ = r.ann.Close()
		_ = os.RemoveAll(filepath.Dir(r.dir))
	}
	os.Exit(code)
}

// file is a capture's file name by its point's name.
func (r *result) file(name string) string {
	for _, c := range r.doc.Captures {
		if c.Name == name {
			return filepath.Base(c.File)
		}
	}
	return ""
}

// changed writes a recorded case that is changed, and gives the folder.
func changed(t *testing.T, name, apply string) (c *lab.Case, dir string) {
	t.Helper()
	unlessShort(t)
	c, err := lab.Load(filepath.Join("../../testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(apply, 5); err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := c.Write(dir); err != nil {
		t.Fatal(err)
	}
	return c, dir
}

// unlessShort leaves tests on derived cases out of short runs: they run what the recorded ones do, on other traffic.
func unlessShort(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
}

// grade compares the matches with a case's truth.
func (r *result) grade(t *testing.T, c *lab.Case) lab.Score {
	t.Helper()
	var b bytes.Buffer
	if err := annotate.WriteMatches(&b, r.ann); err != nil {
		t.Fatal(err)
	}
	s, err := lab.Grade(c, &b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// No wrong pair and none missing; a proxy's relayed bytes and handshakes nearly all.
func TestRecordedMatches(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			r := correlated(t, name)
			c, err := lab.Load(filepath.Join("../../testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range r.grade(t, c).Pairs {
				opaque := name == "tls-offload" // no byte survives there: only handshakes of conversations that are told apart
				if p.Wrong > 0 || p.Correct < p.Required || p.StreamFound*100 < p.Stream*98 || !opaque && p.Stream > 0 && p.LogicalFound*100 < p.Logical*98 || opaque && p.LogicalFound*100 < p.Logical*80 {
					t.Errorf("%s-%s: %d of %d right, %d wrong (%v), stream %d of %d, handshakes %d of %d, missing %v\nrepeat: corr matches of testdata/%s",
						p.A, p.B, p.Correct, p.Required, p.Wrong, p.WrongList, p.StreamFound, p.Stream, p.LogicalFound, p.Logical, p.MissingList[:min(8, len(p.MissingList))], name)
				}
			}
		})
	}
}

// fatesFor are corr's words for the truth's reasons why a frame has no counterpart.
var fatesFor = map[string][]string{"lost": {"lost", "consumed"}, "injected": {"injected"}, "dropped_by_middlebox": {"consumed", "lost"}, "middlebox_generated": {"injected"},
	"middlebox_consumed": {"consumed"}, "outside_window": {"outside"}, "filtered": {"filtered"}, "span_copy": {"duplicate"}, "local": {"local"}}

func TestRecordedFates(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) { correlated(t, name).checkFates(t) })
	}
}

// checkFates compares the fates of frames with the truth's; those in also are right everywhere.
func (r *result) checkFates(t *testing.T, also ...string) {
	got := map[string][]string{}
	for p, pt := range r.ann.Tables.Points {
		l := make([]string, pt.Frames+1)
		for n := uint32(1); n <= pt.Frames; n++ {
			_, c, err := r.ann.Frame(p, captureFrame(n))
			if err != nil {
				t.Fatal(err)
			}
			l[n] = c.Fate
		}
		got[filepath.Base(pt.File)] = l
	}
	// Of a point between two others either side may speak.
	type frame struct {
		file string
		n    uint32
	}
	want := map[frame][]string{}
	for _, p := range r.truth.Pairs {
		for file, only := range map[string]map[string][]uint32{p.A: p.OnlyA, p.B: p.OnlyB} {
			for why, l := range only {
				for _, n := range l {
					if fatesFor[why] != nil {
						want[frame{file, n}] = append(want[frame{file, n}], fatesFor[why]...)
					}
				}
			}
		}
		if len(r.truth.Captures) == 2 {
			for _, m := range append(slices.Clone(p.Matches), p.Seg...) {
				want[frame{p.A, m[0]}] = append(want[frame{p.A, m[0]}], "delivered")
				want[frame{p.B, m[1]}] = append(want[frame{p.B, m[1]}], "delivered")
			}
		}
	}
	bad := 0
	for k, w := range want {
		if g := got[k.file][k.n]; !slices.Contains(w, g) && !slices.Contains(also, g) {
			if bad++; bad <= 5 {
				t.Errorf("%s:%d is %q, want %v; repeat: corr explain of %s", k.file, k.n, g, w, t.Name())
			}
		}
	}
	if bad > 5 {
		t.Errorf("%d frames in all", bad)
	}
}

// What another recorder hides, or was not there for, is so of every frame, whether it lies in front of that one's first frame or
// behind its last, and whether another point holds it or not.
func TestFatesAtOtherRecorders(t *testing.T) {
	for _, x := range [][2]string{
		{"siit", "filter=tcp@b"}, {"snat-basic", "filter=tcp@a"}, {"nat64", "filter=udp@b"}, {"ipv6-routers", "filter=udp@b"}, {"softwire", "filter=tcp@c"},
		{"vlan-middle", "filter=tcp@a"}, {"vxlan-middle", "filter=tcp@c"}, {"routers-3-8", "nat=double/ports@a-b,filter=tcp@b"},
		{"nat64", "filter=port:80@b"}, {"siit", "filter=port:443@b"}, {"gateway", "filter=port:53@b"}, {"softwire", "filter=port:80@a"},
		{"prefix-translation", "filter=port:53@a"},
		// Nothing that is hidden passed while these had something to record; that they began and ended just so would be chance.
		{"vlan-middle", "filter=icmp@b"}, {"vxlan-middle", "filter=port:7000@c"}, {"snat-basic", "filter=port:80@b"},
		{"cooked", "filter=port:80@a"}, {"asymmetric-route", "filter=port:80@d"},
		{"vlan-middle", "late=0.2@b"}, {"vxlan-middle", "early=0.8@b"}, {"four-points", "late=0.4@d"}, {"lb-two-servers", "late=0.2@b"},
		{"double-nat", "early=0.2@a"}, {"cooked", "late=0.3@b,early=0.8@b"},
	} {
		t.Run(x[0]+" "+x[1], func(t *testing.T) {
			_, dir := changed(t, x[0], x[1])
			r := correlateDir(t, dir, filepath.Join(dir, "out"))
			defer r.ann.Close()
			r.checkFates(t)
		})
	}
}

// Of two servers behind one address that only one recorder ran at, what the other one answers passes elsewhere: who merely translates
// answers nothing.
func TestFatesOfOtherServer(t *testing.T) {
	all := correlated(t, "lb-two-servers").truth
	for _, x := range [][2]string{{"b.pcapng", "c.pcap"}, {"c.pcap", "b.pcapng"}} {
		r := correlateOf(t, "../../testdata/lb-two-servers", "a.pcap", x[0])
		fates := map[string]int{}
		for _, p := range all.Pairs {
			if p.A != "a.pcap" || p.B != x[1] {
				continue
			}
			for _, m := range p.Matches {
				_, c, err := r.ann.Frame(0, captureFrame(m[0]))
				if err != nil {
					t.Fatal(err)
				}
				fates[c.Fate]++
			}
		}
		// What nobody answered may have ended before, and what came last outside of the other recorder's time.
		if n := fates["elsewhere"]; n < 350 || fates["injected"]+fates["lost"] > 0 || fates["consumed"] > n/50 {
			t.Errorf("without %s, what went there is %v", x[1], fates)
		}
	}
}

// What passed before the other recorder ran is no sign of another server: behind an address with one, what nobody answers and that one's
// recorder never saw was dropped.
func TestOneServerOfWhichSomeWasEarlier(t *testing.T) {
	doc := derived(t, 5, "partial-reuse-span", "nat=double/ports@a-b,outage=0.5@a-b")
	if !slices.ContainsFunc(doc.Findings, func(f model.Finding) bool { return f.ID == "syn-not-delivered" }) {
		t.Errorf("the findings are %v", doc.Findings)
	}
}

// What takes another way than past the point that holds the other direction is elsewhere, not lost, and said so.
func TestOneDirection(t *testing.T) {
	for _, x := range [][2]string{{"a.pcap", "b.pcapng"}, {"a.pcap", "c.pcap"}, {"b.pcapng", "d.pcapng"}, {"c.pcap", "d.pcapng"}} {
		r := correlateOf(t, "../../testdata/asymmetric-route", x[0], x[1])
		fates := map[string]int{}
		for p, pt := range r.ann.Tables.Points {
			for n := uint32(1); n <= pt.Frames; n++ {
				_, c, err := r.ann.Frame(p, captureFrame(n))
				if err != nil {
					t.Fatal(err)
				}
				fates[c.Fate]++
			}
		}
		if len(fates) != 2 || fates["delivered"] == 0 || fates["elsewhere"] == 0 {
			t.Errorf("of %v the fates are %v", x, fates)
		}
		for _, f := range r.doc.Flows {
			if f.Outcome != "ok" && f.Outcome != "refused" {
				t.Errorf("of %v conversation %d is %s", x, f.ID, f.Outcome)
			}
		}
		if !slices.ContainsFunc(r.doc.Findings, func(f model.Finding) bool {
			return f.ID == "asymmetric-path" && strings.Contains(f.Title, "sees one direction only of 30 conversations")
		}) {
			t.Errorf("of %v the findings are %v", x, r.doc.Findings)
		}
	}
}

// Packets of one direction tell nothing of the clocks, but when those before and behind them pass: what does while the other recorder
// is not running is not lost.
func TestOneDirectionAndLater(t *testing.T) {
	for _, x := range [][3]string{{"late=0.6@a", "a.pcap", "c.pcap"}, {"early=0.5@a", "a.pcap", "b.pcapng"}, {"late=0.3@d,early=0.7@d", "b.pcapng", "d.pcapng"}, {"late=0.4@c", "c.pcap", "d.pcapng"}} {
		_, dir := changed(t, "asymmetric-route", x[0])
		r := correlateOf(t, dir, x[1], x[2])
		outside := 0
		for p, pt := range r.ann.Tables.Points {
			for n := uint32(1); n <= pt.Frames; n++ {
				_, c, err := r.ann.Frame(p, captureFrame(n))
				if err != nil {
					t.Fatal(err)
				}
				switch c.Fate {
				case "outside":
					outside++
				case "delivered", "elsewhere":
				default:
					t.Fatalf("%v: %s:%d is %s", x, pt.Name, n, c.Fate)
				}
			}
		}
		if outside < 10 {
			t.Errorf("%v: %d frames are outside", x, outside)
		}
	}
}

// key names a conversation by protocol, capture and addresses whatever the direction.
func key(proto, file string, tuple [4]any) string {
	a, b := fmt.Sprint(tuple[0], "|", tuple[1]), fmt.Sprint(tuple[2], "|", tuple[3])
	if a > b {
		a, b = b, a
	}
	return strings.ToLower(proto) + " " + file + " " + a + " " + b
}

func TestRecordedOutcomes(t *testing.T) {
	same := map[string]string{"reset_by_endpoint": "reset", "open_at_end": "open"}
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			r := correlated(t, name)
			have := map[string][]string{}
			for _, f := range r.doc.Flows {
				for c, at := range f.At {
					if at != nil {
						k := key(f.Proto, r.file(c), at.Tuple)
						have[k] = append(have[k], f.Outcome)
					}
				}
			}
			for _, f := range r.truth.Flows {
				if f.Proto != "tcp" && f.Proto != "udp" {
					continue
				}
				want := []string{strings.ReplaceAll(f.Outcome, "_", "-")}
				if s := same[f.Outcome]; s != "" {
					want = []string{s}
				}
				for _, a := range f.Also {
					want = append(want, strings.ReplaceAll(a, "_", "-"))
				}
				if f.Outcome == "closed_by_middlebox" && f.FirstClose.Flag == "RST" {
					want = append(want, "reset-by-middlebox")
				}
				if f.Proto == "udp" {
					want = append(want, map[bool]string{true: "open", false: "no-answer"}[slices.Contains(want, "ok")])
				}
				for c, at := range f.At {
					if at == nil {
						continue
					}
					if l := have[key(f.Proto, c, at.Tuple)]; !slices.ContainsFunc(l, func(s string) bool { return slices.Contains(want, s) }) {
						t.Errorf("conversation %d (%v at %s) is %v, want one of %v", f.ID, at.Tuple, c, l, want)
					}
					break
				}
			}
		})
	}
}

// On each stretch exactly the devices that stood there.
func TestRecordedMiddleboxes(t *testing.T) {
	conditions := []string{"segmentation-offload", "lossy-wire"}
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			r := correlated(t, name)
			for _, p := range r.truth.Pairs {
				var want, got []string
				for _, m := range p.Middleboxes {
					if !slices.Contains(conditions, m.Kind) {
						want = append(want, m.Kind)
					}
				}
				if len(p.Rewritten) > 0 {
					want = append(want, "application-gateway")
				}
				found := false
				for _, s := range r.doc.Segments {
					if a, b := r.file(s.A), r.file(s.B); a == p.A && b == p.B || a == p.B && b == p.A {
						found = true
						for _, m := range s.Middleboxes {
							if m.Kind != "message-forwarder" || len(p.Messages) == 0 {
								got = append(got, m.Kind)
							}
						}
					}
				}
				slices.Sort(want)
				slices.Sort(got)
				if !found || !slices.Equal(want, got) {
					t.Errorf("between %s and %s: %v, want %v", p.A, p.B, got, want)
				}
			}
		})
	}
}

// Offsets lie inside of their bounds, each against the first point's clock.
func TestRecordedClocks(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			r := correlated(t, name)
			byFile := map[string]model.Clock{}
			reference := ""
			for _, c := range r.doc.Captures {
				byFile[filepath.Base(c.File)] = c.Clock
				if c.Order == 0 {
					reference = filepath.Base(c.File)
				}
			}
			base := 0.
			for _, c := range r.truth.Captures {
				if c.File == reference {
					base = c.Clock.OffsetS
				}
			}
			for _, c := range r.truth.Captures {
				k := byFile[c.File]
				if k.OffsetS == nil {
					t.Errorf("%s: no offset", c.File)
					continue
				}
				// A drift that a short span can't show moves the clock by some ms a minute.
				if d := *k.OffsetS - (c.Clock.OffsetS - base); d > *k.OffsetErrorS+0.005 || -d > *k.OffsetErrorS+0.005 {
					t.Errorf("%s: offset %.6f ± %.6f, want %.6f", c.File, *k.OffsetS, *k.OffsetErrorS, c.Clock.OffsetS-base)
				}
			}
		})
	}
}

// Cases whose conversations all went well give notes at most: no false alarm.
func TestNoFalseAlarm(t *testing.T) {
	for _, name := range cases(t) {
		r := correlated(t, name)
		well := true
		for _, f := range r.truth.Flows {
			well = well && slices.Contains([]string{"ok", "open_at_end", "reset_by_endpoint", "refused", "no_answer"}, f.Outcome) && !(f.Outcome == "refused" && f.By == "box")
		}
		for _, f := range r.doc.Findings {
			if name == "race" && (f.ID == "close-race" || f.ID == "early-close") {
				continue // no conversation of it failed, but requests of three were lost: nine clients, TestRaces
			}
			if well && f.Severity != "note" && f.Severity != "chat" {
				t.Errorf("%s: all conversations went well, yet %s %s: %s", name, f.Severity, f.ID, f.Title)
			}
			if len(f.Evidence) == 0 || f.Title == "" || f.Next == "" {
				t.Errorf("%s: %s has no proof, title or next step: %+v", name, f.ID, f)
			}
		}
	}
}

// rulesFire are derived cases for kinds of findings that no recorded case shows.
var rulesFire = map[string][2]string{
	"clock-step":         {"snat-basic", "step=3s@b"},
	"idle-expired":       {"snat-basic", "idle=60@a-b"},
	"fails-since":        {"snat-basic", "outage=0.5@a-b"},
	"capture-drops":      {"routers-3-8", "drop=6@b"},
	"sack-changed":       {"", ""},
	"option-removed":     {"", ""},
	"capture-truncated":  {"", ""},
	"log-contradiction":  {"", ""},
	"log-unseen-drop":    {"", ""},
	"log-silent":         {"", ""},
	"fails-through":      {"", ""},
	"timestamps-changed": {"", ""},
	"zero-window":        {"", ""}, // TestZeroWindow
}

// Every kind of finding fires somewhere and stays silent in two cases at least.
func TestEveryFindingFires(t *testing.T) {
	fires := map[string][]string{}
	for _, name := range cases(t) {
		for _, f := range correlated(t, name).doc.Findings {
			if !slices.Contains(fires[f.ID], name) {
				fires[f.ID] = append(fires[f.ID], name)
			}
		}
	}
	for _, d := range infer.Docs() {
		if how := rulesFire[d.ID]; len(fires[d.ID]) == 0 && how[0] != "" {
			_, dir := changed(t, how[0], how[1])
			r := correlateDir(t, dir, filepath.Join(dir, "out"))
			for _, f := range r.doc.Findings {
				fires[f.ID] = append(fires[f.ID], how[0]+" "+how[1])
			}
			if err := r.ann.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if _, elsewhere := rulesFire[d.ID]; len(fires[d.ID]) == 0 && !(elsewhere && rulesFire[d.ID][0] == "") {
			t.Errorf("%s fires in no case", d.ID)
		}
		if silent := len(cases(t)) - len(fires[d.ID]); silent < 2 {
			t.Errorf("%s is silent in %d cases only", d.ID, silent)
		}
		if d.Title == "" || d.Meaning == "" || d.Sign == "" || d.Not == "" {
			t.Errorf("%s is not documented: %+v", d.ID, d)
		}
	}
}

// Requests that crossed the server's close, and no others: three of nine clients asked again at that moment, the others
// heard of it first or were done.
func TestRaces(t *testing.T) {
	r := correlated(t, "race")
	found := map[string]int{}
	for _, f := range r.doc.Findings {
		found[f.ID] = len(f.Flows)
		if f.ID == "early-close" && !strings.Contains(f.Title, "about 500ms") {
			t.Errorf("the server waits half a second: %s", f.Title)
		}
	}
	if found["close-race"] != 3 || found["early-close"] != 3 {
		t.Errorf("close-race in %d conversations, early-close in %d, want 3 and 3", found["close-race"], found["early-close"])
	}
}

// Same input, same bytes: whatever the order on the command line leaves alone, and however often.
func TestSameBytes(t *testing.T) {
	for _, name := range []string{"lb-two-servers", "quic-nat", "tls-offload"} {
		var want []byte
		for n := 0; n < 2; n++ {
			dir := t.TempDir()
			r := correlateDir(t, filepath.Join("../../testdata", name), filepath.Join(dir, "out"))
			if err := r.ann.Close(); err != nil {
				t.Fatal(err)
			}
			var got []byte
			for _, f := range []string{"corr.ann", "correlation.json", "report.html", "corr.lua"} {
				b, err := os.ReadFile(filepath.Join(r.dir, f))
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, b...)
			}
			if n > 0 && !bytes.Equal(got, want) {
				t.Errorf("%s: two runs differ", name)
			}
			want = got
		}
	}
}
