package report

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/model"
)

// hostile is text that wants to be more than text, in HTML, scripts, SVG, Markdown and terminals.
const hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'`{{.}}\x1b[31m\u202e|*_"

// document makes a document with two points, a device, a failed conversation and a finding; name stands in every text.
func document(name string) *model.Document {
	offset, bound, at := 1.5, 0.002, int64(1_795_000_000_000_000_000)
	eight := 8
	h := func(frame uint32, isn uint32) *model.Handshake {
		return &model.Handshake{Frame: frame, ISN: isn, TTL: 64, Options: name, MAC: "00:1c:7f:00:00:01", Vendor: name}
	}
	d := &model.Document{Version: 1,
		Captures: []model.Capture{{Name: "client", File: name, Cell: name, Frames: 3, Clock: model.Clock{OffsetS: new(float64), OffsetErrorS: new(float64), AtNS: &at}},
			{Name: "server" + name, File: "b", Cell: "b", Frames: 3, Order: 1, Clock: model.Clock{OffsetS: &offset, OffsetErrorS: &bound, AtNS: &at,
				Residuals: []model.Residual{{TimeNS: at, Delta: 2e6, Forward: true, Peer: "client"}, {TimeNS: at + 1e9, Delta: -2e6, Peer: "client"}}}}},
		Segments: []model.Segment{{A: "client", B: "server" + name, Routers: &eight, Conditions: []string{"loss"},
			Middleboxes: []model.Middlebox{{Kind: "terminating-transparent-proxy", Name: name, Vendor: name, Confidence: 90, Changes: map[string]string{"ip.id": name}}},
			Lost:        model.LossPair{Forward: model.Loss{Sent: 9, Lost: 2, Series: []model.LossPoint{{TimeNS: at, Lost: 2, Seconds: 0.5}, {TimeNS: at + 5e8, Seconds: 0.5}}}},
			Delay:       model.DelayPair{Forward: &model.Delay{MinS: 0.001, MedianS: 0.002, P99S: 0.003, MaxS: 0.004, Packets: 2, Series: []model.DelayPoint{{TimeNS: at, MedianS: 0.001}, {TimeNS: at + 1e9, MedianS: 0.002}}}}}},
		Flows: []model.Flow{{ID: 1, Proto: "tcp", Initiator: "client", Outcome: "closed-by-middlebox", ClosedBy: "middlebox", App: name, Detail: name, Path: []string{"client", "server" + name}, FirstNS: at, LastNS: at + 1e9,
			At: map[string]*model.At{"client": {Tuple: [4]any{"10.0.0.1", 5000, "10.0.0.2", 443}, Frames: 3, First: 1, Last: 3, SYN: h(1, 10)}, "server" + name: {Tuple: [4]any{"10.0.0.1", 5000, "10.0.0.2", 443}, Frames: 3, First: 1, Last: 3, SYN: h(1, 99)}},
			Ladder: []model.Event{
				{Dir: "f", Label: "SYN" + name, Seen: []model.Seen{{Capture: "client", Frame: 1, TimeNS: at}, {Capture: "server" + name, Frame: 1, TimeNS: at + 2e6, ErrorNS: 3_050_000}}, Match: "relayed", Changed: []string{"tcp.seq_raw: 1 → 2" + name}, Retransmits: -1, Fate: "consumed"},
				{Dir: "r", Label: "ServerHello", Seen: []model.Seen{{Capture: "server" + name, Frame: 2, TimeNS: at + 5e6}}, Fate: "consumed", Where: "client > server" + name, Retransmits: -1},
				{Dir: "f", Label: "FIN/ACK", Seen: []model.Seen{{Capture: "server" + name, Frame: 3, TimeNS: at + 6e6}}, Fate: "injected", Where: "client > server" + name, Retransmits: -1}}}},
		Findings: []model.Finding{{ID: "closed-by-middlebox", Severity: "error", Confidence: 95, Flows: []uint32{1}, Segment: &[2]string{"client", "server" + name}, Title: name, Detail: name, Inferred: name, Next: name,
			Evidence: []model.Evidence{{Capture: "client", Frame: 3, Field: "tcp.flags.fin", Value: name}}, Explains: []string{"close-contradiction"}},
			{ID: "close-contradiction", Severity: "warn", Confidence: 90, Flows: []uint32{1}, Title: name, Detail: name, Next: name}},
		Logs:    []model.Log{{File: name, Line: 1, Action: "drop", Text: name, Flows: []uint32{1}}},
		Summary: model.Summary{Flows: 1, Outcomes: map[string]int64{"closed-by-middlebox": 1}, Frames: 6, Matched: 2, Generator: "corr test"}}
	return d
}

