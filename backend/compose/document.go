package compose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/model"
)

// Point is a capture point as the user knows it.
type Point struct {
	Name string // label
	File string // as given on the command line
	Cell string // what TSV outputs print in the capture column
}

// Input is what the outputs are made from.
type Input struct {
	*infer.Verdict
	Points    []Point  // by capture
	Generator string   // program and version
	Notes     []string // what the user should know of the job itself
	anew      bool     // every frame is looked at anew, for tests that compare
	quick     int      // frames that were not, for such tests
}

// boxNote says what can't be known because of a device, and how sure its maker is.
func boxNote(b *infer.Box) string {
	var out []string
	if b.Vendor != "" {
		out = append(out, b.Vendor+" made the network card of the neighbour that its packets come from: a hint at the device's maker, no proof")
	}
	if b.Kind == infer.TunnelEndpoint || b.Kind == infer.Softwire {
		// RFC 2003 §3.1: the inner TTL falls where packets enter, and nowhere inside.
		out = append(out, "routers inside of the tunnel can't be counted: the TTL of what it carries does not fall there")
	}
	return strings.Join(out, "; ")
}

// captureNotes words what the capturing host did to a capture.
func captureNotes(c *flow.Capture) (out []string) {
	frames := func(n int64) string {
		if n == 1 {
			return "1 frame"
		}
		return fmt.Sprintf("%d frames", n)
	}
	if n := c.Oddities[flow.OddityCut]; n > 0 {
		out = append(out, frames(n)+" cut by the snapshot length: what they hold beyond is not judged")
	}
	if c.Oddities[flow.OddityChecksum] > 0 {
		out = append(out, "checksums left to the network card (wrong only as captured)")
	}
	if n := c.Oddities[flow.OddityOrder]; n > 0 {
		out = append(out, frames(n)+" out of the order of time in the file: the capturing host's doing, and their times count")
	}
	return out
}

// flowsMost bounds the conversations that the document lists; of many points fewer, so that they hold seenMost conversations in all, but
// flowsLeast at least.
const flowsMost, flowsLeast, seenMost = 5000, 500, 20000

// Document makes the document.
func (in *Input) Document() *model.Document {
	d := &model.Document{Version: model.Version, Relations: []model.Relation{}, Findings: []model.Finding{}, Logs: []model.Log{}}
	d.Captures, d.Segments = make([]model.Capture, len(in.Caps)), make([]model.Segment, len(in.Segments))
	each(d.Captures, in.capture)
	residuals := make([][]model.Residual, len(in.Segments))
	each(d.Segments, func(k int) (m model.Segment) {
		m, residuals[k] = in.segment(in.Segments[k])
		return m
	})
	for k, s := range in.Segments {
		c := &d.Captures[in.follower(s)].Clock
		c.Residuals = append(c.Residuals, residuals[k]...)
	}
	in.findings(d)
	in.flows(d)
	in.relations(d)
	in.requests(d)
	in.logs(d)
	in.summary(d)
	return d
}

// stranger reports whether a capture shares no traffic with any other.
func (in *Input) stranger(c int) bool {
	for k := range in.Relations {
		if k[0] == c || k[1] == c {
			return false
		}
	}
	return true
}

func (in *Input) capture(c int) model.Capture {
	src := in.Caps[c]
	m := model.Capture{Name: in.Points[c].Name, File: in.Points[c].File, Cell: in.Points[c].Cell, Frames: int64(src.Len()), Order: in.Rank[c],
		Format: src.Format, Link: src.LinkTy.String(), Stranger: in.stranger(c), Truncated: src.Truncated, Fates: map[string]int64{}}
	m.Notes = captureNotes(src)
	if o := in.Pieces[c]; o != c {
		m.Notes = append(m.Notes, fmt.Sprintf("what the recorder of %s wrote next: join such files first to have them as one point (mergecap -w FILE …)", in.Points[o].Name))
	}
	first, last := int64(src.First), int64(src.Last)
	m.FirstNS, m.LastNS = &first, &last
	var n [16]int64
	for i := range in.Marks[c] {
		n[in.Marks[c].At(uint32(i)).Fate]++
	}
	for k, x := range n {
		if x > 0 {
			m.Fates[infer.Fate(k).String()] = x
		}
	}
	m.Clock = in.clock(c)
	m.Throughput = in.throughput(c)
	return m
}

