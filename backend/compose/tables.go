package compose

import (
	"path/filepath"
	"strings"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/match"
)

// Tables makes what frames refer to.
func (in *Input) Tables() annotate.Tables {
	var t annotate.Tables
	for c := range in.Caps {
		t.Points = append(t.Points, in.point(c))
	}
	t.Flows = make([]annotate.Flow, len(in.Flows))
	const some = 256
	atOnce((len(in.Flows)+some-1)/some, func() func(k int) {
		known := &texts{map[string]string{}, map[address]string{}}
		return func(k int) {
			for n := k * some; n < min((k+1)*some, len(in.Flows)); n++ {
				t.Flows[n] = in.flowTable(in.Flows[n], known)
			}
		}
	})
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
		p.Steps = append(p.Steps, annotate.ClockStep{From: s.From, Offset: k.Offset + s.By})
	}
	return p
}

// texts are what was spelt before: many conversations have the same.
type texts struct {
	paths     map[string]string // by two bytes a point
	addresses map[address]string
}

type address struct {
	version uint8
	addr    decode.Addr
}

// textsMost bounds the addresses that are known at once.
const textsMost = 1 << 14

func (t *texts) address(version uint8, a decode.Addr) string {
	k := address{version, a}
	s, ok := t.addresses[k]
	if !ok {
		if len(t.addresses) >= textsMost {
			clear(t.addresses)
		}
		s = infer.Addr(version, a)
		t.addresses[k] = s
	}
	return s
}

func (in *Input) flowTable(f *match.Flow, known *texts) annotate.Flow {
	a := annotate.Flow{ID: f.ID, Path: in.pathText(f, 0, known), PathReverse: in.pathText(f, 1, known), At: make([]annotate.FlowAt, 0, len(f.Sides))}
	for c, s := range f.Sides {
		if s == nil {
			continue
		}
		r := in.RTTAt(f, c)
		a.At = append(a.At, annotate.FlowAt{Point: c, Stream: int64(s.Cap.Conv(s.Convs[0]).Stream), RTT: r.Total, RTTClient: r.Client, RTTServer: r.Server})
		if len(s.Convs) == 1 {
			t, x := f.Tuple(c), &a.At[len(a.At)-1]
			x.Src, x.Dst, x.Sport, x.Dport = known.address(t.Version, t.Src), known.address(t.Version, t.Dst), t.Sport, t.Dport
		}
	}
	return a
}

// pathText joins the names of the points that carry a direction; equal paths share one string.
func (in *Input) pathText(f *match.Flow, d int, known *texts) string {
	var space [32]byte
	key := space[:0]
	for _, c := range f.Path[d] {
		if f.Sides[c].Carries(d) {
			key = append(key, byte(c>>8), byte(c))
		}
	}
	s, ok := known.paths[string(key)]
	if !ok {
		s = strings.Join(in.names(in.carried(f, d)), " > ")
		known.paths[string(key)] = s
	}
	return s
}

// absolute is where a capture lies, for a Wireshark that opens it from anywhere; standard input stays "-".
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil && path != "-" {
		return abs
	}
	return path
}
