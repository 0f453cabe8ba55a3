package report

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/corr-dev/corr/backend/model"
)

const (
	link         = " ── "
	maxPathLines = 12
)

// path draws the points and what stands between them, the client's end left: a line where they form one, else a tree
// with a line for each way.
func (p *page) path(doc *model.Document) {
	g := newGraph(doc)
	var lines []string
	for _, root := range g.roots {
		lines = append(lines, g.draw(root, map[string]bool{})...)
	}
	if len(lines) > maxPathLines {
		rest := len(lines) - maxPathLines + 1
		lines = append(lines[:maxPathLines-1], "… and "+count(int64(rest), "further way")+p.more(": corr topology "))
	}
	if len(lines) == 1 {
		p.wrapPath(lines[0])
	} else {
		for _, l := range lines {
			p.line(l)
		}
	}
	if len(g.strangers) > 0 {
		p.wrap("", 0, "not on any path: "+strings.Join(g.strangers, ", "))
	}
}

// wrapPath breaks a line that is too long in front of a link.
func (p *page) wrapPath(l string) {
	parts := strings.Split(l, link)
	line := parts[0]
	for _, s := range parts[1:] {
		if utf8.RuneCountInString(line)+utf8.RuneCountInString(link+s) > p.width {
			p.line(line)
			line = "  "
		}
		line += link + s
	}
	p.line(line)
}

// graph holds the stretches by the point that they lead away from.
type graph struct {
	out       map[string][]*model.Segment
	roots     []string
	strangers []string
}

func newGraph(doc *model.Document) *graph {
	g := &graph{out: map[string][]*model.Segment{}}
	in := map[string]bool{}
	for i := range doc.Segments {
		s := &doc.Segments[i]
		g.out[s.A] = append(g.out[s.A], s)
		in[s.B] = true
	}
	caps := byOrder(doc)
	for _, c := range caps {
		switch {
		case len(g.out[c.Name]) == 0 && !in[c.Name]:
			g.strangers = append(g.strangers, Escape(c.Name))
		case !in[c.Name]:
			g.roots = append(g.roots, c.Name)
		}
	}
	// A ring of stretches has no beginning: the first point in path order is one.
	if len(g.roots) == 0 && len(doc.Segments) > 0 {
		g.roots = append(g.roots, doc.Segments[0].A)
	}
	return g
}

func byOrder(doc *model.Document) []*model.Capture {
	caps := make([]*model.Capture, len(doc.Captures))
	for i := range doc.Captures {
		caps[i] = &doc.Captures[i]
	}
	sort.SliceStable(caps, func(i, j int) bool { return caps[i].Order < caps[j].Order })
	return caps
}

// draw gives the lines from a point on. above holds the points that led here.
func (g *graph) draw(point string, above map[string]bool) []string {
	name := Escape(point)
	if above[point] {
		return []string{name + " (again)"}
	}
	above[point] = true
	defer delete(above, point)
	next := g.out[point]
	var lines []string
	for i, s := range next {
		lead, rest := name+link, spaces(name+link)
		if len(next) > 1 {
			lead, rest = branch(name, i, len(next))
		}
		lead += stretch(s)
		rest += spaces(stretch(s))
		for j, l := range g.draw(s.B, above) {
			if j == 0 {
				lines = append(lines, lead+l)
			} else {
				lines = append(lines, rest+l)
			}
			if len(lines) > 4*maxPathLines {
				return lines
			}
		}
	}
	if len(next) == 0 {
		lines = []string{name}
	}
	return lines
}

// branch gives what stands in front of the i-th of n ways, and in front of its further lines.
func branch(name string, i, n int) (lead, rest string) {
	switch {
	case i == 0:
		return name + " ─┬─ ", spaces(name) + "  │  "
	case i == n-1:
		return spaces(name) + "  └─ ", spaces(name) + "     "
	}
	return spaces(name) + "  ├─ ", spaces(name) + "  │  "
}

func spaces(s string) string { return strings.Repeat(" ", utf8.RuneCountInString(s)) }

// stretch gives what stands between two neighbours, with a link behind each; empty where nothing is.
func stretch(s *model.Segment) string {
	var b strings.Builder
	for _, part := range stretchParts(s) {
		b.WriteString(part + link)
	}
	return b.String()
}

func stretchParts(s *model.Segment) []string {
	boxes := append([]model.Middlebox(nil), s.Middleboxes...)
	sort.SliceStable(boxes, func(i, j int) bool {
		a, b := boxes[i].RoutersFromA, boxes[j].RoutersFromA
		return a != nil && (b == nil || *a < *b)
	})
	if len(boxes) == 0 {
		return routers(s)
	}
	if boxes[0].RoutersFromA == nil && boxes[len(boxes)-1].RoutersFromB == nil {
		return append(routers(s), boxNames(boxes)...) // how many on which side of them is not known
	}
	var parts []string
	passed := 0
	for i := range boxes {
		m := &boxes[i]
		if m.RoutersFromA != nil {
			if n := *m.RoutersFromA - passed; n > 0 {
				parts = append(parts, count(int64(n), "router"))
			}
			passed = *m.RoutersFromA
		} else if i == 0 && (s.Routers == nil || *s.Routers > *boxes[len(boxes)-1].RoutersFromB) {
			parts = append(parts, "…")
		}
		parts = append(parts, boxName(m))
	}
	last := &boxes[len(boxes)-1]
	switch {
	case last.RoutersFromB != nil && *last.RoutersFromB > 0:
		parts = append(parts, count(int64(*last.RoutersFromB), "router"))
	case last.RoutersFromB == nil && (s.Routers == nil || *s.Routers > passed):
		parts = append(parts, "…")
	}
	return parts
}

func routers(s *model.Segment) []string {
	switch {
	case s.RoutersText != "" && s.Routers == nil:
		return []string{Escape(s.RoutersText)}
	case s.Routers == nil:
		return []string{"? routers"}
	case *s.Routers > 0:
		return []string{count(int64(*s.Routers), "router")}
	}
	return nil
}

func boxNames(boxes []model.Middlebox) []string {
	var l []string
	for i := range boxes {
		l = append(l, boxName(&boxes[i]))
	}
	return l
}

func boxName(m *model.Middlebox) string {
	if m.Name == "" {
		return "[" + Escape(m.Kind) + "]"
	}
	return "[" + Escape(m.Name) + "]"
}

// more gives a command that leads on, if the directory is known.
func (p *page) more(command string) string {
	if p.dir == "" {
		return ""
	}
	return command + shellWord(p.dir)
}

// shellWord quotes a path where a shell would split or expand it.
func shellWord(s string) string {
	e := Escape(s)
	if strings.ContainsAny(e, " \t'\"\\$&;|<>()*?[]{}!#~`") {
		return strconv.Quote(e)
	}
	return e
}