// outputs prints a document in every shape.
func outputs(t *testing.T, d *model.Document) map[string]string {
	out := map[string]string{}
	for name, print := range map[string]func(b *bytes.Buffer) error{
		"html":     func(b *bytes.Buffer) error { return HTML(b, d, HTMLOptions{}) },
		"everyone": func(b *bytes.Buffer) error { return HTML(b, d, HTMLOptions{Audience: "everyone", Print: true}) },
		"svg":      func(b *bytes.Buffer) error { return LadderSVG(b, d, 1) },
		"ladder":   func(b *bytes.Buffer) error { return LadderText(b, d, 1, TextOptions{Width: 100}) },
		"md":       func(b *bytes.Buffer) error { return Markdown(b, d, "everyone") },
		"text":     func(b *bytes.Buffer) error { return Text(b, d, TextOptions{Width: 100}) },
		"findings": func(b *bytes.Buffer) error { return TextFindings(b, d, TextOptions{}) },
		"flows":    func(b *bytes.Buffer) error { return TextFlows(b, d, TextOptions{}) },
		"topology": func(b *bytes.Buffer) error { return TextTopology(b, d, TextOptions{}) },
		"logs":     func(b *bytes.Buffer) error { return TextLogs(b, d, TextOptions{}) },
	} {
		var b bytes.Buffer
		if err := print(&b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = b.String()
	}
	return out
}

func TestHostileText(t *testing.T) {
	for name, text := range outputs(t, document(hostile)) {
		if strings.ContainsRune(text, '\x1b') || strings.ContainsRune(text, '\u202e') {
			t.Errorf("%s: control characters came through", name)
		}
		switch name {
		case "html", "everyone", "svg":
			for _, bad := range []string{"<script>alert", "<img src=x", "%!"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s holds %q", name, bad)
				}
			}
		case "md":
			if strings.Contains(strings.ReplaceAll(text, `\<`, ""), "<img") {
				t.Error("Markdown holds markup")
			}
		}
	}
}

