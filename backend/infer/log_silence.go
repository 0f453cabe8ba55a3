package infer

import (
	"fmt"

	"github.com/corr-dev/corr/backend/match"
)

var logUnseenDrop = rule{Doc{ID: "log-unseen-drop", weight: 60,
	Title:   "The log drops what no capture holds",
	Meaning: "The device saw and dropped packets between these hosts that passed no capture point: they came another way, or a capture filter hides them.",
	Sign:    "A record of a drop, while the captures ran, names two hosts that the captures hold conversations of, and ports that they hold none of.",
	Not:     "Where the log's clock is not known, so that the record may be of another hour."},
	func(v *Verdict) []*Finding {
		if len(v.Unseen) == 0 {
			return nil
		}
		x := &Finding{Severity: Warn, Confidence: 80}
		r := &v.Unseen[0]
		for i := range v.Unseen {
			if f := v.flow(v.Unseen[i].Flows[0]); f != nil && len(x.Evidence) < evidenceMost {
				c := v.anywhere(f)
				x.Evidence = append(x.Evidence, Evidence{c, v.first(f, c, 0), "ip.addr", v.Unseen[i].From.Addr().String()})
			}
		}
		x.Title = fmt.Sprintf("the log drops %s → %s, of which no capture has a frame", r.From, r.To)
		if n := len(v.Unseen) - 1; n > 0 {
			x.Title += fmt.Sprintf(", and %d more", n)
		}
		x.Detail = fmt.Sprintf("seen: %s:%d says %s; its reason: %s", r.File, r.Line, r.Action, orUnsaid(r.Reason))
		x.Next = fmt.Sprintf("capture on all ways to the device, without a filter on ports; the record is %s:%d: %s", r.File, r.Line, r.Text)
		return []*Finding{x}
	}}

var logSilent = rule{Doc{ID: "log-silent", weight: 40,
	Title:   "A conversation that failed has no record in the logs given",
	Meaning: "Another device, or another log of the same one, holds the record: devices log accepted and dropped traffic in different places.",
	Sign:    "Logs were given and speak of some conversations, and one that failed between the points has no record.",
	Not:     "Where the logs speak of no conversation at all: then they are the wrong ones, as the notes on them say."},
	func(v *Verdict) []*Finding {
		if len(v.Logs) == 0 {
			return nil
		}
		told := map[uint32]bool{}
		for i := range v.Logs {
			for _, id := range v.Logs[i].Flows {
				told[id] = true
			}
		}
		x := &Finding{Severity: Note, Confidence: 90}
		for _, f := range v.Flows {
			if told[f.ID] || !v.failed(f) {
				continue
			}
			if len(x.Flows) == 0 {
				c := v.anywhere(f)
				x.Detail = fmt.Sprintf("seen: %s is %s, and no record names it", v.tuple(f, c), v.State[f.ID-1].Outcome)
				x.Next = fmt.Sprintf("ask for the log of what stands between the points that holds %s around %s UTC by the clock of %s, drops included", v.tuple(f, c), v.clockTime(c, v.first(f, c, 0)), v.point(c))
			}
			if len(x.Evidence) < evidenceMost {
				c := v.anywhere(f)
				x.Evidence = append(x.Evidence, Evidence{c, v.first(f, c, 0), "corr.log", "none"})
			}
			x.Flows = append(x.Flows, f)
		}
		if len(x.Flows) == 0 {
			return nil
		}
		x.Title = fmt.Sprintf("no record of %s, which failed, in the logs given", v.several(x.Flows))
		return []*Finding{x}
	}}

// flow is the conversation of a number; nil if there is none.
func (v *Verdict) flow(id uint32) *match.Flow {
	if id == 0 || int(id) > len(v.Flows) {
		return nil
	}
	return v.Flows[id-1]
}
