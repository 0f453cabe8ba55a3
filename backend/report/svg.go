package report

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/corr-dev/corr/backend/model"
)

// drawing collects SVG elements. All text goes through text, which escapes it.
type drawing struct{ b strings.Builder }

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(&d.b, format, args...) }

// text writes words at a place; class names the style, anchor is start, middle or end.
func (d *drawing) text(x, y float64, class, anchor, s string) {
	d.add(`<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`, x, y, class, anchor, html.EscapeString(s))
}

func (d *drawing) line(x1, y1, x2, y2 float64, class string) {
	d.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`, x1, y1, x2, y2, class)
}

// svg wraps the drawing up with a title for screen readers.
func (d *drawing) svg(w, h float64, class, title string) string {
	return fmt.Sprintf(`<svg class="%s" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="%s"><title>%s</title>%s</svg>`,
		class, w, h, w, h, html.EscapeString(title), html.EscapeString(title), d.b.String())
}

// cut shortens text to n characters for a picture; the whole stands in a title.
func cut(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// pathMap draws the points and what stands between them, in both directions. Branches lie below each other.
func pathMap(doc *model.Document) string {
	caps := byOrder(doc)
	if len(caps) == 0 {
		return ""
	}
	d := &drawing{}
	const boxW, gap = 120.0, 270.0
	column, row := layers(doc, caps)
	maxCol, maxRow := 0, 0
	x := func(n string) float64 { return 20 + float64(column[n])*(boxW+gap) }
	tall, rowH := 0, 0.
	for i := range doc.Segments {
		tall = max(tall, len(doc.Segments[i].Middleboxes))
		rowH = max(rowH, 120+15*float64(len(changeLines(&doc.Segments[i]))))
	}
	y := func(n string) float64 { return 20 + float64(tall)*20 + float64(row[n])*(rowH+float64(tall)*20) }
	for n := range column {
		maxCol, maxRow = max(maxCol, column[n]), max(maxRow, row[n])
	}
	for i := range doc.Segments {
		s := &doc.Segments[i]
		x1, y1, x2, y2 := x(s.A)+boxW, y(s.A)+25, x(s.B), y(s.B)+25
		// Down first, then along the later point's row, where the words have room.
		d.add(`<polyline class="stretch" points="%.1f,%.1f %.1f,%.1f %.1f,%.1f"/>`, x1, y1, x1+10, y2, x2, y2)
		mx, my := x2-gap/2+4, y2
		var lines []string
		if s.Routers != nil {
			lines = append(lines, count(int64(*s.Routers), "router"))
		}
		for k := range s.Middleboxes {
			m := &s.Middleboxes[k]
			d.add(`<g><title>%s</title><rect x="%.1f" y="%.1f" width="250" height="22" rx="4" class="device"/>`, html.EscapeString(changeText(m)), mx-125, my-34-float64(k)*26)
			d.text(mx, my-19-float64(k)*26, "label", "middle", cut(m.Name, 40))
			d.add(`</g>`)
		}
		if f := s.Delay.Forward; f != nil {
			lines = append(lines, fmt.Sprintf("→ %s", delayWords(f)))
		}
		if f := s.Delay.Reverse; f != nil {
			lines = append(lines, fmt.Sprintf("← %s", delayWords(f)))
		}
		if n := s.Lost.Forward.Lost; n > 0 {
			lines = append(lines, fmt.Sprintf("→ %d of %d lost", n, s.Lost.Forward.Sent))
		}
		if n := s.Lost.Reverse.Lost; n > 0 {
			lines = append(lines, fmt.Sprintf("← %d of %d lost", n, s.Lost.Reverse.Sent))
		}
		for k, l := range lines {
			d.text(mx, my+16+float64(k)*15, "small", "middle", l)
		}
		for k, l := range changeLines(s) {
			d.text(mx, my+16+float64(len(lines)+k)*15, "small for-engineer", "middle", cut(l, 48))
		}
	}
	for _, c := range caps {
		class := "point"
		if c.Stranger {
			class = "point stranger"
		}
		d.add(`<rect x="%.1f" y="%.1f" width="%.0f" height="50" rx="6" class="%s"/>`, x(c.Name), y(c.Name), boxW, class)
		d.text(x(c.Name)+boxW/2, y(c.Name)+21, "label strong", "middle", cut(c.Name, 14))
		d.text(x(c.Name)+boxW/2, y(c.Name)+39, "small", "middle", count(c.Frames, "frame"))
	}
	return d.svg(40+float64(maxCol+1)*(boxW+gap)-gap, 30+float64(tall)*20+float64(maxRow+1)*(rowH+float64(tall)*20), "map", "the capture points and what stands between them")
}

// changesMost bounds the changes that a map shows of a stretch; the rest stands where the pointer rests on the device.
const changesMost = 5

// changeLines are what the devices of a stretch change, a line each.
func changeLines(s *model.Segment) (out []string) {
	for k := range s.Middleboxes {
		m := &s.Middleboxes[k]
		for _, name := range sortedNames(m.Changes) {
			out = append(out, name+": "+m.Changes[name])
		}
	}
	if n := len(out); n > changesMost {
		out = append(out[:changesMost-1], fmt.Sprintf("and %d more", n-changesMost+1))
	}
	return out
}

func changeText(m *model.Middlebox) string {
	s := m.Name
	for _, k := range sortedNames(m.Changes) {
		s += "\n" + k + ": " + m.Changes[k]
	}
	if m.Note != "" {
		s += "\n" + m.Note
	}
	return s
}

func delayWords(f *model.Delay) string {
	return fmt.Sprintf("%.2f ms (± %.2f)", f.MedianS*1e3, f.ErrorS*1e3)
}

// layers gives every point a column, behind all points before it, and a row of its own among those of its column.
func layers(doc *model.Document, caps []*model.Capture) (column, row map[string]int) {
	column, row = map[string]int{}, map[string]int{}
	for range caps {
		for i := range doc.Segments {
			s := &doc.Segments[i]
			if column[s.B] < column[s.A]+1 && column[s.A] < len(caps) {
				column[s.B] = column[s.A] + 1
			}
		}
	}
	used := map[int]int{}
	for _, c := range caps {
		row[c.Name] = used[column[c.Name]]
		used[column[c.Name]]++
	}
	return column, row
}

func sortedNames(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
