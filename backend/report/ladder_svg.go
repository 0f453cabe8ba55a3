package report

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/corr-dev/corr/backend/model"
)

// lanes are a ladder's vertical lines: the points on the conversation's path, and one for each device on a stretch.
type lanes struct {
	names  []string
	device []bool
	x      map[string]float64
}

func lanesOf(doc *model.Document, f *model.Flow) *lanes {
	l := &lanes{x: map[string]float64{}}
	var points []string
	for _, c := range byOrder(doc) {
		if f.At[c.Name] != nil {
			points = append(points, c.Name)
		}
	}
	for i, p := range points {
		l.names, l.device = append(l.names, p), append(l.device, false)
		if i+1 < len(points) {
			if m := deviceOn(doc, p, points[i+1]); m != "" {
				l.names, l.device = append(l.names, m), append(l.device, true)
				l.x[p+" > "+points[i+1]] = float64(len(l.names) - 1)
			}
		}
	}
	for i, n := range l.names {
		if !l.device[i] {
			l.x[n] = float64(i)
		}
	}
	return l
}

// deviceOn names what stands between two points and does more than forward; "" for routers only.
func deviceOn(doc *model.Document, a, b string) string {
	for i := range doc.Segments {
		s := &doc.Segments[i]
		if (s.A == a && s.B == b || s.A == b && s.B == a) && len(s.Middleboxes) > 0 {
			var names []string
			for k := range s.Middleboxes {
				names = append(names, s.Middleboxes[k].Name)
			}
			return strings.Join(names, " + ")
		}
	}
	return ""
}

// timeError is the bound, ns, of a point's times in a ladder against those of the first point; 0 for that itself.
func timeError(f *model.Flow, point string) (most int64) {
	for i := range f.Ladder {
		for _, s := range f.Ladder[i].Seen {
			if s.Capture == point {
				most = max(most, s.ErrorNS)
			}
		}
	}
	return most
}

// ladderSVG draws a conversation's packets on their way: time runs down, not to scale between packets but with the time
// beside them; lost ones end in a cross, made-up ones begin at the device.
func ladderSVG(doc *model.Document, f *model.Flow) string {
	l := lanesOf(doc, f)
	if len(l.names) == 0 {
		return ""
	}
	const step, left, top, width = 30.0, 110.0, 60.0, 230.0
	x := func(k float64) float64 { return left + k*width }
	d := &drawing{}
	h := top + float64(len(f.Ladder))*step + 20
	for i, n := range l.names {
		class := "lane"
		if l.device[i] {
			class = "lane devicelane"
		}
		d.line(x(float64(i)), top-18, x(float64(i)), h-6, class)
		d.text(x(float64(i)), 24, "label strong", "middle", cut(n, 40))
		if e := timeError(f, n); e > 0 && !l.device[i] {
			d.text(x(float64(i)), 38, "small", "middle", "times ± "+duration(float64(e)/1e9))
		}
	}
	first := int64(0)
	if len(f.Ladder) > 0 && len(f.Ladder[0].Seen) > 0 {
		first = earliest(&f.Ladder[0])
	}
	for n := range f.Ladder {
		e := &f.Ladder[n]
		y := top + float64(n)*step
		ladderEvent(d, l, e, x, y, first)
		if e.Retransmits >= 0 && e.Retransmits < n {
			from := top + float64(e.Retransmits)*step
			d.add(`<path class="again" d="M %.1f %.1f C %.1f %.1f %.1f %.1f %.1f %.1f"><title>repeats an earlier segment</title></path>`, left-18, from, left-46, from, left-46, y, left-18, y)
		}
	}
	return d.svg(left+float64(len(l.names)-1)*width+130, h, "ladder", fmt.Sprintf("ladder of conversation %d", f.ID))
}

// arrow is a packet's way on the ladder, in lanes.
type arrow struct {
	from, to float64
	cross    bool // ends where it was lost
	whole    bool // seen at both ends of the way: what a device ended on one side it made anew on the other
	ok       bool
}

