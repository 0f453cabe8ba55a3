package field

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText prints the table for a terminal: name, type, and what it means, wrapped at width.
func WriteText(w io.Writer, width int) error {
	out := bufio.NewWriter(w)
	for i := range All {
		f := &All[i]
		fmt.Fprintf(out, "%-24s %s\n", f.Name, f.typeText())
		for _, l := range wrap(f.Text, max(width-4, 30)) {
			fmt.Fprintf(out, "    %s\n", l)
		}
		fmt.Fprintf(out, "    from: %s\n    example: %s\n", f.Source, f.Example)
	}
	return out.Flush()
}

// WriteShort prints one line a field.
func WriteShort(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i := range All {
		f := &All[i]
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Name, f.typeText(), f.Example)
	}
	return t.Flush()
}

// WriteJSON prints the table as a list of objects.
func WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(All)
}

// WriteMarkdown prints docs/fields.md.
func WriteMarkdown(w io.Writer) error {
	out := bufio.NewWriter(w)
	fmt.Fprint(out, "# Fields\n\nEvery field works in the packet tree, as a column, and with `-Y` and `-T fields`. "+
		"An absent field means not known, never zero.\n\nThis page is made from backend/field: "+
		"`go test ./backend/field -update` renews it.\n\n| field | type | meaning | from | example |\n|---|---|---|---|---|\n")
	for i := range All {
		f := &All[i]
		fmt.Fprintf(out, "| %s | %s | %s | %s | `%s` |\n", f.Name, f.typeText(), f.Text, f.Source, f.Example)
	}
	return out.Flush()
}

func (f *Field) typeText() string {
	s := strings.ReplaceAll(string(f.Type), "_", " ")
	if f.Unit != "" {
		s += ", " + f.Unit
	}
	if f.Repeats {
		s += ", repeats"
	}
	return s
}

func wrap(s string, width int) (lines []string) {
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && len(line)+1+len(w) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(lines, line)
}
