package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/corr-dev/corr/backend/model"
)

const summaryFrames = 6 // frames named per finding in the summary

// TextFindings prints all findings in order of weight, each with what was seen, what follows from it, and the next step.
func TextFindings(w io.Writer, doc *model.Document, o TextOptions) error {
	p := newPage(o)
	for i := range doc.Findings {
		if i > 0 {
			p.line()
		}
		p.finding(&doc.Findings[i])
	}
	if len(doc.Findings) == 0 {
		p.line("no findings")
	}
	return p.writeTo(w)
}

func (p *page) finding(f *model.Finding) {
	p.wrap(p.findingHead(f), findingIndent(f), Escape(f.Title))
	where := ""
	if f.Segment != nil {
		where = Escape(f.Segment[0]) + " > " + Escape(f.Segment[1])
	}
	if n := len(f.Flows); n > 0 {
		where = strings.TrimPrefix(where+", flow "+flowList(f.Flows), ", ")
	}
	p.labelled("where", where)
	p.labelled("what", Escape(f.Detail))
	for i, e := range f.Evidence {
		label := ""
		if i == 0 {
			label = "seen"
		}
		p.labelled(label, evidenceText(&e))
	}
	p.labelled("inferred", Escape(f.Inferred))
	p.labelled("explains", Escape(strings.Join(f.Explains, ", ")))
	p.labelled("next", Escape(f.Next))
}

// labelled prints a part of a finding, if there is one.
func (p *page) labelled(label, text string) {
	const indent = 12
	if text != "" {
		p.wrap("  "+p.paint(dim, pad(label, indent-2, false)), indent, text)
	}
}

func evidenceText(e *model.Evidence) string {
	s := Escape(e.Capture)
	if e.Frame != 0 {
		s += ":" + strconv.FormatUint(uint64(e.Frame), 10)
	}
	if e.Field != "" {
		s += " " + Escape(e.Field)
	}
	if e.Value != "" {
		s += " " + Escape(e.Value)
	}
	return s
}

func flowList(ids []uint32) string {
	const shown = 12
	var l []string
	for i, id := range ids {
		if i == shown {
			l = append(l, fmt.Sprintf("… (%d in all)", len(ids)))
			break
		}
		l = append(l, strconv.FormatUint(uint64(id), 10))
	}
	return strings.Join(l, ", ")
}

func (p *page) findingHead(f *model.Finding) string {
	return p.paint(severityColor(f.Severity), pad(Escape(f.Severity), 5, false)) + "  " +
		p.paint(bold, Escape(f.ID)) + " " + strconv.Itoa(f.Confidence) + " %: "
}

func findingIndent(f *model.Finding) int {
	return max(5, len([]rune(Escape(f.Severity)))) + 2 + len([]rune(Escape(f.ID))) + len(" "+strconv.Itoa(f.Confidence)+" %: ")
}

func severityColor(s string) string {
	switch s {
	case "error":
		return red
	case "warn":
		return yellow
	case "note":
		return cyan
	}
	return dim
}

// summaryOfFindings prints causes in order of weight; what a cause explains is folded into it.
func (p *page) summaryOfFindings(doc *model.Document) {
	if len(doc.Findings) == 0 {
		p.heading("no findings")
		return
	}
	p.heading(count(int64(len(doc.Findings)), "finding"))
	folded := fold(doc.Findings)
	shown := 0
	for i := range doc.Findings {
		f := &doc.Findings[i]
		if folded.under[i] >= 0 {
			continue
		}
		if shown == summaryFindings {
			break
		}
		p.cause(f, folded.explained(doc.Findings, i), shown == 0)
		shown++
	}
	if rest := folded.causes - shown; rest > 0 {
		p.line("  … and ", strconv.Itoa(rest), " more", p.more(": corr findings "))
	}
}

func (p *page) cause(f *model.Finding, explained []*model.Finding, first bool) {
	p.wrap("  "+p.findingHead(f), 9, Escape(f.Title))
	const indent = 9
	lead := strings.Repeat(" ", indent)
	p.wrap(lead, indent, frames(f.Evidence))
	if len(explained) > 0 {
		var l []string
		for _, e := range explained {
			s := Escape(e.ID)
			if at := frames(e.Evidence); at != "" {
				s += " (" + at + ")"
			}
			l = append(l, s)
		}
		p.wrap(lead, indent, "explains "+strings.Join(l, ", "))
	}
	if first && f.Next != "" {
		p.wrap(lead, indent, "next: "+Escape(f.Next))
	}
}

// frames names the frames of the evidence, each once.
func frames(evidence []model.Evidence) string {
	var l []string
	seen := map[string]bool{}
	for _, e := range evidence {
		if e.Frame == 0 {
			continue
		}
		s := Escape(e.Capture) + ":" + strconv.FormatUint(uint64(e.Frame), 10)
		if seen[s] {
			continue
		}
		seen[s] = true
		if len(l) == summaryFrames {
			l = append(l, "…")
			break
		}
		l = append(l, s)
	}
	return strings.Join(l, " ")
}

// folding says which finding is a consequence of which.
type folding struct {
	under  []int // index of the cause that a finding is folded under, -1 none
	causes int
}

// fold puts each finding under the first that explains it and shares a conversation or the stretch with it.
func fold(all []model.Finding) folding {
	f := folding{under: make([]int, len(all))}
	for i := range all {
		f.under[i] = -1
		for j := range all {
			if j != i && explains(&all[j], &all[i]) && (j < i || !explains(&all[i], &all[j])) {
				f.under[i] = j
				break
			}
		}
		if f.under[i] < 0 {
			f.causes++
		}
	}
	return f
}

// explained gives the findings folded under i, also those folded under these.
func (f folding) explained(all []model.Finding, i int) []*model.Finding {
	var l []*model.Finding
	for j := range all {
		for k, steps := f.under[j], 0; k >= 0 && steps < len(all); k, steps = f.under[k], steps+1 {
			if k == i {
				l = append(l, &all[j])
				break
			}
		}
	}
	return l
}

func explains(cause, consequence *model.Finding) bool {
	named := false
	for _, id := range cause.Explains {
		named = named || id == consequence.ID
	}
	if !named || cause.ID == consequence.ID {
		return false
	}
	if cause.Segment != nil && consequence.Segment != nil && *cause.Segment == *consequence.Segment {
		return true
	}
	if len(cause.Flows) == 0 || len(consequence.Flows) == 0 {
		return true
	}
	of := map[uint32]bool{}
	for _, id := range cause.Flows {
		of[id] = true
	}
	for _, id := range consequence.Flows {
		if of[id] {
			return true
		}
	}
	return false
}
