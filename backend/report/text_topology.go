package report

import (
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	"github.com/corr-dev/corr/backend/model"
)

// TextTopology prints the path and, for every stretch, its routers, delays, losses and what stands there with what it
// changes.
func TextTopology(w io.Writer, doc *model.Document, o TextOptions) error {
	o.Dir = "" // the drawing may be cut, the list below is not
	p := newPage(o)
	p.path(doc)
	if len(doc.Segments) > 0 {
		p.line()
		p.table([]column{{title: "stretch"}, {title: "routers", right: true}, {title: "matched", right: true},
			{title: "direction"}, {title: "sent", right: true}, {title: "lost", right: true},
			{title: "delay_min", right: true}, {title: "median", right: true}, {title: "p99", right: true}, {title: "bound", right: true}},
			escaped(stretchRows(doc)))
	}
	for i := range doc.Segments {
		p.boxes(&doc.Segments[i])
	}
	return p.writeTo(w)
}

// escaped makes cells fit for a terminal.
func escaped(rows [][]string) [][]string {
	for _, r := range rows {
		for k := range r {
			r[k] = Escape(r[k])
		}
	}
	return rows
}

// stretchRows has two rows for each stretch, toward its B and toward its A; words as they came.
func stretchRows(doc *model.Document) [][]string {
	var rows [][]string
	for i := range doc.Segments {
		s := &doc.Segments[i]
		routers := s.RoutersText
		if s.Routers != nil {
			routers = strconv.Itoa(*s.Routers)
		}
		a, b := s.A, s.B
		rows = append(rows,
			append([]string{a + " > " + b, routers, strconv.FormatInt(s.Matched, 10), a + " → " + b}, directionCells(s.Lost.Forward, s.Delay.Forward)...),
			append([]string{"", "", "", b + " → " + a}, directionCells(s.Lost.Reverse, s.Delay.Reverse)...))
	}
	return rows
}

func directionCells(l model.Loss, d *model.Delay) []string {
	cells := []string{strconv.FormatInt(l.Sent, 10), strconv.FormatInt(l.Lost, 10), "", "", "", ""}
	if d != nil {
		cells[2], cells[3], cells[4], cells[5] = duration(d.MinS), duration(d.MedianS), duration(d.P99S), "± "+duration(d.ErrorS)
	}
	return cells
}

func (p *page) boxes(s *model.Segment) {
	if len(s.Middleboxes) == 0 && len(s.Conditions) == 0 {
		return
	}
	p.line()
	p.heading(Escape(s.A) + " > " + Escape(s.B))
	if len(s.Conditions) > 0 {
		p.wrap("  ", 2, "conditions: "+Escape(strings.Join(s.Conditions, ", ")))
	}
	for i := range s.Middleboxes {
		m := &s.Middleboxes[i]
		text := fmt.Sprintf("%s, %s, %d %%", boxName(m), Escape(m.Kind), m.Confidence)
		if m.Flows > 0 {
			text += ", " + count(int64(m.Flows), "conversation")
		}
		p.wrap("  ", 4, text)
		for _, field := range sortedKeys(m.Changes) {
			p.wrap("    ", 6, Escape(field)+": "+Escape(m.Changes[field]))
		}
		if m.Note != "" {
			p.wrap("    ", 6, Escape(m.Note))
		}
		if at := frames(m.Evidence); at != "" {
			p.wrap("    ", 4, "seen in "+at)
		}
	}
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
