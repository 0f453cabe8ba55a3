package report

import (
	"fmt"
	"math"

	"github.com/corr-dev/corr/backend/model"
)

// series is one line of a plot: x in seconds, y in the plot's unit.
type series struct {
	name, class string
	x, y        []float64
}

// plots draws what people look at rather than read: delays and traffic over time.
func plots(doc *model.Document) []string {
	var out []string
	for i := range doc.Segments {
		s := &doc.Segments[i]
		var l []series
		for k, d := range []*model.Delay{s.Delay.Forward, s.Delay.Reverse} {
			if d == nil || len(d.Series) < 2 {
				continue
			}
			x := series{name: []string{"toward " + s.B, "toward " + s.A}[k], class: []string{"one", "two"}[k]}
			for _, p := range d.Series {
				x.x, x.y = append(x.x, float64(p.TimeNS)/1e9), append(x.y, p.MedianS*1e3)
			}
			l = append(l, x)
		}
		if len(l) > 0 {
			out = append(out, plot(fmt.Sprintf("one-way delay between %s and %s, median, ms", s.A, s.B), l))
		}
	}
	var l []series
	for i := range doc.Captures {
		c := &doc.Captures[i]
		x := series{name: c.Name, class: []string{"one", "two", "three", "four"}[i%4]}
		for _, p := range c.Throughput {
			if p.Seconds > 0 {
				x.x, x.y = append(x.x, float64(p.TimeNS)/1e9), append(x.y, float64(p.Bytes)*8/p.Seconds/1e6)
			}
		}
		if len(x.x) > 1 {
			l = append(l, x)
		}
	}
	if len(l) > 0 {
		out = append(out, plot("traffic at each point, Mbit/s", l))
	}
	return out
}

// plot draws lines over time with axes.
func plot(title string, l []series) string {
	const w, h, left, bottom, top = 640.0, 200.0, 56.0, 28.0, 30.0
	lox, hix, loy, hiy := math.Inf(1), math.Inf(-1), 0.0, math.Inf(-1)
	for _, s := range l {
		for i := range s.x {
			lox, hix = math.Min(lox, s.x[i]), math.Max(hix, s.x[i])
			loy, hiy = math.Min(loy, s.y[i]), math.Max(hiy, s.y[i])
		}
	}
	if hix <= lox {
		hix = lox + 1
	}
	if hiy <= loy {
		hiy = loy + 1
	}
	px := func(v float64) float64 { return left + (v-lox)/(hix-lox)*(w-left-10) }
	py := func(v float64) float64 { return top + (hiy-v)/(hiy-loy)*(h-top-bottom) }
	d := &drawing{}
	d.text(left, 16, "label", "start", title)
	for k := 0; k <= 4; k++ {
		v := loy + (hiy-loy)*float64(k)/4
		d.line(left, py(v), w-10, py(v), "grid")
		d.text(left-6, py(v)+4, "small", "end", fmt.Sprintf("%.3g", v))
		t := lox + (hix-lox)*float64(k)/4
		d.text(px(t), h-8, "small", "middle", fmt.Sprintf("%.3g s", t-lox))
	}
	for i, s := range l {
		d.add(`<polyline class="plotline %s" points="`, s.class)
		for k := range s.x {
			d.add("%.1f,%.1f ", px(s.x[k]), py(s.y[k]))
		}
		d.add(`"/>`)
		d.text(w-12, top+12+float64(i)*14, "small "+s.class, "end", cut(s.name, 30))
	}
	return d.svg(w, h, "plot", title)
}
