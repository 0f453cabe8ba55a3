package report

import (
	"io"
	"strconv"

	"github.com/corr-dev/corr/backend/model"
)

// requestColumns are the columns of TextRequests and of the page's table.
var requestColumns = []string{"request", "flow", "behind", "flow behind", "whole", "client's side", "through the proxy", "backend", "back through it", "bound", "conf_%"}

// requestRows has a row for each request; words as they came.
func requestRows(l []model.Request) [][]string {
	rows := make([][]string, 0, len(l))
	time := func(s *float64) string {
		if s == nil {
			return ""
		}
		return duration(*s)
	}
	for i := range l {
		r := &l[i]
		row := []string{r.Front.Capture + ":" + strconv.FormatUint(uint64(r.Front.Frame), 10), strconv.FormatUint(uint64(r.Flow), 10), "the proxy answered", ""}
		if r.Back != nil {
			row[2] = r.Back.Capture + ":" + strconv.FormatUint(uint64(r.Back.Frame), 10)
		}
		if r.FlowBack != nil {
			row[3] = strconv.FormatUint(uint64(*r.FlowBack), 10)
		}
		row = append(row, time(r.TotalS), time(r.ClientS), time(r.RequestS), time(r.BackendS), time(r.AnswerS), "", strconv.Itoa(r.Confidence))
		if r.ErrorS != nil {
			row[9] = "± " + duration(*r.ErrorS)
		}
		rows = append(rows, row)
	}
	return rows
}

// TextRequests prints the requests that went through a proxy and where the time went.
func TextRequests(w io.Writer, doc *model.Document, o TextOptions) error {
	p := newPage(o)
	if len(doc.Requests) == 0 {
		p.line("no requests: nothing here went through a proxy that ends TLS, pools connections or forwards messages")
		return p.writeTo(w)
	}
	var cols []column
	for i, title := range requestColumns {
		cols = append(cols, column{title: title, right: i == 1 || i >= 3})
	}
	p.table(cols, escaped(requestRows(doc.Requests)))
	if doc.Summary.RequestsCut {
		p.line("  ", "only the slowest are listed")
	}
	return p.writeTo(w)
}