func TestSelfContained(t *testing.T) {
	text := outputs(t, document("plain"))["html"]
	for _, bad := range []string{"http://", "https://", "src=", "@import", "url(h", `url("`, "url('", "url(d"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page refers to something outside: %q", bad)
		}
	}
	for _, want := range []string{"default-src 'none'", `lang="en"`, "ServerHello", "hung up on both", "client:3", "one-way delay between client and server", "packets lost between client and server", "in each 500 ms", "times ± 3.05 ms", "clock of serverplain against that of client"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// Readers who know no protocol are told what was tried and who ended it.
func TestTried(t *testing.T) {
	for _, x := range []struct{ app, outcome, by, want string }{
		{"ClientHello (mail.example, TLS 1.3)", "closed-by-middlebox", "middlebox", "The computer 10.0.0.1 tried to reach the computer 10.0.0.2 for an encrypted connection to mail.example. Neither of the two ended it: something on the way did."},
		{"GET /index.html", "reset", "server", "for a web page. The one that was called ended it."},
		{"SMTP EHLO me", "refused", "server", "for sending mail. The one that was called ended it."},
		{"", "blackholed", "unknown", "for a connection. Nobody ended it: what was sent disappeared on the way."},
		{"", "reset", "client", "The one that had begun ended it."},
		{"ClientHello (TLS 1.2)", "ok", "client", ""},
	} {
		d := document("")
		d.Flows[0].App, d.Flows[0].Outcome, d.Flows[0].ClosedBy = x.app, x.outcome, x.by
		if got := tried(d); x.want == "" && got != "" || !strings.HasSuffix(got, x.want) {
			t.Errorf("%s, %s: %q", x.app, x.outcome, got)
		}
	}
}

// For everyone, no word of the trade is on the page but what is handed on to those who know it, and words that are explained.
func TestNoJargon(t *testing.T) {
	d := document("")
	d.Findings[0].Next = "ask the owner of the device for its drop log of 10.0.0.1:5000 → 10.0.0.2:443"
	act := `<script>document.getElementById("depth-everyone").click();var pre = document.createElement("pre");pre.id = ["plain", "words"].join("-");
		pre.textContent = document.querySelector("main").innerText;document.body.appendChild(pre);</script></body>`
	_, said, ok := strings.Cut(browser(t, strings.Replace(outputs(t, d)["html"], "</body>", act, 1)), `<pre id="plain-words">`)
	said, _, _ = strings.Cut(said, "</pre>")
	if !ok || !strings.Contains(said, "hung up on both") {
		t.Fatalf("the page says %q", said)
	}
	for _, w := range []string{"SYN", "FIN", "ISN", "ClientHello", "tcp", "TTL", "ip.id", "corr.", "closed-by-middlebox", "% sure"} {
		if strings.Contains(said, w) {
			t.Errorf("%q is on the page for everyone:\n%s", w, said)
		}
	}
	for _, w := range []string{"router\n", "log\n", "an address such as"} {
		if !strings.Contains(said, w) {
			t.Errorf("%q is not explained:\n%s", w, said)
		}
	}
}

// Ten thousand conversations stay below five megabytes.
func TestSize(t *testing.T) {
	d := document("plain")
	for i := uint32(2); i <= 10000; i++ {
		f := d.Flows[0]
		f.ID, f.Ladder, f.Outcome = i, nil, "ok"
		d.Flows = append(d.Flows, f)
	}
	if n := len(outputs(t, d)["html"]); n > 5<<20 {
		t.Errorf("%d bytes for 10,000 conversations", n)
	}
}

// browser runs Chromium on a page without a window and gives the page as scripts left it.
func browser(t *testing.T, page string) string {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.html")
	if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+filepath.Join(dir, "profile"), "--enable-logging=stderr", "--v=0", "--virtual-time-budget=3000", "--dump-dom", "file://"+path)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, errs.String())
	}
	for _, l := range strings.Split(errs.String(), "\n") {
		if strings.Contains(l, "CONSOLE") {
			t.Errorf("the page's console: %s", l)
		}
	}
	return string(out)
}

// The page's script runs: it draws the table, and hostile text stays text.
func TestInBrowser(t *testing.T) {
	dom := browser(t, outputs(t, document(hostile))["html"])
	for _, want := range []string{"1 of 1", "flowlink", "10.0.0.1:5000"} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page as drawn lacks %q", want)
		}
	}
	if strings.Contains(dom, `<img src="x"`) {
		t.Error("markup from a capture became an element")
	}
	// What a reader does: the other depth, the filter, the sort, the zoom.
	act := `<script>document.getElementById("depth-everyone").click();var f=document.getElementById("filter");f.value="nothing here";f.dispatchEvent(new Event("input"));` +
		`document.querySelector("[data-sort=o]").click();document.querySelector("[data-zoom]").click();document.getElementById("theme").click();</script></body>`
	dom = browser(t, strings.Replace(outputs(t, document("plain"))["html"], "</body>", act, 1))
	for _, want := range []string{`<body class="everyone"`, "0 of 1", `class="dark"`} {
		if !strings.Contains(dom, want) {
			t.Errorf("after clicks the page lacks %q", want)
		}
	}
}

