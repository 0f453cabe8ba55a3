package compose

import (
	"github.com/corr-dev/corr/backend/model"
)

// logsMost bounds the records that the document lists.
const logsMost = 20000

// logs puts the records that speak of conversations into the document.
func (in *Input) logs(d *model.Document) {
	for i := range in.Logs[:min(len(in.Logs), logsMost)] {
		x := &in.Logs[i]
		m := model.Log{File: x.File, Line: x.Line, Format: x.Format, Action: x.Action, Reason: x.Reason, Text: x.Text, Flows: x.Flows}
		if !x.At.IsZero() {
			ns := x.At.UnixNano()
			m.TimeNS = &ns
		}
		d.Logs = append(d.Logs, m)
	}
}

// logsOf lists each conversation's records, as indexes.
func (in *Input) logsOf() map[uint32][]int {
	out := map[uint32][]int{}
	for i := range in.Logs {
		for _, id := range in.Logs[i].Flows {
			if len(out[id]) < 64 {
				out[id] = append(out[id], i)
			}
		}
	}
	return out
}
