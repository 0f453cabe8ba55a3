package report

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/corr-dev/corr/backend/field"
	"github.com/corr-dev/corr/backend/model"
)

//go:embed page/*
var pageFiles embed.FS

// HTMLOptions say whom the page is for.
type HTMLOptions struct {
	Audience string // "engineer" (or empty) or "everyone": which depth is shown first; the page holds both
	Print    bool   // everything unfolded, for printing
	Flow     uint32 // 0: all conversations; else the page opens on this one's ladder
}

// flowsInPage bounds the conversations that the page's table lists.
const flowsInPage = 10000

// HTML writes the report as one self-contained page: no file beside it, no network.
func HTML(w io.Writer, d *model.Document, o HTMLOptions) error {
	t, err := template.New("page.html").Funcs(template.FuncMap{"decimal": decimal}).ParseFS(pageFiles, "page/*.html")
	if err != nil {
		return err
	}
	p, err := newHTMLPage(d, o)
	if err != nil {
		return err
	}
	v := newVisibleWriter(w)
	if err := t.Execute(v, p); err != nil {
		return err
	}
	return v.Flush()
}

// decimal prints a number that may be unknown.
func decimal(digits int, p *float64) string {
	if p == nil {
		return "not known"
	}
	return strconv.FormatFloat(*p, 'f', digits, 64)
}

// htmlPage is what the template shows.
type htmlPage struct {
	Doc      *model.Document
	Everyone bool
	Print    bool
	Open     uint32
	Style    template.CSS
	Script   template.JS
	Data     template.JS // JSON, safe inside of a script block
	Map      template.HTML
	Story    []string
	Words    []gloss // that the story can't do without
	Findings []htmlFinding
	Ladders  []htmlLadder
	Plots    []template.HTML
	Changes  []htmlChange
	// Stretches are the rows of the table of stretches, two for each; RoundTrips those of the table of round trips, whose
	// points are Ordered.
	Stretches  [][]string
	RoundTrips [][]string
	Again      [][]string // rows of the table of segments sent again
	Ordered    []string
	Notes      []string // on captures and stretches
	Last       int      // index of the last of Ordered
	// Requests are the slowest requests through proxies, MoreRequests how many there are besides.
	Requests       [][]string
	RequestColumns []string
	MoreRequests   int
	Total          string
}

type htmlFinding struct {
	model.Finding
	Under  []model.Finding // what it explains
	Filter string          // Wireshark display filter
	Shark  string          // tshark command line
	Plain  string
}

type htmlLadder struct {
	Flow    *model.Flow
	SVG     template.HTML
	Tint    int
	Trips   []string
	Skipped int
}

// htmlChange is a header field of a handshake before and after a stretch.
type htmlChange struct {
	Flow   uint32
	Packet string
	Names  []string
	Rows   []htmlChangeRow
}

type htmlChangeRow struct {
	Field  string
	Values []string
	Differ bool
}

func newHTMLPage(d *model.Document, o HTMLOptions) (*htmlPage, error) {
	css, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return nil, err
	}
	js, err := pageFiles.ReadFile("page/script.js")
	if err != nil {
		return nil, err
	}
	data, err := pageData(d)
	if err != nil {
		return nil, err
	}
	p := &htmlPage{Doc: d, Everyone: o.Audience == "everyone", Print: o.Print, Open: o.Flow, Style: template.CSS(tints() + string(css)), Script: template.JS(js), Data: data,
		Map: template.HTML(pathMap(d)), Story: story(d), Words: glossed(d), Changes: handshakes(d), Stretches: stretchRows(d)}
	for _, c := range byOrder(d) {
		p.Ordered = append(p.Ordered, c.Name)
	}
	p.Notes = captureNotes(byOrder(d))
	for i := range d.Segments {
		for _, m := range d.Segments[i].Middleboxes {
			if m.Note != "" {
				p.Notes = append(p.Notes, d.Segments[i].A+" > "+d.Segments[i].B+", "+m.Name+": "+m.Note)
			}
		}
	}
	p.Last = len(p.Ordered) - 1
	p.RoundTrips = roundTrips(d, p.Ordered)
	p.Again = againRows(d, againInPage)
	slowest := slices.Clone(d.Requests)
	slices.SortStableFunc(slowest, func(x, y model.Request) int { return cmp.Compare(wholeTime(&y), wholeTime(&x)) })
	shown := min(len(slowest), requestsInPage)
	p.Requests, p.RequestColumns, p.MoreRequests = requestRows(slowest[:shown]), requestColumns, len(slowest)-shown
	p.Findings = foldFindings(d)
	for i := range d.Flows {
		if f := &d.Flows[i]; len(f.Ladder) > 0 {
			p.Ladders = append(p.Ladders, htmlLadder{f, template.HTML(ladderSVG(d, f)), field.TintOf(f.ID), tripLines(f), f.LadderSkipped})
		}
	}
	for _, s := range plots(d) {
		p.Plots = append(p.Plots, template.HTML(s))
	}
	p.Total = count(d.Summary.Flows, "conversation")
	return p, nil
}

