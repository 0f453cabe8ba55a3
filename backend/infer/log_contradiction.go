package infer

import (
	"fmt"

	"github.com/corr-dev/corr/backend/logs"
	"github.com/corr-dev/corr/backend/match"
)

var logContradiction = rule{Doc{ID: "log-contradiction", weight: 110,
	Title:    "The log says one thing here and another there, or the packets say otherwise",
	Meaning:  "A device may accept a connection by one rule and drop what comes back by another; the second record, its tuple turned round, is easy to miss.",
	Sign:     "Records of one conversation both accept and drop, or a record accepts what the packets show to be cut on the way.",
	Not:      "Where all records say the same as the packets.",
	Explains: []string{"closed-by-middlebox", "message-not-delivered", "close-contradiction", "answer-too-fast", "syn-not-delivered", "synack-not-delivered", "rst-injected"}},
	func(v *Verdict) (out []*Finding) {
		by := map[uint32][]int{}
		for i := range v.Logs {
			for _, id := range v.Logs[i].Flows {
				by[id] = append(by[id], i)
			}
		}
		for _, f := range v.Flows {
			var yes, no *logs.Tied
			for _, i := range by[f.ID] {
				switch x := &v.Logs[i]; {
				case logs.Dropped(x.Action) && no == nil:
					no = x
				case logs.Accepted(x.Action) && yes == nil:
					yes = x
				}
			}
			bad := v.failed(f)
			if no == nil || yes == nil && !bad {
				if yes == nil || !bad {
					continue
				}
			}
			out = append(out, v.contradiction(f, yes, no, bad))
			if len(out) >= 50 {
				break
			}
		}
		return out
	}}

// contradiction words what the records say of one conversation.
func (v *Verdict) contradiction(f *match.Flow, yes, no *logs.Tied, bad bool) *Finding {
	x := &Finding{Severity: Warn, Confidence: 95, Flows: []*match.Flow{f}}
	if bad {
		x.Severity = Error
	}
	where := v.anywhere(f)
	name := v.tuple(f, where)
	for c, s := range f.Sides {
		if s != nil {
			x.Evidence = append(x.Evidence, Evidence{c, v.first(f, c, 0), "corr.log.action", actionOf(yes, no)})
		}
	}
	switch {
	case yes != nil && no != nil:
		x.Title = fmt.Sprintf("the log accepts %s and drops %s", name, direction(no))
		x.Detail = fmt.Sprintf("seen: %s:%d says %s, %s:%d says %s", yes.File, yes.Line, yes.Action, no.File, no.Line, no.Action)
	case no != nil:
		x.Title = fmt.Sprintf("the log drops %s of %s", direction(no), name)
		x.Detail = fmt.Sprintf("seen: %s:%d says %s; the conversation is %s", no.File, no.Line, no.Action, v.State[f.ID-1].Outcome)
	default:
		x.Title = fmt.Sprintf("the log accepts %s, the packets show that it was cut on the way", name)
		x.Detail = fmt.Sprintf("seen: %s:%d says %s; the conversation is %s", yes.File, yes.Line, yes.Action, v.State[f.ID-1].Outcome)
		x.Next = fmt.Sprintf("ask for the other logs of the same device, and with the tuple turned round; the record is %s:%d: %s", yes.File, yes.Line, yes.Text)
		return x
	}
	x.Next = fmt.Sprintf("have the rule or inspection behind this record changed; its reason: %s; %s:%d: %s", orUnsaid(no.Reason), no.File, no.Line, no.Text)
	return x
}

func actionOf(yes, no *logs.Tied) string {
	if no != nil {
		return no.Action
	}
	return yes.Action
}

func direction(t *logs.Tied) string {
	if t.Turned {
		return "what comes back"
	}
	return "what is sent"
}

func orUnsaid(s string) string {
	if s == "" {
		return "none given"
	}
	return fmt.Sprintf("%q", s)
}