// Two packet lists side by side: packets of several conversations in the order of time, each in its conversation's colour
// on both sides, a gap where one is missing; a conversation alone, other points and the same point twice when asked.
func TestPacketLists(t *testing.T) {
	d := document("")
	other := d.Flows[0]
	other.ID, other.At = 10, map[string]*model.At{"client": d.Flows[0].At["client"], "server": {Tuple: [4]any{"192.0.2.9", 6000, "10.0.0.2", 443}}}
	other.Ladder = []model.Event{{Dir: "r", Label: "between", Retransmits: -1, Match: "seg", Fate: "delivered", Seen: []model.Seen{
		{Capture: "server", Frame: 7, TimeNS: d.Flows[0].Ladder[0].Seen[0].TimeNS + 1e6}, {Capture: "server", Frame: 8, TimeNS: d.Flows[0].Ladder[0].Seen[0].TimeNS + 2e6}}}}
	d.Flows = append(d.Flows, other)
	page := outputs(t, d)["html"]
	for _, c := range []struct {
		act  string
		want []string
	}{
		{"", []string{"4 of 4 packets",
			"relayed|conversation 1: client:1 = server:1, SYN|tint1=1;tint1=0.000000;tint1=10.0.0.1:5000;tint1=10.0.0.2:443;tint1=TCP SYN;what=relayed;tint1=1;tint1=0.002000;",
			"seg|conversation 10: server:7, 8, between|gap=;what=seg;tint2=7, 8;tint2=0.001000;tint2=10.0.0.2:443;tint2=192.0.2.9:6000;tint2=TCP between"}},
		{`choose("list-flow", "10");`, []string{"1 of 4 packets", "conversation 10"}},
		{`choose("list-right", "0");`, []string{"1 of 4 packets", "conversation 1: client:1 = server:1, SYN|tint1=1;"}},
		{`document.querySelector("[data-list]").click();`, []string{"3 of 4 packets"}},
	} {
		act := `<script>function choose(id, v) { var s = document.getElementById(id); s.value = v; s.dispatchEvent(new Event("change")); }` + c.act + `
			var rows = document.getElementById("listrows").rows, pre = document.createElement("pre");
			pre.id = ["the", "rows"].join("-");
			pre.textContent = document.getElementById("listed").textContent + "\n" + Array.from(rows).map(function (r) {
				return r.className + "|" + r.title + "|" + Array.from(r.cells).map(function (c) { return c.className + "=" + c.textContent; }).join(";");
			}).join("\n");
			document.body.appendChild(pre);</script></body>`
		_, said, _ := strings.Cut(browser(t, strings.Replace(page, "</body>", act, 1)), `<pre id="the-rows">`)
		said, _, _ = strings.Cut(said, "</pre>")
		for _, want := range c.want {
			if !strings.Contains(said, want) {
				t.Errorf("after %q the lists lack %q:\n%s", c.act, want, said)
			}
		}
	}
}

// No fault that keeps anybody from reading the page, by axe-core's rules, in either depth and theme.
func TestAccessible(t *testing.T) {
	out, err := exec.Command("../../scripts/axe").Output()
	if err != nil {
		t.Fatalf("scripts/axe: %v", err)
	}
	axe, err := os.ReadFile(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	page := outputs(t, document("plain"))["html"]
	for _, press := range []string{"", "depth-everyone", "theme"} {
		act := "<script>" + string(axe) + `</script><script>var press = "` + press + `"; if (press) { document.getElementById(press).click(); }
			document.querySelectorAll("details").forEach(function (d) { d.open = true; });
			axe.run().then(function (r) {
				var pre = document.createElement("pre"), l = r.violations.map(function (v) { return v.impact + " " + v.id + ": " + v.help + " in " + v.nodes[0].html; });
				pre.id = ["axe", "said"].join("-");
				pre.textContent = r.passes.length + " rules hold\n" + l.join("\n");
				document.body.appendChild(pre);
			});</script></body>`
		dom := browser(t, strings.Replace(page, "</body>", act, 1))
		_, said, ok := strings.Cut(dom, `<pre id="axe-said">`)
		said, _, ok2 := strings.Cut(said, "</pre>")
		l := strings.Split(strings.TrimSpace(said), "\n")
		if !ok || !ok2 || l[0] == "0 rules hold" {
			t.Fatalf("axe-core did not run: %q", said)
		}
		for _, fault := range l[1:] {
			t.Errorf("pressed %q: %s", press, fault)
		}
	}
}

func TestDataIsJSON(t *testing.T) {
	js, err := pageData(document(hostile))
	if err != nil {
		t.Fatal(err)
	}
	var data struct {
		Flows, Listed, Packets []map[string]any
	}
	if err := json.Unmarshal([]byte(js), &data); err != nil || len(data.Flows) != 1 || len(data.Listed) != 1 || len(data.Packets) != 3 {
		t.Errorf("%d conversations, %d with %d packets, %v", len(data.Flows), len(data.Listed), len(data.Packets), err)
	}
	if strings.Contains(string(js), "</") {
		t.Error("the data can end its script block")
	}
}
