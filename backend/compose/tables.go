package compose

import (
	"path/filepath"

	"strings"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/match"
)

// Tables makes what frames refer to.
func (in *Input) Tables() annotate.Tables {
	var t annotate.Tables
	for c := range in.Caps {
		t.Points = append(t.Points, in.point(c))
	}
	paths := map[string]string{}
	t.Flows = make([]annotate.Flow, 0, len(in.Flows))
	for _, f := range in.Flows {
		t.Flows = append(t.Flows, in.flowTable(f, paths))
	}
	for _, f := range in.Findings {
		t.Findings = append(t.Findings, annotate.Finding{ID: f.ID, Severity: f.Severity, Title: f.Title})
	}
	for i := range in.Logs {
		t.Logs = append(t.Logs, annotate.Log{Text: in.Logs[i].Text, Action: in.Logs[i].Action})
	}
	return t
}

func (in *Input) point(c int) annotate.Point {
	k := &in.Clocks.Of[c]
	p := annotate.Point{Name: in.Points[c].Name, Cell: in.Points[c].Cell, File: absolute(in.Points[c].File), Frames: uint32(in.Caps[c].Len()),
		ClockKnown: k.Known, At: k.At, Offset: k.Offset, DriftPPM: k.DriftPPM}
	for _, s := range k.Steps {
		p.Steps = append(p.Steps, annotate.ClockStep{At: s.At, Offset: k.Offset + s.By})
	}
	return p
}

func (in *Input) flowTable(f *match.Flow, paths map[string]string) annotate.Flow {
	a := annotate.Flow{ID: f.ID, Path: in.pathText(in.carried(f, 0), paths), PathReverse: in.pathText(in.carried(f, 1), paths)}
	for c, s := range f.Sides {
		if s == nil {
			continue
		}
		r := in.RTTAt(f, c)
		a.At = append(a.At, annotate.FlowAt{Point: c, Stream: int64(s.Cap.Conv(s.Convs[0]).Stream), RTT: r.Total, RTTClient: r.Client, RTTServer: r.Server})
		if len(s.Convs) == 1 {
			t, x := f.Tuple(c), &a.At[len(a.At)-1]
			x.Src, x.Dst, x.Sport, x.Dport = infer.Addr(t.Version, t.Src), infer.Addr(t.Version, t.Dst), t.Sport, t.Dport
		}
	}
	return a
}

// pathText joins a path's names; equal paths share one string.
func (in *Input) pathText(path []int, known map[string]string) string {
	s := strings.Join(in.names(path), " > ")
	if k, ok := known[s]; ok {
		return k
	}
	known[s] = s
	return s
}

// absolute is where a capture lies, for a Wireshark that opens it from anywhere; standard input stays "-".
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil && path != "-" {
		return abs
	}
	return path
}
