package report

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/corr-dev/corr/backend/model"
)

// FlowOf is the conversation with a number; nil if the document has none.
func FlowOf(doc *model.Document, id uint32) *model.Flow {
	for i := range doc.Flows {
		if doc.Flows[i].ID == id {
			return &doc.Flows[i]
		}
	}
	return nil
}

// Worst is the number of the first conversation that failed, else of the first.
func Worst(doc *model.Document) uint32 {
	for i := range doc.Flows {
		if failing(&doc.Flows[i]) {
			return doc.Flows[i].ID
		}
	}
	if len(doc.Flows) > 0 {
		return doc.Flows[0].ID
	}
	return 0
}

// LadderSVG writes one conversation's ladder as an SVG document of its own.
func LadderSVG(w io.Writer, doc *model.Document, id uint32) error {
	f := FlowOf(doc, id)
	if f == nil {
		return fmt.Errorf("no conversation %d", id)
	}
	css, err := pageFiles.ReadFile("page/style.css")
	if err != nil {
		return err
	}
	s := ladderSVG(doc, f)
	head := `<svg xmlns="http://www.w3.org/2000/svg" `
	defs := `<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 L8 4 L0 8 z" class="tip"/></marker></defs><style>` + string(css) + `</style>`
	s = strings.Replace(s, "<svg ", head, 1)
	s = strings.Replace(s, "</title>", "</title>"+defs, 1)
	v := newVisibleWriter(w)
	if _, err := io.WriteString(v, s+"\n"); err != nil {
		return err
	}
	return v.Flush()
}

// LadderText draws one conversation's ladder for a terminal of the given width.
func LadderText(w io.Writer, doc *model.Document, id uint32, o TextOptions) error {
	f := FlowOf(doc, id)
	if f == nil {
		return fmt.Errorf("no conversation %d", id)
	}
	p := newPage(o)
	l := lanesOf(doc, f)
	p.line(p.paint(bold, fmt.Sprintf("conversation %d: %s", f.ID, f.Outcome)))
	for _, t := range tripLines(f) {
		p.wrap("  ", 2, Escape(t))
	}
	if len(f.Ladder) == 0 {
		p.line("  its packets are not in the document; filter corr.flow == " + fmt.Sprint(f.ID) + " in Wireshark")
		return p.writeTo(w)
	}
	const time = 11
	width := (p.width - time - 1) / max(len(l.names), 1)
	if len(l.names) > 1 {
		width = min((p.width-time-12)/(len(l.names)-1), 44)
	}
	width = max(width, 12)
	at := func(k float64) int { return time + 6 + int(math.Round(k*float64(width))) }
	total := at(float64(len(l.names)-1)) + 8
	head := []rune(strings.Repeat(" ", total))
	for i, n := range l.names {
		put(head, at(float64(i))-len([]rune(n))/2, cut(n, width))
	}
	p.line(strings.TrimRight(string(head), " "))
	first := earliest(&f.Ladder[0])
	for i := range f.Ladder {
		p.ladderLine(l, &f.Ladder[i], at, total, first)
	}
	if f.LadderSkipped > 0 {
		p.line(fmt.Sprintf("  %d ordinary packets are left out", f.LadderSkipped))
	}
	return p.writeTo(w)
}

// put writes text into a line, as far as it fits.
func put(line []rune, at int, s string) {
	for _, r := range s {
		if at >= 0 && at < len(line) {
			line[at] = r
		}
		at++
	}
}

// ladderLine draws one packet.
func (p *page) ladderLine(l *lanes, e *model.Event, at func(float64) int, total int, first int64) {
	line := []rune(strings.Repeat(" ", total))
	put(line, 0, fmt.Sprintf("%9.3f ms", float64(earliest(e)-first)/1e6))
	for i := range l.names {
		r := "│"
		if l.device[i] {
			r = "┊"
		}
		put(line, at(float64(i)), r)
	}
	a := arrowOf(l, e)
	if !a.ok {
		return
	}
	lo, hi := at(min(a.from, a.to)), at(max(a.from, a.to))
	dash := "─"
	if e.Fate == "injected" && !a.whole {
		dash = "╌"
	}
	for x := lo + 1; x < hi; x++ {
		put(line, x, dash)
	}
	tip := map[bool]string{true: "▶", false: "◀"}[a.to > a.from]
	if a.cross {
		tip = "✕"
	}
	switch {
	case a.to > a.from:
		put(line, hi-1, tip)
	case a.to < a.from:
		put(line, lo+1, tip)
	}
	label := Escape(e.Label)
	if len(e.Changed) > 0 {
		label += "*"
	}
	if room := hi - lo - 6; room > 3 {
		label = cut(label, room)
		put(line, (lo+hi)/2-(len([]rune(label))+2)/2, " "+label+" ")
	} else if lo == hi { // seen at one point, of which it is not known where it went
		put(line, lo, "●")
		if label = cut(label, at(1)-at(0)-4); hi < total-len([]rune(label))-4 {
			put(line, hi+2, label)
		} else {
			put(line, lo-2-len([]rune(label)), label)
		}
	}
	for _, s := range e.Seen {
		if k, ok := l.x[s.Capture]; ok {
			n := fmt.Sprint(s.Frame)
			if k == 0 {
				put(line, at(k)-1-len(n), n)
			} else if k == float64(len(l.names)-1) {
				put(line, at(k)+2, n)
			}
		}
	}
	color := ""
	switch {
	case a.cross:
		color = red
	case e.Fate == "injected":
		color = yellow
	case e.Match == "relayed":
		color = cyan
	}
	p.line(p.paint(color, strings.TrimRight(string(line), " ")))
}
