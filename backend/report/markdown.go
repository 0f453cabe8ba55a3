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
		markdownPlain(&b, doc)
		_, err := io.WriteString(w, b.String())
		return err
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
		fmt.Fprintf(&b, "\n### %s: %s\n\n", f.Severity, markdown(f.Title))
		fmt.Fprintf(&b, "`%s`, %d %%. %s\n\n", f.ID, f.Confidence, markdown(f.Detail))
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "- %s:%d %s %s\n", markdown(e.Capture), e.Frame, markdown(e.Field), markdown(e.Value))
		}
		fmt.Fprintf(&b, "\nNext: %s\n", markdown(f.Next))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// markdownPlain is the report for readers who know no protocols: the story, what was found, what to hand on, and the words.
func markdownPlain(b *strings.Builder, doc *model.Document) {
	for _, s := range story(doc) {
		b.WriteString(markdown(s) + "\n\n")
	}
	b.WriteString("## Findings\n")
	for _, f := range foldFindings(doc) {
		fmt.Fprintf(b, "\n- %s", markdown(f.Plain))
		if f.Next != "" {
			fmt.Fprintf(b, " To hand to whoever looks after it: %s.", markdown(f.Next))
		}
	}
	b.WriteString("\n\n## Words used here\n\n")
	for _, w := range glossed(doc) {
		fmt.Fprintf(b, "- %s: %s\n", markdown(w.Word), markdown(w.Gloss))
	}
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
