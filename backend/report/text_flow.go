package report

import (
	"fmt"
	"io"
	"sort"
	"strconv"
	"strings"

	"github.com/corr-dev/corr/backend/model"
)

// TextFlows prints all conversations, a line each, in the order of their numbers.
func TextFlows(w io.Writer, doc *model.Document, o TextOptions) error {
	p := newPage(o)
	caps := byOrder(doc)
	cols := []column{{title: "flow", right: true}, {title: "proto"}, {title: "initiator"}, {title: "responder"},
		{title: "outcome", color: outcomeColor}, {title: "closed by"}, {title: "conf_%", right: true}}
	for _, c := range caps {
		cols = append(cols, column{title: Escape(c.Name) + "_stream", right: true}, column{title: Escape(c.Name) + "_frames", right: true})
	}
	cols = append(cols, column{title: "carries"})
	rows := make([][]string, 0, len(doc.Flows))
	for i := range doc.Flows {
		f := &doc.Flows[i]
		src, dst := ends(f.Proto, firstAt(f, caps))
		row := []string{flowID(f), Escape(f.Proto), src, dst, Escape(f.Outcome), Escape(f.ClosedBy), strconv.Itoa(f.Confidence)}
		for _, c := range caps {
			stream, frames := "", ""
			if at := f.At[c.Name]; at != nil {
				frames = strconv.FormatInt(at.Frames, 10)
				if at.Stream != nil {
					stream = strconv.FormatInt(*at.Stream, 10)
				}
			}
			row = append(row, stream, frames)
		}
		rows = append(rows, append(row, Escape(f.App)))
	}
	p.table(cols, rows)
	if doc.Summary.FlowsCut {
		p.line("  ", "the list is cut: ", count(doc.Summary.Flows, "conversation"), " in all")
	}
	return p.writeTo(w)
}

// conversations prints counts by outcome and the first of them, failing ones in front.
func (p *page) conversations(doc *model.Document) {
	title := count(max(doc.Summary.Flows, int64(len(doc.Flows))), "conversation")
	if o := outcomes(doc); o != "" {
		title += ": " + o
	}
	p.heading(title)
	caps := byOrder(doc)
	flows := byWeight(doc)
	shown := flows[:min(len(flows), summaryFlows)]
	rows := make([][]string, len(shown))
	for i, f := range shown {
		src, dst := ends(f.Proto, firstAt(f, caps))
		rows[i] = []string{flowID(f), Escape(f.Proto), src + " → " + dst, outcomeText(f), Escape(f.App)}
	}
	for i, l := range p.aligned(rows) {
		p.line(l)
		if i < summaryDetailed && failing(shown[i]) {
			p.sides(shown[i], caps)
		}
	}
	if rest := max(doc.Summary.Flows, int64(len(flows))) - int64(len(shown)); rest > 0 {
		p.line("  … and ", strconv.FormatInt(rest, 10), " more", p.more(": corr flows "))
	}
}

// aligned gives the rows as lines without titles, the outcome in colour.
func (p *page) aligned(rows [][]string) []string {
	q := &page{width: p.width, color: p.color}
	q.table([]column{{right: true}, {}, {}, {color: outcomeColor}, {}}, rows)
	lines := strings.Split(strings.TrimSuffix(q.b.String(), "\n"), "\n")
	return lines[1:]
}

// sides shows a conversation as each point saw it.
func (p *page) sides(f *model.Flow, caps []*model.Capture) {
	const indent = 8
	first := ""
	width := 0
	for _, c := range caps {
		width = max(width, len([]rune(Escape(c.Name))))
	}
	for _, c := range caps {
		at, named := f.At[c.Name]
		if !named {
			continue
		}
		lead := strings.Repeat(" ", indent) + "at " + pad(Escape(c.Name), width, false) + "  "
		if at == nil {
			p.line(lead, "not seen")
			continue
		}
		src, dst := ends(f.Proto, at)
		text := fmt.Sprintf("frames %d-%d (%d), sent %d, received %s", at.First, at.Last, at.Frames, at.BytesF, count(at.BytesR, "byte"))
		if tuple := src + " → " + dst; first == "" {
			first = tuple
		} else if tuple != first {
			text = tuple + ", " + text
		}
		p.wrap(lead, indent+5+width, text)
	}
	if f.Detail != "" {
		p.wrap(strings.Repeat(" ", indent), indent, Escape(f.Detail))
	}
}

