package compose

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/model"
)

// Bounds of ladders in the document: conversations that have one, events of each. Long conversations keep their begin,
// their end and whatever went wrong between.
const (
	laddersMost = 60
	eventsMost  = 160
	scanMost    = 20000 // frames of a conversation that are looked at
)

// ladders draws the conversations that somebody will ask about: those that failed or that findings name, then others.
func (in *Input) ladders(d *model.Document) {
	ix := make([]int, len(d.Flows))
	for i := range ix {
		ix[i] = i
	}
	score := func(f *model.Flow) int {
		s := len(f.Findings)
		if f.Outcome != "ok" && f.Outcome != "open" {
			s += 100
		}
		return s
	}
	slices.SortStableFunc(ix, func(a, b int) int { return score(&d.Flows[b]) - score(&d.Flows[a]) })
	about := in.findingsOf()
	ix = ix[:min(len(ix), laddersMost)]
	atOnce(len(ix), func() func(k int) {
		pens := make([]*pen, len(in.Caps))
		for c := range pens {
			pens[c] = in.newPen(c, nil)
		}
		return func(k int) {
			m := &d.Flows[ix[k]]
			m.Ladder, m.LadderSkipped = in.ladder(in.Flows[m.ID-1], pens, about)
		}
	})
}

// atOnce calls f(0) … f(n-1) on all cores; every worker gets a function of its own.
func atOnce(n int, make func() func(k int)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			f := make()
			for k := int(next.Add(1)) - 1; k < n; k = int(next.Add(1)) - 1 {
				f(k)
			}
		})
	}
	wg.Wait()
}

// each fills a list with f(0) … f(n-1), on all cores.
func each[T any](l []T, f func(k int) T) {
	atOnce(len(l), func() func(k int) { return func(k int) { l[k] = f(k) } })
}

// frameAt names a frame.
type frameAt struct {
	c int
	i uint32
}

// ladder lists a conversation's packets in the order of time.
func (in *Input) ladder(f *match.Flow, pens []*pen, about []map[uint32][]int) (out []model.Event, skipped int) {
	done := map[frameAt]bool{}
	type timed struct {
		model.Event
		at   int64
		keep bool
	}
	var l []timed
	for d := 0; d < 2; d++ {
		first := map[[4]uint32]int{} // point, seq, len, flags → event, for retransmissions
		path := in.pathOf(f, d)
		rank := make([]int, len(in.Caps))
		for k, c := range path {
			rank[c] = k
		}
		for _, c := range path {
			s := f.Sides[c]
			for _, id := range s.Convs {
				from, to := s.Cap.Span(id)
				for i := from; i < min(to, from+scanMost); i++ {
					x := s.Cap.At(i)
					copied := x.Is(flow.MarkDuplicate)
					if s.Dir(i) != d || done[frameAt{c, i}] || copied && in.Routers[c] { // a router records all twice
						continue
					}
					e, at := in.event(f, pens, c, i, d, rank, done, about)
					keep := e.Fate != "delivered" || len(e.Findings) > 0 || len(e.Changed) > 3*stretches(&e)
					k := [4]uint32{uint32(c), x.Seq, x.Len(), uint32(x.Flags())}
					switch o, again := first[k]; {
					case copied:
					case again && f.Proto == flow.ProtoTCP && (x.Len() > 0 || x.Flags()&(decode.SYN|decode.FIN) != 0):
						e.Retransmits = o
					default:
						first[k] = len(l)
					}
					l = append(l, timed{e, at, keep})
				}
			}
		}
	}
	ix := make([]int, len(l))
	for i := range ix {
		ix[i] = i
	}
	slices.SortStableFunc(ix, func(a, b int) int { return cmp.Compare(l[a].at, l[b].at) })
	place := map[int]int{}
	for n, i := range ix {
		if len(ix) > eventsMost && n >= eventsMost/4 && n < len(ix)-eventsMost/4 && (!l[i].keep || len(out) >= eventsMost*3/4) {
			skipped++
			continue
		}
		place[i] = len(out)
		e := l[i].Event
		if e.Retransmits >= 0 {
			if o, shown := place[e.Retransmits]; shown {
				e.Retransmits = o
			} else {
				e.Retransmits = -1
			}
		}
		out = append(out, e)
	}
	return out, skipped
}

// pathOf lists the captures that saw a direction: those on its path in order, then any others.
func (in *Input) pathOf(f *match.Flow, d int) []int {
	p := slices.Clone(f.Path[d])
	for _, c := range in.Order {
		if f.Sides[c] != nil && !slices.Contains(p, c) {
			p = append(p, c)
		}
	}
	return p
}

// framesMost bounds the frames that an event names: what a proxy cuts anew has many counterparts, and theirs have more.
const framesMost = 256

