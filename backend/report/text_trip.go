package report

import (
	"fmt"
	"strings"

	"github.com/corr-dev/corr/backend/model"
)

// tripLines say where a conversation's round trip goes and what became of what was sent again, raw text.
func tripLines(f *model.Flow) []string {
	var out []string
	if len(f.RTTSplit) > 0 {
		var parts []string
		for _, x := range f.RTTSplit {
			switch {
			case x.A == "":
				parts = append(parts, duration(x.S)+" on the client's side of "+x.B)
			case x.B == "":
				parts = append(parts, duration(x.S)+" on the server's side of "+x.A)
			default:
				parts = append(parts, fmt.Sprintf("%s between %s and %s", duration(x.S), x.A, x.B))
			}
		}
		out = append(out, "shortest round trip: "+strings.Join(parts, ", "))
	}
	for i := range f.Again {
		out = append(out, "sent again by the "+sender(f, f.Again[i].Dir)+": "+againText(&f.Again[i]))
	}
	return out
}

// sender is the end that a direction comes from.
func sender(f *model.Flow, dir string) string {
	other := map[string]string{"client": "server", "server": "client"}
	if dir == "r" {
		return other[f.Initiator]
	}
	return f.Initiator
}

func againText(a *model.Again) string {
	text := count(int64(a.Segments), "segment")
	for _, l := range a.Lost {
		text += fmt.Sprintf("; %d lost between %s and %s", l.Count, l.A, l.B)
	}
	if a.AckLost > 0 {
		text += fmt.Sprintf("; %d had arrived, and the acknowledgement was lost", a.AckLost)
	}
	if a.Needless > 0 {
		text += fmt.Sprintf("; %d had arrived and were sent in vain", a.Needless)
	}
	if a.Unknown > 0 {
		text += fmt.Sprintf("; of %d it is not known", a.Unknown)
	}
	return text
}

// againRows lists the conversations that sent segments again, the first of them.
func againRows(d *model.Document, most int) [][]string {
	var rows [][]string
	for i := range d.Flows {
		f := &d.Flows[i]
		for k := range f.Again {
			a := &f.Again[k]
			var lost []string
			for _, l := range a.Lost {
				lost = append(lost, fmt.Sprintf("%d between %s and %s", l.Count, l.A, l.B))
			}
			if rows = append(rows, []string{fmt.Sprint(f.ID), sender(f, a.Dir), fmt.Sprint(a.Segments), strings.Join(lost, ", "), number(a.AckLost), number(a.Needless), number(a.Unknown)}); len(rows) == most {
				return rows
			}
		}
	}
	return rows
}

// number prints a count, nothing for none.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}