// requestsInPage bounds the requests that the page's table lists.
const requestsInPage = 200

// wholeTime orders requests: unanswered ones last.
func wholeTime(r *model.Request) float64 {
	if r.TotalS == nil {
		return -1
	}
	return *r.TotalS
}

// pageData is what the script shows: the conversations' table and the packet lists. JSON's own escapes of <, > and & keep
// it inside of its script block.
func pageData(d *model.Document) (template.JS, error) {
	type row struct {
		ID   uint32   `json:"i"`
		Pr   string   `json:"p"`
		Ends []string `json:"e"`
		Out  string   `json:"o"`
		By   string   `json:"b"`
		App  string   `json:"a"`
		N    int64    `json:"n"`
		L    bool     `json:"l"`
		Tint int      `json:"t"`
	}
	rows := []row{}
	for i := range d.Flows[:min(len(d.Flows), flowsInPage)] {
		f := &d.Flows[i]
		r := row{ID: f.ID, Pr: f.Proto, Out: f.Outcome, By: f.ClosedBy, App: f.App, L: len(f.Ladder) > 0, Tint: field.TintOf(f.ID)}
		for _, c := range byOrder(d) {
			if a := f.At[c.Name]; a != nil {
				r.N += a.Frames
				if t := addressLine(a); len(r.Ends) == 0 || r.Ends[len(r.Ends)-1] != t {
					r.Ends = append(r.Ends, t)
				}
			}
		}
		rows = append(rows, r)
	}
	flows, packets := packetLists(d)
	b, err := json.Marshal(map[string]any{"flows": rows, "listed": flows, "packets": packets})
	return template.JS(b), err
}

// tints are the conversations' colours on a light page, for the style sheet, which has its own for a dark one.
func tints() string {
	var b strings.Builder
	b.WriteString(":root {")
	for i, c := range field.Tints {
		fmt.Fprintf(&b, " --tint%d: #%02x%02x%02x;", i, c[0], c[1], c[2])
	}
	b.WriteString(" }\n")
	return b.String()
}

func addressLine(a *model.At) string {
	return fmt.Sprintf("%v:%v → %v:%v", a.Tuple[0], a.Tuple[1], a.Tuple[2], a.Tuple[3])
}

// foldFindings puts what a cause explains under it.
func foldFindings(d *model.Document) []htmlFinding {
	under := map[int]bool{}
	var out []htmlFinding
	for i := range d.Findings {
		if under[i] {
			continue
		}
		f := htmlFinding{Finding: d.Findings[i], Plain: Plainly(&d.Findings[i])}
		for _, id := range f.Explains {
			for k := range d.Findings {
				if k > i && !under[k] && d.Findings[k].ID == id {
					under[k] = true
					f.Under = append(f.Under, d.Findings[k])
				}
			}
		}
		f.Filter = fmt.Sprintf("corr.finding.id == %q", f.ID)
		f.Shark = sharkCommand(d, &f.Finding)
		out = append(out, f)
	}
	return out
}

// sharkCommand shows a finding's first frame and its neighbours in tshark.
func sharkCommand(d *model.Document, f *model.Finding) string {
	if len(f.Evidence) == 0 {
		return ""
	}
	file := ""
	for i := range d.Captures {
		if d.Captures[i].Name == f.Evidence[0].Capture {
			file = d.Captures[i].File
		}
	}
	return fmt.Sprintf("tshark -r %s -X lua_script:corr.lua -Y 'corr.finding.id == \"%s\"'", shellWord(file), f.ID)
}

// againInPage bounds the conversations that the page's table of segments sent again lists, tripsInPage those of round trips.
const (
	againInPage = 50
	tripsInPage = 20
)

// roundTrips lists the first conversations whose round trips are known: of the handshake as a whole, and what each point saw
// to either side, of the handshake and all along.
func roundTrips(d *model.Document, points []string) [][]string {
	var rows [][]string
	for i := range d.Flows {
		f := &d.Flows[i]
		if len(rows) == tripsInPage {
			break
		}
		r, known := []string{strconv.FormatUint(uint64(f.ID), 10), ""}, f.RTT != nil
		if f.RTT != nil {
			r[1] = duration(f.RTT.TotalS)
		}
		for _, name := range points {
			a := f.At[name]
			if a == nil {
				r = append(r, "", "")
				continue
			}
			known = known || a.DataRTTServer != nil || a.DataRTTClient != nil
			r = append(r, roundTripText(a.RTTServerS, a.DataRTTServer), roundTripText(a.RTTClientS, a.DataRTTClient))
		}
		if known {
			rows = append(rows, r)
		}
	}
	return rows
}