func (in *Input) clock(c int) model.Clock {
	k := &in.Clocks.Of[c]
	if !k.Known {
		return model.Clock{}
	}
	m := model.Clock{OffsetS: seconds(k.Offset), OffsetErrorS: seconds(k.Error)}
	at := int64(k.At)
	m.AtNS = &at
	if k.HasDrift || c == in.Clocks.Ref {
		d, e := k.DriftPPM, k.DriftError
		m.DriftPPM, m.DriftErrorPPM = &d, &e
	}
	by := int64(0)
	for _, s := range k.Steps {
		m.Steps = append(m.Steps, model.ClockStep{AtNS: int64(s.At), StepS: *seconds(s.By - by)})
		by = s.By
	}
	return m
}

func seconds(ns int64) *float64 {
	s := float64(ns) / 1e9
	return &s
}

func (in *Input) segment(s *infer.Segment) (m model.Segment, residuals []model.Residual) {
	m = model.Segment{A: in.Points[s.A].Name, B: in.Points[s.B].Name, Middleboxes: []model.Middlebox{}, Conditions: []string{}, Matched: s.Link.N}
	m.Conditions = append(m.Conditions, s.Conditions...)
	m.Routers = known(s.Routers)
	for _, b := range s.Boxes {
		m.Middleboxes = append(m.Middleboxes, model.Middlebox{Kind: b.Kind, Name: b.Name, Vendor: b.Vendor, Confidence: b.Confidence,
			Changes: b.Changes, Evidence: in.evidence(b.Evidence), Flows: b.Flows.Len(), RoutersFromA: known(b.FromA), RoutersFromB: known(b.FromB), Note: boxNote(b)})
	}
	return m, in.delays(s, &m)
}

func known(n int) *int {
	if n == infer.Unknown {
		return nil
	}
	return &n
}

func (in *Input) evidence(l []infer.Evidence) []model.Evidence {
	out := []model.Evidence{}
	for _, e := range l {
		frame := uint32(0)
		if e.Frame >= 0 {
			frame = uint32(in.Caps[e.Capture].Frame(uint32(e.Frame)))
		}
		out = append(out, model.Evidence{Capture: in.Points[e.Capture].Name, Frame: frame, Field: e.Field, Value: e.Value})
	}
	return out
}

// findings puts the findings into the document, in the order of weight that package infer gave them.
func (in *Input) findings(d *model.Document) {
	for _, x := range in.Findings {
		m := model.Finding{ID: x.ID, Severity: x.Severity, Confidence: x.Confidence, Title: x.Title, Detail: x.Detail, Inferred: x.Inferred, Next: x.Next,
			Flows: []uint32{}, Evidence: in.evidence(x.Evidence), Explains: []string{}}
		for _, f := range x.Flows {
			m.Flows = append(m.Flows, f.ID)
		}
		m.Explains = append(m.Explains, x.Explains...)
		if x.Segment != nil {
			m.Segment = &[2]string{in.Points[x.Segment.A].Name, in.Points[x.Segment.B].Name}
		}
		d.Findings = append(d.Findings, m)
	}
}

func (in *Input) summary(d *model.Document) {
	s := &d.Summary
	s.Generator, s.Notes = in.Generator, in.Notes
	s.Flows = int64(len(in.Flows))
	s.FlowsCut = len(d.Flows) < len(in.Flows)
	s.Outcomes = map[string]int64{}
	for _, st := range in.State {
		s.Outcomes[st.Outcome]++
	}
	for c, src := range in.Caps {
		s.Frames += int64(src.Len())
		s.Matched += d.Captures[c].Fates[infer.FateDelivered.String()]
		for name, n := range src.Oddities {
			if s.Oddities == nil {
				s.Oddities = map[string]int64{}
			}
			s.Oddities[fmt.Sprintf("%s: %s", in.Points[c].Name, name)] = n
		}
	}
}

// names are the points' names of a path.
func (in *Input) names(path []int) []string {
	out := make([]string, 0, len(path))
	for _, c := range path {
		out = append(out, in.Points[c].Name)
	}
	return out
}

// order lists the conversations that the document shows: those that failed first where there are too many.
func (in *Input) order() []int {
	most := min(flowsMost, max(flowsLeast, seenMost/len(in.Caps)))
	var of [weights][]int
	for i, s := range in.State {
		w := weight(s)
		if len(of[w]) < most {
			of[w] = append(of[w], i)
		}
	}
	var ix []int
	for w := range of {
		ix = append(ix, of[w][:min(len(of[w]), most-len(ix))]...)
	}
	slices.Sort(ix)
	return ix
}

const weights = 3

// weight is how little there is to ask about a conversation, below weights.
func weight(s *infer.State) int {
	switch s.Outcome {
	case "ok", "open":
		return 2
	case "reset", "no-answer":
		return 1
	}
	return 0
}
