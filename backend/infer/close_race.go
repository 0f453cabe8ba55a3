package infer

import (
	"fmt"
	"slices"
	"time"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

var closeRace = rule{Doc{ID: "close-race", weight: 92,
	Title:   "A request and the server's close crossed on the way",
	Meaning: "The server ended an idle connection while a request was on its way to it. Neither did wrong; the request is lost, and only some clients send it again (RFC 9110 §9.2.2 allows it for idempotent ones).",
	Sign:    "At the client's point the request leaves before the server's FIN comes; at the server's point the FIN leaves before the request comes, and the server answers with a RST. Each point's own order says so: no clock is needed.",
	Not:     "Where the client had the FIN before it asked, or the server answers; where the client closes first."},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			races := v.races(s, true)
			if len(races) == 0 {
				continue
			}
			x := &Finding{Severity: Error, Confidence: 98, Segment: s}
			for _, r := range races {
				x.Flows = append(x.Flows, r.flow)
				if len(x.Evidence)+3 < evidenceMost {
					x.Evidence = append(x.Evidence, r.evidence()...)
				}
			}
			r := races[0]
			x.Title = fmt.Sprintf("requests of %s and the server's close crossed between %s: %s", plural(len(races), "conversation", "conversations"), v.stretch(s), v.several(x.Flows))
			x.Detail = fmt.Sprintf("seen: at %s data (%s) before the FIN (%s), at %s the FIN (%s) before the data (%s), which a RST answers (%s)", v.point(r.near),
				v.frame(r.near, r.ask[0]), v.frame(r.near, r.fin[0]), v.point(r.far), v.frame(r.far, r.fin[1]), v.frame(r.far, r.ask[1]), v.frame(r.far, r.rst))
			x.Next = fmt.Sprintf("have the client (or the proxy) give idle connections up sooner than the server, which waited %s here; a client may send an idempotent request again", seconds(r.idle))
			out = append(out, x)
		}
		return out
	}}

var earlyClose = rule{Doc{ID: "early-close", weight: 88,
	Title:    "The server ends idle connections sooner than the client assumes",
	Meaning:  "The client (often a proxy with a pool of connections) keeps connections that the server gives up after a fixed time; what it sends on them is lost now and then.",
	Sign:     "A request crossed the server's close, or was sent after it, and the server closes connections that were idle for the same time, again and again.",
	Not:      "Where all closes of idle connections went well: that is how keep-alive ends.",
	Explains: []string{"close-race"}},
	func(v *Verdict) (out []*Finding) {
		for _, s := range v.Segments {
			bad := slices.Concat(v.races(s, true), v.races(s, false))
			if len(bad) == 0 {
				continue
			}
			idle, n, ok := v.idleCloses(s, bad[0])
			if !ok {
				continue
			}
			x := &Finding{Severity: Error, Confidence: 90, Segment: s}
			for _, r := range bad {
				x.Flows = append(x.Flows, r.flow)
				if len(x.Evidence)+3 < evidenceMost {
					x.Evidence = append(x.Evidence, r.evidence()...)
				}
			}
			t := bad[0].flow.Tuple(bad[0].far)
			x.Title = fmt.Sprintf("the server %s ends connections that were idle for about %s, its client still uses them", endpoint(t.Version, t.Dst, t.Dport, bad[0].flow.Proto), seconds(idle))
			x.Detail = fmt.Sprintf("seen: %s after so long without data; estimated from them: %s", plural(n, "close", "closes"), seconds(idle))
			x.Inferred = "the server's keep-alive time is shorter than its client's"
			x.Next = fmt.Sprintf("set the client's (the proxy's) idle timeout below %s, or the server's keep-alive time above it", seconds(idle))
			out = append(out, x)
		}
		return out
	}}

// race is a request that came to a connection which the server had closed. near is the point nearer to the client; frames
// are those of near and of far.
type race struct {
	flow      *match.Flow
	near, far int
	ask, fin  [2]int64
	rst       int64 // at far
	idle      capture.LocalTime
}

func (r *race) evidence() []Evidence {
	return []Evidence{{r.near, r.ask[0], "tcp.len", ""}, {r.far, r.fin[1], "tcp.flags.fin", "1"}, {r.far, r.rst, "tcp.flags.reset", "1"}}
}

