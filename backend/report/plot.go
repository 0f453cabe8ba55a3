package report

import (
	"fmt"
	"math"

	"github.com/corr-dev/corr/backend/model"
)

// series is one line of a plot, or a cloud of dots: x in seconds, y in the plot's unit.
type series struct {
	name, class string
	dots        bool
	steps       bool // each value holds until the next one
	x, y        []float64
}

// plots draws what people look at rather than read: delays, losses and traffic over time, and how well clocks fit.
func plots(doc *model.Document) []string {
	var out []string
	add := func(title string, l []series) {
		if len(l) > 0 {
			out = append(out, plot(title, l))
		}
	}
	for i := range doc.Segments {
		s := &doc.Segments[i]
		var delay, loss []series
		for k, d := range []*model.Delay{s.Delay.Forward, s.Delay.Reverse} {
			name, class := []string{"toward " + s.B, "toward " + s.A}[k], []string{"one", "two"}[k]
			if d != nil && len(d.Series) >= 2 {
				x := series{name: name, class: class}
				for _, p := range d.Series {
					x.x, x.y = append(x.x, float64(p.TimeNS)/1e9), append(x.y, p.MedianS*1e3)
				}
				delay = append(delay, x)
			}
			if l := []model.Loss{s.Lost.Forward, s.Lost.Reverse}[k].Series; len(l) >= 2 {
				x := series{name: name, class: class, steps: true}
				for _, p := range l {
					x.x, x.y = append(x.x, float64(p.TimeNS)/1e9), append(x.y, float64(p.Lost))
				}
				x.x, x.y = append(x.x, float64(l[len(l)-1].TimeNS)/1e9+l[len(l)-1].Seconds), append(x.y, float64(l[len(l)-1].Lost))
				loss = append(loss, x)
			}
		}
		add(fmt.Sprintf("one-way delay between %s and %s, median, ms", s.A, s.B), delay)
		if len(loss) > 0 {
			width := append(s.Lost.Forward.Series, s.Lost.Reverse.Series...)[0].Seconds
			add(fmt.Sprintf("packets lost between %s and %s, in each %s", s.A, s.B, span(width)), loss)
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
	add("traffic at each point, Mbit/s", l)
	for i := range doc.Captures {
		out = append(out, residuals(&doc.Captures[i])...)
	}
	return out
}

// span prints a width of time.
func span(seconds float64) string {
	if seconds < 1 {
		return fmt.Sprintf("%.3g ms", seconds*1e3)
	}
	return fmt.Sprintf("%.3g s", seconds)
}

// residuals draws how far a clock is from that of each peer, packet by packet, and the line that was fitted: what comes
// from the peer lies above it, what goes there below, and none can be nearer than the path is long. The offset is taken
// off, and what the clock jumped by.
func residuals(c *model.Capture) []string {
	var peers []string
	by := map[string][]model.Residual{}
	for _, r := range c.Clock.Residuals {
		if by[r.Peer] == nil {
			peers = append(peers, r.Peer)
		}
		by[r.Peer] = append(by[r.Peer], r)
	}
	var out []string
	for _, peer := range peers {
		dots := [2]series{{name: "from " + peer, class: "one", dots: true}, {name: "to " + peer, class: "two", dots: true}}
		lo, hi := math.Inf(1), math.Inf(-1)
		for _, r := range by[peer] {
			lo, hi = math.Min(lo, float64(r.TimeNS)/1e9), math.Max(hi, float64(r.TimeNS)/1e9)
		}
		drift := 0.0
		if c.Clock.DriftPPM != nil {
			drift = *c.Clock.DriftPPM / 1e3 // ms per s
		}
		for _, r := range by[peer] {
			d := &dots[0]
			if r.Delta < 0 {
				d = &dots[1]
			}
			at := float64(r.TimeNS) / 1e9
			d.x, d.y = append(d.x, at), append(d.y, float64(r.Delta)/1e6+drift*(at-lo))
		}
		title := fmt.Sprintf("clock of %s against that of %s, ms, the offset taken off", c.Name, peer)
		line := series{name: "fitted", class: "three", x: []float64{lo, hi}, y: []float64{0, drift * (hi - lo)}}
		if c.Clock.DriftPPM != nil {
			line.name = fmt.Sprintf("fitted, drift %.2f ppm", *c.Clock.DriftPPM)
		}
		out = append(out, plot(title, []series{dots[0], dots[1], line}))
	}
	return out
}

// plot draws lines over time with axes.
func plot(title string, l []series) string {
	const w, left, bottom, row, letter = 640.0, 56.0, 28.0, 15.0, 6.5
	d := &drawing{}
	d.text(left, 16, "label", "start", title)
	// The lines' names stand in their colours below the title.
	top, at := 32.0, left
	for _, s := range l {
		name := cut(s.name, 40)
		wide := float64(len([]rune(name)))*letter + 14
		if at+wide > w && at > left {
			top, at = top+row, left
		}
		d.text(at, top, "small "+s.class, "start", name)
		at += wide
	}
	top += 12
	h := top + 170
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
	for k := 0; k <= 4; k++ {
		v := loy + (hiy-loy)*float64(k)/4
		d.line(left, py(v), w-10, py(v), "grid")
		d.text(left-6, py(v)+4, "small", "end", fmt.Sprintf("%.3g", v))
		t := lox + (hix-lox)*float64(k)/4
		anchor := "middle"
		if k == 4 {
			anchor = "end"
		}
		d.text(px(t), h-8, "small", anchor, fmt.Sprintf("%.3g s", t-lox))
	}
	for _, s := range l {
		switch {
		case s.dots:
			for k := range s.x {
				d.add(`<circle class="plotdot %s" cx="%.1f" cy="%.1f" r="1.8"/>`, s.class, px(s.x[k]), py(s.y[k]))
			}
		case len(s.x) > 0:
			d.add(`<polyline class="plotline %s" points="`, s.class)
			for k := range s.x {
				if s.steps && k > 0 {
					d.add("%.1f,%.1f ", px(s.x[k]), py(s.y[k-1]))
				}
				d.add("%.1f,%.1f ", px(s.x[k]), py(s.y[k]))
			}
			d.add(`"/>`)
		}
	}
	return d.svg(w, h, "plot", title)
}
