package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/corr-dev/corr/backend/model"
)

// Markdown writes the report as text for issue trackers and wikis.
func Markdown(w io.Writer, doc *model.Document, audience string) error {
	var b strings.Builder
	b.WriteString("# Correlation\n\n")
	if audience == "everyone" {
		for _, s := range story(doc) {
			b.WriteString(markdown(s) + "\n\n")
		}
	}
	b.WriteString("| point | file | frames | clock offset, s | bound, s |\n|---|---|---:|---:|---:|\n")
	for _, c := range byOrder(doc) {
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s |\n", markdown(c.Name), markdown(c.File), c.Frames, decimal(6, c.Clock.OffsetS), decimal(6, c.Clock.OffsetErrorS))
	}
	b.WriteString("\n| stretch | routers | devices |\n|---|---:|---|\n")
	for i := range doc.Segments {
		s := &doc.Segments[i]
		routers := "not known"
		if s.Routers != nil {
			routers = fmt.Sprint(*s.Routers)
		}
		var names []string
		for k := range s.Middleboxes {
			names = append(names, s.Middleboxes[k].Name)
		}
		fmt.Fprintf(&b, "| %s – %s | %s | %s |\n", markdown(s.A), markdown(s.B), routers, markdown(strings.Join(names, ", ")))
	}
	b.WriteString("\n## Findings\n")
	if len(doc.Findings) == 0 {
		b.WriteString("\nNothing stands out.\n")
	}
	for i := range doc.Findings {
		f := &doc.Findings[i]
		title := f.Title
		if audience == "everyone" {
			title = Plainly(f)
		}
		fmt.Fprintf(&b, "\n### %s: %s\n\n", f.Severity, markdown(title))
		if audience != "everyone" {
			fmt.Fprintf(&b, "`%s`, %d %%. %s\n\n", f.ID, f.Confidence, markdown(f.Detail))
			for _, e := range f.Evidence {
				fmt.Fprintf(&b, "- %s:%d %s %s\n", markdown(e.Capture), e.Frame, markdown(e.Field), markdown(e.Value))
			}
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "Next: %s\n", markdown(f.Next))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdown escapes text so that it stays text (CommonMark §2.4), and removes what a terminal would obey.
func markdown(s string) string {
	s = Escape(s)
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\\`*_{}[]<>()#+!|&~", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
