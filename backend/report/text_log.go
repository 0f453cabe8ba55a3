package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
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
		reason := []rune(l.Reason)
		if len(reason) == 0 {
			reason = []rune(l.Text)
		}
		if len(reason) > logTextMost {
			reason = append(reason[:logTextMost-1], '…')
		}
		rows = append(rows, []string{Escape(l.File) + ":" + strconv.Itoa(l.Line), Escape(l.Format), at, Escape(l.Action), flowList(l.Flows), framesOf(doc, l.Flows), Escape(string(reason))})
	}
	p.table([]column{{title: "record"}, {title: "format"}, {title: "time (reference clock, UTC)"},
		{title: "action", color: actionColor}, {title: "flow"}, {title: "frames"}, {title: "reason, or the record"}}, rows)
	return p.writeTo(w)
}

// logTextMost is how much of a record the table shows; correlation.json has it whole.
const logTextMost = 90

// framesOf names the first and last frame of conversations at each point: client:1-8 server:1-10.
func framesOf(doc *model.Document, ids []uint32) string {
	var out []string
	for _, id := range ids {
		f := FlowOf(doc, id)
		if f == nil {
			continue
		}
		for _, c := range byOrder(doc) {
			if at := f.At[c.Name]; at != nil {
				out = append(out, fmt.Sprintf("%s:%d-%d", Escape(c.Name), at.First, at.Last))
			}
		}
		if len(out) >= 4 {
			break
		}
	}
	return strings.Join(out, " ")
}

func actionColor(cell string) string {
	switch cell {
	case "drop", "deny", "reject", "block":
		return red
	}
	return ""
}
