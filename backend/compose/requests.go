package compose

import (
	"cmp"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/exchange"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/model"
)

// requestsMost bounds the requests that the document lists; of more the slowest are kept.
const requestsMost = 2000

// requests lists the requests that were tied across a proxy, or that it answered itself, with the time that each part of the
// way took. What one recorder saw of both ends of a part is exact; what lies between two recorders is off by no more than
// their clocks.
func (in *Input) requests(d *model.Document) {
	for i := range in.Exchanges.Claims {
		c := &in.Exchanges.Claims[i]
		if x, ok := in.request(c.Front, c.Back, c.Confidence); ok {
			d.Requests = append(d.Requests, x)
		}
	}
	for i := range in.Exchanges.Owns {
		o := &in.Exchanges.Owns[i]
		if x, ok := in.request(o.Front, nil, o.Confidence); ok {
			d.Requests = append(d.Requests, x)
		}
	}
	if n := len(d.Requests); n > requestsMost {
		slices.SortStableFunc(d.Requests, func(x, y model.Request) int { return cmp.Compare(slowness(&y), slowness(&x)) })
		d.Requests, d.Summary.RequestsCut = d.Requests[:requestsMost], true
	}
	slices.SortStableFunc(d.Requests, func(x, y model.Request) int {
		return cmp.Or(cmp.Compare(x.Front.Capture, y.Front.Capture), cmp.Compare(x.Front.Frame, y.Front.Frame))
	})
}

func slowness(r *model.Request) float64 {
	if r.TotalS == nil {
		return -1
	}
	return *r.TotalS
}

// request words one; ok is false where its conversations are not known.
func (in *Input) request(f, b *exchange.Exchange, confidence int) (x model.Request, ok bool) {
	front := in.FlowOf[f.Conv.Capture][f.Conv.ID]
	if front == nil || len(f.Request.Pieces) == 0 {
		return x, false
	}
	x = model.Request{Flow: front.ID, Front: in.requestAt(f), Confidence: confidence}
	// What a recorder missed may have come before what is there, or behind it.
	if f.Replied() && f.Request.Begun() && f.Answer.Ended() {
		x.TotalS = seconds(int64(f.Answer.End - f.Request.Start))
		if f.Request.Ended() && f.Answer.Begun() {
			x.ClientS = seconds(int64(f.Request.End-f.Request.Start) + int64(f.Answer.End-f.Answer.Start))
		}
	}
	if b == nil {
		return x, true
	}
	back := in.FlowOf[b.Conv.Capture][b.Conv.ID]
	if back == nil || len(b.Request.Pieces) == 0 {
		return x, false
	}
	at := in.requestAt(b)
	x.FlowBack, x.Back = &back.ID, &at
	if b.Replied() && b.Request.Ended() && b.Answer.Begun() {
		x.BackendS = seconds(int64(b.Answer.Start - b.Request.End))
	}
	e := in.PairError(f.Conv.Capture, b.Conv.Capture)
	if e < 0 {
		return x, true
	}
	x.ErrorS = seconds(e)
	if f.Request.Ended() && b.Request.Begun() {
		x.RequestS = in.apart(f.Conv.Capture, last(&f.Request), f.Request.End, b.Conv.Capture, first(&b.Request), b.Request.Start)
	}
	if f.Replied() && b.Replied() && f.Answer.Begun() && b.Answer.Begun() {
		x.AnswerS = in.apart(b.Conv.Capture, first(&b.Answer), b.Answer.Start, f.Conv.Capture, first(&f.Answer), f.Answer.Start)
	}
	return x, true
}

func (in *Input) requestAt(e *exchange.Exchange) model.RequestAt {
	at := model.RequestAt{Capture: in.Points[e.Conv.Capture].Name, Frame: uint32(in.Caps[e.Conv.Capture].Frame(first(&e.Request)))}
	if e.Replied() && len(e.Answer.Pieces) > 0 {
		n := uint32(in.Caps[e.Conv.Capture].Frame(first(&e.Answer)))
		at.Answer = &n
	}
	return at
}

func first(p *exchange.Part) uint32 { return p.Pieces[0].Frame }
func last(p *exchange.Part) uint32  { return p.Pieces[len(p.Pieces)-1].Frame }

// apart is the time from one instant to another at another capture, seconds on the reference clock; nil where the clocks are
// not related.
func (in *Input) apart(c int, i uint32, t capture.LocalTime, o int, k uint32, u capture.LocalTime) *float64 {
	from, ok := in.Clocks.Time(c, i, t)
	to, ok2 := in.Clocks.Time(o, k, u)
	if !ok || !ok2 || in.At(c, i).Is(flow.MarkNoTime) || in.At(o, k).Is(flow.MarkNoTime) {
		return nil
	}
	return seconds(int64(to - from))
}