func arrowOf(l *lanes, e *model.Event) arrow {
	var ks []float64
	for _, s := range e.Seen {
		if k, ok := l.x[s.Capture]; ok && !slices.Contains(ks, k) {
			ks = append(ks, k)
		}
	}
	if len(ks) == 0 {
		return arrow{}
	}
	forward := e.Dir == "f"
	if len(ks) > 1 {
		forward = ks[len(ks)-1] > ks[0]
	} else if len(l.names) > 1 {
		forward = goesRight(l, e, ks[0])
	}
	a := arrow{from: slices.Min(ks), to: slices.Max(ks), ok: true, whole: len(ks) > 1 && e.Match == "relayed"}
	half := 0.5
	if !forward {
		a.from, a.to, half = a.to, a.from, -0.5
	}
	if a.whole {
		return a
	}
	dev := deviceLane(l, e)
	switch e.Fate {
	case "lost", "consumed":
		a.cross = true
		if a.to += half; dev >= 0 {
			a.to = dev
		}
	case "injected":
		if a.from -= half; dev >= 0 {
			a.from = dev
		}
	}
	return a
}

// ladderEvent draws one packet.
func ladderEvent(d *drawing, l *lanes, e *model.Event, x func(float64) float64, y float64, first int64) {
	a := arrowOf(l, e)
	if !a.ok {
		return
	}
	from, to := a.from, a.to
	class, mark := "arrow", ""
	switch {
	case a.cross:
		class, mark = "arrow "+e.Fate, "✕"
	case e.Fate == "injected" && !a.whole:
		class = "arrow injected"
	}
	if e.Match == "relayed" {
		class += " relayed"
	}
	title := e.Label
	for _, c := range e.Changed {
		title += "\n" + c
	}
	for _, s := range e.Seen {
		title += fmt.Sprintf("\n%s:%d", s.Capture, s.Frame)
	}
	d.add(`<g tabindex="0"><title>%s</title>`, html.EscapeString(title))
	label := cut(e.Label, 34)
	if n := len(e.Changed); n > 0 {
		label += " *"
	}
	// In front of the lanes, behind the arrow.
	d.text((x(from)+x(to))/2, y-5, "packet", "middle", label)
	if from != to {
		d.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s" marker-end="url(#tip)"/>`, x(from), y, x(to), y, class)
	} else {
		d.add(`<circle cx="%.1f" cy="%.1f" r="3" class="dot"/>`, x(from), y)
	}
	if mark != "" {
		d.text(x(to), y+5, "cross", "middle", mark)
	}
	for _, s := range e.Seen {
		k, ok := l.x[s.Capture]
		if !ok {
			continue
		}
		anchor, dx := "end", -5.0
		if k == float64(len(l.names)-1) || k > 0 && k == max(from, to) && from != to {
			anchor, dx = "start", 5
		}
		d.text(x(k)+dx, y+12, "frameno", anchor, fmt.Sprint(s.Frame))
	}
	d.text(x(0)-30, y+4, "time", "end", fmt.Sprintf("%.3f ms", float64(earliest(e)-first)/1e6))
	d.add(`</g>`)
}

// earliest is a packet's first time on the reference clock, ns.
func earliest(e *model.Event) int64 {
	t := e.Seen[0].TimeNS
	for _, s := range e.Seen {
		t = min(t, s.TimeNS)
	}
	return t
}

// deviceLane is the lane of the device on the stretch where a packet was lost or made; -1 for none.
func deviceLane(l *lanes, e *model.Event) float64 {
	if e.Where == "" {
		return -1
	}
	a, b, _ := strings.Cut(e.Where, " > ")
	for _, k := range []string{a + " > " + b, b + " > " + a} {
		if x, ok := l.x[k]; ok {
			return x
		}
	}
	return -1
}

// goesRight tells the way of a packet seen at one point only: toward the stretch where it was lost, from that where it
// was made, else by the conversation's direction.
func goesRight(l *lanes, e *model.Event, k float64) bool {
	if dev := deviceLane(l, e); dev >= 0 {
		return (dev > k) == (e.Fate != "injected")
	}
	if a, b, ok := strings.Cut(e.Where, " > "); ok {
		other := l.x[a]
		if other == k {
			other = l.x[b]
		}
		return (other > k) == (e.Fate != "injected")
	}
	return e.Dir == "f"
}
