package infer

import (
	"fmt"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/clock"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// idleLeast is the silence, ns, from which on a conversation may have been forgotten: a retransmission takes less, and no
// device's timer for established connections is as short (RFC 5382 REQ-5 asks for more than two hours).
const idleLeast = 5_000_000_000

var idleExpired = rule{Doc{ID: "idle-expired", weight: 93,
	Title:    "A device on the path forgets conversations that are silent for long",
	Meaning:  "Firewalls and translations drop the state of connections without traffic. Both ends believe theirs to be open; whoever speaks first speaks to nobody.",
	Sign:     "After a silence longer than any that a conversation survives there, packets and their retransmissions arrive at one point and never at the next, and nothing of the conversation passes any more; or what stands between answers with RST.",
	Not:      "Where another conversation survived a longer silence, or a single packet was lost, or something passes later.",
	Explains: []string{"message-not-delivered", "loss", "rst-injected"}},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			e := s.expired
			if e == nil {
				continue
			}
			x := &Finding{Severity: Error, Segment: s, Confidence: e.confidence(), Flows: e.flows, Evidence: e.evidence}
			x.Title = fmt.Sprintf("what stands between %s forgets conversations that are silent for %s: %s", v.stretch(s), millis(e.fatal), v.several(x.Flows))
			first := e.evidence[0]
			x.Detail = fmt.Sprintf("%s comes %s after the packet before, and like its %d successors never reaches %s", v.frame(first.Capture, first.Frame), millis(e.first.fatal), e.first.lost-1, v.point(s.other(first.Capture)))
			timer := fmt.Sprintf("below %s", millis(e.fatal))
			if e.survived >= idleLeast {
				timer = fmt.Sprintf("between %s and %s (an estimate: the longest silence that a conversation survived, and the shortest that one did not)", millis(e.survived), millis(e.fatal))
			}
			x.Inferred = "its timer lies " + timer
			x.Next = fmt.Sprintf("let the application or TCP keepalive speak more often than that, or ask the owner of what stands between %s for a longer timer", v.stretch(s))
			out = append(out, x)
		}
		return out
	}}

// expiry is what the conversations of a stretch say together of the patience of a device there.
type expiry struct {
	survived, fatal int64 // the longest silence that one survived, and the shortest that one did not, ns
	flows           []*match.Flow
	first           silences // of the first of these
	evidence        []Evidence
}

// confidence grows with the conversations that tell the same.
func (e *expiry) confidence() int { return min(95, 70+5*len(e.flows)) }

// expiry finds conversations that a device on a stretch forgot; nil for none, or where others survived longer silences.
func (v *Verdict) expiry(s *Segment) *expiry {
	e := &expiry{}
	look := func(over bool, see func(f *match.Flow, q silences)) {
		for _, p := range s.passing {
			if p.f.Proto == flow.ProtoTCP && !p.j.Terminated && (v.State[p.n].Outcome == "ok") == over {
				v.Caps[s.A].Store.Visit(2 * Touch)
				see(p.f, v.silences(s, p.f))
			}
		}
	}
	look(false, func(f *match.Flow, q silences) {
		e.survived = max(e.survived, q.survived)
		if q.fatal == 0 {
			return
		}
		if len(e.flows) == 0 {
			e.fatal, e.first = q.fatal, q
		}
		e.fatal = min(e.fatal, q.fatal)
		e.flows = append(e.flows, f)
		if len(e.evidence) < evidenceMost {
			e.evidence = append(e.evidence, q.evidence...)
		}
	})
	if len(e.flows) == 0 {
		return nil
	}
	look(true, func(_ *match.Flow, q silences) { e.survived = max(e.survived, q.survived) }) // what ended well was not forgotten
	if e.survived >= e.fatal {
		return nil
	}
	return e
}

// forgetters names a packet filter that forgets conversations, as Segment.expired tells, where no other box is known there that keeps any
// state of them.
func (v *Verdict) forgetters(s *Segment) {
	if s.expired == nil || slices.ContainsFunc(s.Boxes, func(b *Box) bool { return slices.Contains(stateful, b.Kind) }) {
		return
	}
	x := s.box(PacketFilter)
	x.Confidence = max(x.Confidence, s.expired.confidence())
	for _, f := range s.expired.flows {
		x.Flows.add(f)
		x.change(fmt.Sprintf("tcp/%d", f.Tuple(s.A).Dport), "dropped after "+millis(s.expired.fatal)+" of silence")
	}
	x.prove(s.expired.evidence...)
}