// roundTripText is a handshake's round trip, then those of data: the shortest, median and 99 %, and how many.
func roundTripText(handshake *float64, data *model.RoundTrips) string {
	var parts []string
	if handshake != nil {
		parts = append(parts, duration(*handshake))
	}
	if data != nil {
		parts = append(parts, fmt.Sprintf("%s, %s, %s of %d", duration(data.MinS), duration(data.MedianS), duration(data.P99S), data.Count))
	}
	return strings.Join(parts, "; ")
}

// handshakes lists what SYN and SYN/ACK said at each point, for conversations whose handshakes differ between points.
func handshakes(d *model.Document) []htmlChange {
	var out []htmlChange
	var hs []*model.Handshake
	var names []string
	for i := range d.Flows {
		f := &d.Flows[i]
		for n, packet := range []string{"SYN", "SYN/ACK"} {
			c := htmlChange{Flow: f.ID, Packet: packet}
			hs, names = hs[:0], names[:0]
			for _, name := range f.Path {
				a := f.At[name]
				if a == nil {
					continue
				}
				h := a.SYN
				if n == 1 {
					h = a.SYNACK
				}
				if h != nil {
					hs = append(hs, h)
					names = append(names, name)
				}
			}
			if len(hs) < 2 || !slices.ContainsFunc(hs[1:], func(h *model.Handshake) bool { return !sameHandshake(h, hs[0]) }) {
				continue
			}
			for k, h := range hs {
				c.Names = append(c.Names, fmt.Sprintf("%s:%d", names[k], h.Frame))
			}
			c.Rows = handshakeRows(hs)
			differ := false
			for _, r := range c.Rows {
				differ = differ || r.Differ && r.Field != "ip.ttl"
			}
			if differ {
				out = append(out, c)
			}
		}
		if len(out) >= 20 {
			break
		}
	}
	return out
}

// sameHandshake reports whether handshakeRows would find no difference but of the TTL.
func sameHandshake(a, b *model.Handshake) bool {
	num := func(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }
	return num(a.IPID, b.IPID) && num(a.MSS, b.MSS) && num(a.WScale, b.WScale) && a.DSCP == b.DSCP && a.DF == b.DF && a.ISN == b.ISN && a.Window == b.Window && a.ECN == b.ECN &&
		a.SACKPerm == b.SACKPerm && a.Timestamps == b.Timestamps && a.Options == b.Options && a.OptionsCut == b.OptionsCut && a.MAC == b.MAC && a.Vendor == b.Vendor
}

// cutOff stands for what the snaplen cut off.
const cutOff = "cut off"

func handshakeRows(hs []*model.Handshake) []htmlChangeRow {
	num := func(p *int) string {
		if p == nil {
			return "none"
		}
		return fmt.Sprint(*p)
	}
	// Of options that the snaplen cut nothing is known.
	option := func(h *model.Handshake, v string, there bool) string {
		if h.OptionsCut && !there {
			return cutOff
		}
		return v
	}
	var rows []htmlChangeRow
	for _, x := range []struct {
		field string
		get   func(h *model.Handshake) string
	}{
		{"ip.ttl", func(h *model.Handshake) string { return fmt.Sprint(h.TTL) }},
		{"ip.id", func(h *model.Handshake) string { return num(h.IPID) }},
		{"ip.dsfield.dscp", func(h *model.Handshake) string { return fmt.Sprint(h.DSCP) }},
		{"ip.flags.df", func(h *model.Handshake) string { return fmt.Sprint(h.DF) }},
		{"tcp.seq_raw", func(h *model.Handshake) string { return fmt.Sprint(h.ISN) }},
		{"tcp.window_size_value", func(h *model.Handshake) string { return fmt.Sprint(h.Window) }},
		{"tcp.flags.ece", func(h *model.Handshake) string { return fmt.Sprint(h.ECN) }},
		{"tcp.options.mss_val", func(h *model.Handshake) string { return option(h, num(h.MSS), h.MSS != nil) }},
		{"tcp.options.wscale.shift", func(h *model.Handshake) string { return option(h, num(h.WScale), h.WScale != nil) }},
		{"tcp.options.sack_perm", func(h *model.Handshake) string { return option(h, fmt.Sprint(h.SACKPerm), h.SACKPerm) }},
		{"tcp.options.timestamp", func(h *model.Handshake) string { return option(h, fmt.Sprint(h.Timestamps), h.Timestamps) }},
		{"tcp.options", func(h *model.Handshake) string { return option(h, h.Options, false) }},
		{"eth.src", func(h *model.Handshake) string { return strings.TrimSpace(h.MAC + " " + h.Vendor) }},
	} {
		r := htmlChangeRow{Field: x.field}
		first, known := "", false
		for _, h := range hs {
			v := x.get(h)
			r.Values = append(r.Values, v)
			if v == cutOff {
				continue
			}
			if !known {
				first, known = v, true
			}
			r.Differ = r.Differ || v != first
		}
		rows = append(rows, r)
	}
	return rows
}
