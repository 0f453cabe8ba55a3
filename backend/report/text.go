package report

import (
	"io"
	"strconv"
	"strings"

	"github.com/corr-dev/corr/backend/model"
)

// What the summary shows at most, so that it stays a screenful; the commands of the last line show the rest.
const (
	summaryFlows    = 10
	summaryDetailed = 3 // failing conversations shown with both their sides
	summaryFindings = 8
)

// Text prints the summary: the path, the clocks, the conversations, failing ones first, and the findings in order of
// weight.
func Text(w io.Writer, doc *model.Document, o TextOptions) error {
	p := newPage(o)
	p.path(doc)
	p.line()
	p.captures(doc)
	p.line()
	p.conversations(doc)
	p.line()
	p.summaryOfFindings(doc)
	if p.dir != "" {
		d := shellWord(p.dir)
		p.line()
		p.wrap("", 0, "more: corr findings "+d+" · corr flows "+d+" · in Wireshark: corr open "+d)
	}
	return p.writeTo(w)
}

// captures prints the points with their clocks, and how many frames have a counterpart.
func (p *page) captures(doc *model.Document) {
	var rows [][]string
	caps := byOrder(doc)
	reference := ""
	for _, c := range caps {
		if !c.Stranger {
			reference = c.Name
			break
		}
	}
	for _, c := range caps {
		rows = append(rows, []string{Escape(c.Name), Escape(c.Cell), strconv.FormatInt(c.Frames, 10), clockText(c, reference)})
	}
	p.table([]column{{title: "point"}, {title: "capture"}, {title: "frames", right: true},
		{title: "clock against " + Escape(reference)}}, rows)
	for _, n := range captureNotes(caps) {
		p.wrap("  ", 2, Escape(n))
	}
	for _, c := range caps {
		if c.Truncated != "" {
			p.wrap("  ", 2, Escape(c.Name)+": "+Escape(c.Truncated))
		}
	}
	text := strconv.FormatInt(doc.Summary.Matched, 10) + " of " + count(doc.Summary.Frames, "frame") + " have a counterpart"
	if f := fates(caps); f != "" {
		text += "; " + f
	}
	p.wrap("  ", 2, text)
}

// captureNotes are the captures' notes behind the points' names, those of several points once: alike are those that differ in how many
// frames they speak of.
func captureNotes(caps []*model.Capture) (out []string) {
	type alike struct {
		points      []string
		least, most int64 // frames; 0 for a note of none
	}
	var notes []string
	of := map[string]*alike{}
	for _, c := range caps {
		for _, n := range c.Notes {
			frames, rest := counted(n)
			x := of[rest]
			if x == nil {
				notes = append(notes, rest)
				x = &alike{least: frames, most: frames}
				of[rest] = x
			}
			x.points = append(x.points, c.Name)
			x.least, x.most = min(x.least, frames), max(x.most, frames)
		}
	}
	for _, n := range notes {
		x := of[n]
		who := strings.Join(x.points, ", ")
		if len(x.points) == len(caps) && len(caps) > 3 {
			who = "all points"
		}
		switch {
		case x.most == 0:
		case x.least == x.most:
			n = count(x.most, "frame") + n
		default:
			n = strconv.FormatInt(x.least, 10) + " to " + count(x.most, "frame") + n
		}
		out = append(out, who+": "+n)
	}
	return out
}

// counted parts a note that begins with a number of frames from it; 0 for any other.
func counted(note string) (n int64, rest string) {
	number, rest, ok := strings.Cut(note, " frame")
	n, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || n <= 0 {
		return 0, note
	}
	return n, strings.TrimPrefix(rest, "s")
}

func clockText(c *model.Capture, reference string) string {
	switch {
	case c.Name == reference:
		return "reference"
	case c.Stranger:
		return "shares no traffic with the others"
	case c.Clock.OffsetS == nil:
		return "not known"
	}
	s := measured(*c.Clock.OffsetS, c.Clock.OffsetErrorS, "s")
	if c.Clock.DriftPPM != nil {
		s += ", drift " + measured(*c.Clock.DriftPPM, c.Clock.DriftErrorPPM, "ppm")
	}
	if n := len(c.Clock.Steps); n > 0 {
		s += ", " + count(int64(n), "step")
	}
	return s
}

// fateOrder puts what needs an eye first.
var fateOrder = []string{"lost", "injected", "consumed", "duplicate", "filtered", "outside", "elsewhere", "local", "unknown"}

func fates(caps []*model.Capture) string {
	sum := map[string]int64{}
	for _, c := range caps {
		for f, n := range c.Fates {
			sum[f] += n
		}
	}
	var parts []string
	for _, f := range fateOrder {
		if sum[f] > 0 {
			parts = append(parts, strconv.FormatInt(sum[f], 10)+" "+f)
		}
	}
	return strings.Join(parts, ", ")
}