// races lists the conversations of a stretch in which a request and the responder's FIN crossed; or (crossed false) the
// request was sent after the FIN had come.
func (v *Verdict) races(s *Segment, crossed bool) (out []*race) {
	v.each(s, func(f *match.Flow, j *match.Joint) {
		if j.Terminated || f.Proto != flow.ProtoTCP {
			return
		}
		near, far, ok := v.travel(f, 0, s)
		if !ok {
			return
		}
		if r, ok := v.race(s, f, near, far); ok && (r.ask[0] < r.fin[0]) == crossed {
			found := r
			out = append(out, &found)
		}
	})
	return out
}

func (v *Verdict) race(s *Segment, f *match.Flow, near, far int) (r race, is bool) {
	r = race{flow: f, near: near, far: far, rst: -1}
	e := &v.State[f.ID-1].Ends[far]
	if r.fin[1] = e.FIN[1]; r.fin[1] < 0 || e.FIN[0] >= 0 && e.FIN[0] < r.fin[1] || e.RST[0] >= 0 && e.RST[0] < r.fin[1] || e.RST[1] >= 0 && e.RST[1] < r.fin[1] {
		return r, false // the server did not close first
	}
	fin, ok := v.counterpart(s, far, uint32(r.fin[1]))
	if !ok {
		return r, false
	}
	r.fin[0] = int64(fin)
	side := f.Sides[far]
	asked := uint32(0) // behind the initiator's last byte before the FIN
	r.ask[1] = -1
	for _, id := range side.Convs {
		for i := range flow.UpTo(side.Cap.Span(id)) {
			x := side.Cap.At(i)
			if x.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate) != 0 {
				continue
			}
			d := side.Dir(i)
			switch {
			case int64(i) < r.fin[1]:
				if x.Len() > 0 && d == 0 {
					asked = x.Seq + x.Len()
				}
			case d == 0 && x.Len() > 0 && r.ask[1] < 0 && int32(x.Seq-asked) >= 0 && asked != 0:
				r.ask[1] = int64(i) // new data: nothing sent again
			case d == 1 && x.Flags()&decode.RST != 0 && r.ask[1] >= 0 && r.rst < 0:
				r.rst = int64(i)
			case d == 1 && x.Len() > 0:
				return r, false // it still speaks
			}
		}
	}
	if r.ask[1] < 0 || r.rst < 0 {
		return r, false
	}
	ask, ok := v.counterpart(s, far, uint32(r.ask[1]))
	if !ok {
		return r, false
	}
	r.ask[0] = int64(ask)
	r.idle = idleBefore(side, uint32(r.fin[1]))
	return r, true
}

// idleBefore is how long nothing but acknowledgements was sent before a frame of a side; 0 where nothing ever was.
func idleBefore(side *match.Side, at uint32) capture.LocalTime {
	var last capture.LocalTime
	for _, id := range side.Convs {
		for i := range flow.UpTo(side.Cap.Span(id)) {
			if x := side.Cap.At(i); i < at && x.Len() > 0 && x.Mark&(flow.MarkError|flow.MarkDuplicate) == 0 {
				last = max(last, x.Time())
			}
		}
	}
	if last == 0 {
		return 0
	}
	return side.Cap.At(at).Time() - last
}

// idleCloses estimates after which time without data the server of a race closes connections: the median, and how many
// agree with it. ok is false where fewer than two do.
func (v *Verdict) idleCloses(s *Segment, r *race) (idle capture.LocalTime, n int, ok bool) {
	server := r.flow.Tuple(r.far)
	var all []capture.LocalTime
	v.each(s, func(f *match.Flow, j *match.Joint) {
		side := f.Sides[r.far]
		if j.Terminated || f.Proto != flow.ProtoTCP || side == nil {
			return
		}
		if t := f.Tuple(r.far); t.Dst != server.Dst || t.Dport != server.Dport {
			return
		}
		e := &v.State[f.ID-1].Ends[r.far]
		at := e.FIN[1]
		if at < 0 || e.FIN[0] >= 0 && e.FIN[0] < at {
			return
		}
		// Closes right after an answer are no idle ones: look at those like the race's own.
		if t := idleBefore(side, uint32(at)); t >= r.idle*4/5 && t <= r.idle*6/5 {
			all = append(all, t)
		}
	})
	if len(all) < 2 {
		return 0, 0, false
	}
	slices.Sort(all)
	return all[len(all)/2], len(all), true
}

// seconds words a time of patience.
func seconds(t capture.LocalTime) string {
	d := time.Duration(t)
	if d >= 10*time.Second {
		return d.Round(time.Second).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
