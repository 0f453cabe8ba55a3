package infer

import (
	"slices"

	"github.com/corr-dev/corr/backend/match"
)

// Finding is one statement, with its proof.
type Finding struct {
	ID         string
	Severity   string // error, warn, note, chat
	Confidence int    // percent
	Flows      []*match.Flow
	Segment    *Segment
	Title      string // one line that stands alone
	Detail     string // what was seen
	Inferred   string // what follows from it, "" if the title says all
	Next       string // whom to ask for what, or the command that verifies
	Evidence   []Evidence
	Explains   []string // ids of findings that are consequences of this one
}

// Severities, Wireshark's words.
const (
	Error = "error"
	Warn  = "warn"
	Note  = "note"
	Chat  = "chat"
)

// Doc describes a kind of finding. Reference pages and corr explain are made from it.
type Doc struct {
	ID       string
	Title    string
	Meaning  string // what it means to the analyst
	Sign     string // what is seen that makes it
	Not      string // when it is not told
	Explains []string
	weight   int // of what explains a failure, higher first
}

// rule finds one kind of finding.
type rule struct {
	Doc
	find func(v *Verdict) []*Finding
}

// Docs lists all kinds of findings, in order of weight.
func Docs() []Doc {
	var out []Doc
	for _, r := range rules {
		out = append(out, r.Doc)
	}
	slices.SortStableFunc(out, func(a, b Doc) int { return b.weight - a.weight })
	return out
}

// findings runs all rules and sorts what they say: severity, then the kind's weight, then how many conversations it is
// about. A cause lists the consequences that it explains on conversations of its own.
func (v *Verdict) findings() {
	found := make([][]*Finding, len(rules))
	var tasks []func()
	for k := range slices.Backward(rules) { // those that look at every packet stand last, and are not to be waited for at the end
		tasks = append(tasks, func() { found[k] = rules[k].find(v) })
	}
	v.atOnce(tasks)
	for k, l := range found {
		for _, f := range l {
			f.ID = rules[k].ID
			v.Findings = append(v.Findings, f)
			if c := conditionOf[f.ID]; c != "" {
				v.condition(f, c)
			}
		}
	}
	weight := map[string]int{}
	explains := map[string][]string{}
	for _, r := range rules {
		weight[r.ID] = r.weight
		explains[r.ID] = r.Doc.Explains
	}
	for _, f := range v.Findings {
		for _, g := range v.Findings {
			if f != g && slices.Contains(explains[f.ID], g.ID) && related(f, g) && !slices.Contains(f.Explains, g.ID) {
				f.Explains = append(f.Explains, g.ID)
			}
		}
	}
	rank := map[string]int{Error: 3, Warn: 2, Note: 1}
	slices.SortStableFunc(v.Findings, func(a, b *Finding) int {
		if c := rank[b.Severity] - rank[a.Severity]; c != 0 {
			return c
		}
		if c := weight[b.ID] - weight[a.ID]; c != 0 {
			return c
		}
		return len(b.Flows) - len(a.Flows)
	})
}

// conditionOf are findings that say what a stretch does to packets without any device meaning to.
var conditionOf = map[string]string{"reordering": "reordering", "duplicates": "duplication"}

// condition notes a finding as a condition of its stretch, or of all stretches of its capture.
func (v *Verdict) condition(f *Finding, c string) {
	for _, s := range v.Segments {
		if s == f.Segment || f.Segment == nil && len(f.Evidence) > 0 && (s.A == f.Evidence[0].Capture || s.B == f.Evidence[0].Capture) {
			if !slices.Contains(s.Conditions, c) {
				s.Conditions = append(s.Conditions, c)
			}
		}
	}
}

// related reports whether two findings speak of the same conversations or stretch.
func related(f, g *Finding) bool {
	if f.Segment != nil && f.Segment == g.Segment {
		return true
	}
	for _, x := range f.Flows {
		if slices.Contains(g.Flows, x) {
			return true
		}
	}
	return len(f.Flows) == 0 || len(g.Flows) == 0
}
