package report

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// TextOptions are what the terminal asks for.
type TextOptions struct {
	Width int    // columns; 0: 80
	Color bool   // ANSI colours
	Dir   string // result directory, for the commands that lead on; empty: they are left out
}

// page collects lines for one terminal.
type page struct {
	b     strings.Builder
	width int
	color bool
	dir   string
}

func newPage(o TextOptions) *page {
	if o.Width <= 0 {
		o.Width = 80
	}
	return &page{width: max(o.Width, 40), color: o.Color, dir: o.Dir}
}

func (p *page) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, p.b.String())
	return err
}

func (p *page) line(parts ...string) {
	p.b.WriteString(strings.TrimRight(strings.Join(parts, ""), " "))
	p.b.WriteByte('\n')
}

// SGR codes (ECMA-48 §8.3.117).
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (p *page) paint(code, s string) string {
	if !p.color || code == "" || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p *page) heading(s string) { p.line(p.paint(bold, s)) }

// wrap prints text from column indent on, its words wrapped at the width; first stands in front of the first line and
// must be indent columns wide.
func (p *page) wrap(first string, indent int, text string) {
	lead, col, empty := first, indent, true
	var line strings.Builder
	for _, w := range strings.Fields(text) {
		n := utf8.RuneCountInString(w)
		if !empty && col+1+n > p.width {
			p.line(lead, line.String())
			line.Reset()
			lead, col, empty = strings.Repeat(" ", indent), indent, true
		}
		if !empty {
			line.WriteByte(' ')
			col++
		}
		line.WriteString(w)
		col += n
		empty = false
	}
	if !empty || strings.TrimSpace(first) != "" {
		p.line(lead, line.String())
	}
}

// column is one column of a table.
type column struct {
	title string
	right bool
	color func(cell string) string // SGR code
}

// table prints rows under their titles, two spaces apart, indented by two.
func (p *page) table(cols []column, rows [][]string) {
	width := make([]int, len(cols))
	for i, c := range cols {
		width[i] = utf8.RuneCountInString(c.title)
		for _, r := range rows {
			width[i] = max(width[i], utf8.RuneCountInString(r[i]))
		}
	}
	titles := make([]string, len(cols))
	for i, c := range cols {
		titles[i] = p.paint(dim, pad(c.title, width[i], c.right))
	}
	p.line("  ", strings.Join(titles, "  "))
	for _, r := range rows {
		cells := make([]string, len(cols))
		for i, c := range cols {
			cells[i] = pad(r[i], width[i], c.right)
			if i == len(cols)-1 && !c.right {
				cells[i] = r[i]
			}
			if c.color != nil {
				cells[i] = p.paint(c.color(r[i]), cells[i])
			}
		}
		p.line("  ", strings.Join(cells, "  "))
	}
}

func pad(s string, width int, right bool) string {
	fill := strings.Repeat(" ", max(width-utf8.RuneCountInString(s), 0))
	if right {
		return fill + s
	}
	return s + fill
}

// Escape makes text from captures, logs and file names safe for a terminal and for one line: what does not print
// (control characters, direction marks, broken UTF-8) becomes a Go escape.
func Escape(s string) string {
	clean := true
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		i += n
	}
	return b.String()
}

// count gives "1 router", "8 routers".
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.FormatInt(n, 10) + " " + noun + "s"
}

// duration gives seconds in the unit that reads best, three digits.
func duration(s float64) string {
	unit, f := "s", 1.0
	switch a := math.Abs(s); {
	case a == 0:
	case a < 1e-6:
		unit, f = "ns", 1e9
	case a < 1e-3:
		unit, f = "µs", 1e6
	case a < 1:
		unit, f = "ms", 1e3
	}
	return strconv.FormatFloat(round3(s*f), 'f', -1, 64) + " " + unit
}

func round3(v float64) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		return v
	}
	return r
}

// measured gives a value with its bound: no digit below the bound's second.
func measured(v float64, bound *float64, unit string) string {
	if bound == nil {
		return strconv.FormatFloat(v, 'g', 6, 64) + " " + unit + ", bound unknown"
	}
	digits := 9
	if *bound > 0 {
		digits = min(max(int(math.Ceil(-math.Log10(*bound)))+1, 0), 9)
	}
	return fmt.Sprintf("%+.*f %s ± %s", digits, v, unit, boundText(*bound, unit))
}

func boundText(b float64, unit string) string {
	if unit == "s" {
		return duration(b)
	}
	return strconv.FormatFloat(round3(b), 'f', -1, 64) + " " + unit
}
