package infer

import (
	"fmt"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// shutLeast is how long, ns, a window must stay shut to be told: a busy application reads again sooner.
const shutLeast = 1_000_000_000

var zeroWindow = rule{Doc{ID: "zero-window", weight: 85,
	Title:    "An application does not read what it is sent",
	Meaning:  "The receiver's window is shut (RFC 9293 §3.8.6): its host has taken as much as it may keep for an application that does not fetch it. The network delivers all it is given.",
	Sign:     "At the point nearest to an end, that end says that it takes zero bytes, and for a second or more says nothing else, or never again.",
	Not:      "Where the window opens again within a second; in a RST, whose window means nothing.",
	Explains: []string{"message-not-delivered"}},
	func(v *Verdict) (out []*Finding) {
		for n, f := range v.Flows {
			if f.Proto != flow.ProtoTCP {
				continue
			}
			for d := range 2 {
				if len(f.Path[d]) == 0 {
					continue
				}
				if x := v.shut(f, v.State[n], d); x != nil {
					out = append(out, x)
				}
			}
			if len(out) >= 20 {
				break // more of the same kind tell nothing new
			}
		}
		return out
	}}

// shut finds the longest time that the end which direction d comes from kept its window at zero.
func (v *Verdict) shut(f *match.Flow, st *State, d int) *Finding {
	c := f.Path[d][0]
	if st.Ends[c].Shut[d] < 0 {
		return nil
	}
	s := f.Sides[c]
	longest, from, to := int64(0), int64(-1), int64(-1)
	for _, id := range s.Convs {
		begin, last := int64(-1), int64(-1)
		note := func(end, at int64) {
			if begin < 0 {
				return
			}
			if t := int64(s.Cap.At(uint32(at)).Time() - s.Cap.At(uint32(begin)).Time()); t > longest {
				longest, from, to = t, begin, end
			}
			begin = -1
		}
		for i := range flow.UpTo(s.Cap.Span(id)) {
			x := s.Cap.At(i)
			if x.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate|flow.MarkNoTime) != 0 {
				continue
			}
			last = int64(i)
			switch {
			case s.Dir(i) != d || x.Flags()&(decode.ACK|decode.RST) != decode.ACK:
			case x.Window > 0:
				note(int64(i), int64(i))
			case begin < 0:
				begin = int64(i)
			}
		}
		note(-1, last)
	}
	if longest < shutLeast {
		return nil
	}
	who := v.end(f, d)
	x := &Finding{Severity: Note, Confidence: 95, Flows: []*match.Flow{f}, Evidence: []Evidence{{c, from, "tcp.window_size_value", "0"}}}
	x.Title = fmt.Sprintf("the %s of %s does not read what it is sent: its window is shut for %s", who, v.tuple(f, c), millis(longest))
	x.Detail = fmt.Sprintf("seen: from %s on the %s takes zero bytes", v.frame(c, from), who)
	if to >= 0 {
		x.Evidence = append(x.Evidence, Evidence{c, to, "tcp.window_size_value", fmt.Sprint(v.At(c, uint32(to)).Window)})
		x.Detail += fmt.Sprintf(", until %s", v.frame(c, to))
	} else {
		x.Severity = Warn
		x.Detail += ", and to the last frame never any again"
	}
	x.Inferred = "its application does not fetch what has arrived; the network is not in the way"
	x.Next = fmt.Sprintf("look at the application on the %s around %s UTC by the clock of %s: what does it wait for?", who, v.clockTime(c, from), v.point(c))
	return x
}