// byWeight orders conversations: failing before open before well-ended, then those with findings, then by number.
func byWeight(doc *model.Document) []*model.Flow {
	flows := make([]*model.Flow, len(doc.Flows))
	for i := range doc.Flows {
		flows[i] = &doc.Flows[i]
	}
	weight := func(f *model.Flow) int {
		w := 4
		switch {
		case failing(f):
			w = 0
		case f.Outcome == "open":
			w = 2
		}
		if len(f.Findings) == 0 {
			w++
		}
		return w
	}
	sort.SliceStable(flows, func(i, j int) bool {
		a, b := weight(flows[i]), weight(flows[j])
		return a < b || a == b && flows[i].ID < flows[j].ID
	})
	return flows
}

func failing(f *model.Flow) bool { return f.Outcome != "ok" && f.Outcome != "open" && f.Outcome != "" }

// outcomes counts conversations by outcome, most frequent first.
func outcomes(doc *model.Document) string {
	sum := doc.Summary.Outcomes
	if sum == nil {
		sum = map[string]int64{}
		for i := range doc.Flows {
			sum[doc.Flows[i].Outcome]++
		}
	}
	var words []string
	for o, n := range sum {
		if n > 0 && o != "" {
			words = append(words, o)
		}
	}
	sort.Slice(words, func(i, j int) bool {
		a, b := words[i], words[j]
		return sum[a] > sum[b] || sum[a] == sum[b] && a < b
	})
	for i, o := range words {
		words[i] = strconv.FormatInt(sum[o], 10) + " " + Escape(o)
	}
	return strings.Join(words, ", ")
}

// outcomeText names who ended it where that says more than the outcome.
func outcomeText(f *model.Flow) string {
	o := Escape(f.Outcome)
	if failing(f) && f.ClosedBy != "" && f.ClosedBy != "unknown" && !strings.Contains(o, f.ClosedBy) {
		o += " by " + Escape(f.ClosedBy)
	}
	return o
}

func outcomeColor(cell string) string {
	switch cell = strings.TrimSpace(cell); cell {
	case "ok":
		return green
	case "open", "":
		return ""
	}
	return red
}

func flowID(f *model.Flow) string { return strconv.FormatUint(uint64(f.ID), 10) }

// firstAt gives the conversation at the first point of its path that saw it.
func firstAt(f *model.Flow, caps []*model.Capture) *model.At {
	for _, name := range f.Path {
		if at := f.At[name]; at != nil {
			return at
		}
	}
	for _, c := range caps {
		if at := f.At[c.Name]; at != nil {
			return at
		}
	}
	return nil
}

// ends gives both ends of a conversation as text. ICMP has no ports, and its echo identifier stands in both.
func ends(proto string, at *model.At) (src, dst string) {
	if at == nil {
		return "?", "?"
	}
	src, dst = tupleText(at.Tuple[0]), tupleText(at.Tuple[2])
	sport, dport := tupleText(at.Tuple[1]), tupleText(at.Tuple[3])
	if strings.HasPrefix(strings.ToLower(proto), "icmp") {
		if sport != "0" && sport != "" {
			dst += " id " + sport
		}
		return src, dst
	}
	return hostPort(src, sport), hostPort(dst, dport)
}

func hostPort(host, port string) string {
	switch {
	case port == "" || port == "0":
		return host
	case strings.Contains(host, ":"):
		return "[" + host + "]:" + port
	}
	return host + ":" + port
}

// tupleText gives an address or a port; a port read from JSON is a float64.
func tupleText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		return Escape(v)
	}
	return Escape(fmt.Sprint(v))
}
