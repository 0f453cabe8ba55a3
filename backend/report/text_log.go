package report

import (
	"io"
	"strconv"
	"time"

	"github.com/corr-dev/corr/backend/model"
)

// TextLogs prints the log records with the conversations that they belong to.
func TextLogs(w io.Writer, doc *model.Document, o TextOptions) error {
	p := newPage(o)
	if len(doc.Logs) == 0 {
		p.line("no log records: none of the logs given speaks of these conversations, or none was given")
		return p.writeTo(w)
	}
	var rows [][]string
	for i := range doc.Logs {
		l := &doc.Logs[i]
		at := ""
		if l.TimeNS != nil {
			at = time.Unix(0, *l.TimeNS).UTC().Format("2006-01-02 15:04:05.000000")
		}
		reason := l.Reason
		if reason == "" {
			reason = l.Text
		}
		rows = append(rows, []string{Escape(l.File) + ":" + strconv.Itoa(l.Line), Escape(l.Format), at, Escape(l.Action), flowList(l.Flows), Escape(reason)})
	}
	p.table([]column{{title: "record"}, {title: "format"}, {title: "time (reference clock, UTC)"},
		{title: "action", color: actionColor}, {title: "flow"}, {title: "reason"}}, rows)
	return p.writeTo(w)
}

func actionColor(cell string) string {
	switch cell {
	case "drop", "deny", "reject", "block":
		return red
	}
	return ""
}