// event gathers a packet's frames at all points, which rank puts in order: its own, and from there on those of what went on from each. Where
// bytes were cut anew on one stretch and are on the next again, what is behind that may carry none of the packet's, and is left to itself.
func (in *Input) event(f *match.Flow, pens []*pen, c int, i uint32, d int, rank []int, done map[frameAt]bool, about []map[uint32][]int) (model.Event, int64) {
	m := in.Marks[c].At(i)
	e := model.Event{Dir: "f", Len: int(in.At(c, i).Len()), Label: in.label(f, c, i), Fate: m.Fate.String(), Origin: m.Origin.String(), Retransmits: -1}
	if d == 1 {
		e.Dir = "r"
	}
	if m.Where > 0 {
		e.Where = in.stretch(m)
	}
	frames, parts := append(pens[c].frames[:0], frameAt{c, i}), append(pens[c].parts[:0], false)
	word := 0
	for n := 0; n < len(frames); n++ {
		y, p := frames[n], pens[frames[n].c]
		if rank[y.c] < rank[c] {
			continue
		}
		if id := in.Caps[y.c].ID(y.i); p.talk == nil || p.talk.conv != id {
			p.talk = &talk{}
			p.begin(p.talk, id)
		}
		x := in.At(y.c, y.i)
		h := &p.talk.at[x.Dir()]
		p.extra.ChangedText = nil
		p.collect(y.i, f, h)
		for k := range p.peers {
			o := &p.peers[k]
			z := frameAt{o.capture, o.frame}
			cut := o.how == match.HowResegment || o.how == match.HowRelayed
			if n > 0 && rank[z.c] <= rank[y.c] || cut && parts[n] || slices.Contains(frames, z) || len(frames) == framesMost {
				continue
			}
			frames, parts = append(frames, z), append(parts, parts[n] || cut)
			g := in.At(z.c, z.i)
			ch := p.compare(y.i, x, o, g, f, h)
			switch {
			case o.how == match.HowRelayed || o.how == match.HowLogical:
				word = max(word, matchRelayed)
			case o.how == match.HowResegment:
				word = max(word, matchResegmented)
			case ch != 0:
				word = max(word, matchRewritten)
			default:
				word = max(word, matchIdentical)
			}
			if e.Label == "" || e.Label == size(g) {
				e.Label = in.label(f, z.c, z.i)
			}
			if k := in.Marks[z.c].At(z.i); e.Fate == "delivered" && k.Fate != infer.FateDelivered {
				if e.Fate, e.Origin = k.Fate.String(), k.Origin.String(); k.Where > 0 {
					e.Where = in.stretch(k)
				}
			}
		}
		for _, t := range p.extra.ChangedText {
			if !slices.Contains(e.Changed, t) {
				e.Changed = append(e.Changed, t)
			}
		}
	}
	e.Match = matchWords[word]
	at := in.when(c, i)
	slices.SortStableFunc(frames, func(a, b frameAt) int { return rank[a.c] - rank[b.c] })
	e.Seen = make([]model.Seen, 0, len(frames))
	for _, y := range frames {
		done[y] = true
		bound, when := in.Clocks.Of[y.c].Error, in.when(y.c, y.i)
		e.Seen = append(e.Seen, model.Seen{Capture: in.Points[y.c].Name, Frame: uint32(in.Caps[y.c].Frame(y.i)), TimeNS: when, ErrorNS: bound})
		at = min(at, when)
		for _, n := range about[y.c][y.i] {
			if id := in.Findings[n].ID; !slices.Contains(e.Findings, id) {
				e.Findings = append(e.Findings, id)
			}
		}
	}
	pens[c].frames, pens[c].parts = frames, parts
	return e, at
}

// stretches is how many lie between the points that saw a packet, one at least.
func stretches(e *model.Event) int {
	n := 0
	for k := 1; k < len(e.Seen); k++ {
		if e.Seen[k].Capture != e.Seen[k-1].Capture {
			n++
		}
	}
	return max(1, n)
}

// stretch names the one where a packet ended or began.
func (in *Input) stretch(m infer.Mark) string {
	s := in.Segments[m.Where-1]
	return in.Points[s.A].Name + " > " + in.Points[s.B].Name
}

// label names a packet: its message, else its flags, else its size.
func (in *Input) label(f *match.Flow, c int, i uint32) string {
	x := in.At(c, i)
	switch {
	case in.Messages[c][i] != "":
		return in.Messages[c][i]
	case x.Is(flow.MarkError):
		return "ICMP error"
	case f.Proto == flow.ProtoTCP && x.Flags()&(decode.SYN|decode.FIN|decode.RST) != 0:
		return infer.FlagNames(x.Flags())
	case x.Len() == 0 && f.Proto == flow.ProtoTCP:
		return "ACK"
	}
	return size(x)
}

func size(x *flow.Fact) string { return fmt.Sprintf("%d bytes", x.Len()) }