// stateful are the kinds of devices that know the TCP conversations through them, and forget some.
var stateful = []string{SourceNAT, DestinationNAT, DoubleNAT, NAT64, Gateway, SYNProxy, Proxy, TransparentProxy}

// longSilence reports whether a side falls silent for a time that might be idleLeast by the other clock, and between the
// points.
func longSilence(s *match.Side) bool {
	if s == nil {
		return false
	}
	first, last := s.Ends()
	if a, b := s.Cap.At(first), s.Cap.At(last); len(s.Convs) == 1 && (a.Mark|b.Mark)&flow.MarkNoTime == 0 && abs(int(b.Time()-a.Time())) < idleLeast/4 {
		return false // but for some disorder
	}
	for _, id := range s.Convs {
		before := capture.LocalTime(0)
		for i := range flow.UpTo(s.Cap.Span(id)) {
			t := s.Cap.At(i).Time()
			if before != 0 && t-before >= idleLeast/2 {
				return true
			}
			before = t
		}
	}
	return len(s.Convs) > 1
}

// silences is what one conversation says of a device's patience.
type silences struct {
	survived int64 // the longest silence after which something passed, ns
	fatal    int64 // the silence after which nothing passed any more, ns; 0: none
	lost     int   // packets after it
	evidence []Evidence
}

// silences looks at a conversation's packets where they come to a stretch, in both directions.
func (v *Verdict) silences(s *Segment, f *match.Flow) (q silences) {
	if !longSilence(f.Sides[s.A]) && !longSilence(f.Sides[s.B]) {
		return q
	}
	type passing struct {
		t      clock.RefTime
		c      int
		i      uint32
		passed bool
		lost   bool
	}
	var l []passing
	reset := false
	for d := range 2 {
		toB, ok := v.Toward(f, d, s.A, s.B)
		if !ok {
			return q
		}
		near, far := s.A, s.B
		if !toB {
			near, far = far, near
		}
		side := f.Sides[near]
		if side == nil {
			return q
		}
		for _, id := range side.Convs {
			for i := range flow.UpTo(side.Cap.Span(id)) {
				x := side.Cap.At(i)
				if side.Dir(i) != d || x.Mark&(flow.MarkError|flow.MarkDuplicate|flow.MarkNoTime) != 0 {
					continue
				}
				t, ok := v.Time(near, i)
				if !ok {
					return q
				}
				m := v.Marks[near].At(i)
				lost := (m.Fate == FateLost || m.Fate == FateConsumed) && int(m.Where) == s.Index+1
				l = append(l, passing{t, near, i, s.Link != nil && s.Link.Has(near, i), lost})
			}
		}
		if behind := f.Sides[far]; behind != nil {
			for _, id := range behind.Convs {
				for i := range flow.UpTo(behind.Cap.Span(id)) {
					x, m := behind.Cap.At(i), v.Marks[far].At(i)
					reset = reset || behind.Dir(i) == d && x.Flags()&decode.RST != 0 && m.Fate == FateInjected && int(m.Where) == s.Index+1
				}
			}
		}
	}
	slices.SortStableFunc(l, func(a, b passing) int { return int(min(max(a.t-b.t, -1), 1)) })
	last := -1
	for k := range l {
		if !l[k].passed {
			continue
		}
		if last >= 0 && k == last+1 { // nothing was lost in between
			q.survived = max(q.survived, int64(l[k].t-l[last].t))
		}
		last = k
	}
	rest := l[last+1:]
	if last < 0 || len(rest) == 0 || int64(rest[0].t-l[last].t) < idleLeast || slices.ContainsFunc(rest, func(p passing) bool { return !p.lost }) || len(rest) < 2 && !reset {
		return q
	}
	q.fatal, q.lost = int64(rest[0].t-l[last].t), len(rest)
	for _, p := range rest[:min(len(rest), 3)] {
		q.evidence = append(q.evidence, Evidence{p.c, int64(p.i), "corr.fate", v.Marks[p.c].At(p.i).Fate.String()})
	}
	return q
}
