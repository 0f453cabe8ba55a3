package compose

import (
	"cmp"
	"fmt"
	"math/bits"
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
	t := tracer{in: in, f: f, pens: pens, about: about, done: map[frameAt]bool{}, rank: make([]int, len(in.Caps))}
	type packet struct {
		c, d  int
		i     uint32
		again int // the one that it repeats, -1 none
		at    int64
		keep  bool
	}
	var l []packet
	for d := 0; d < 2; d++ {
		first := map[[4]uint32]int{} // point, seq, len, flags → packet, for retransmissions
		for _, c := range t.direct(d) {
			s := f.Sides[c]
			for k, id := range s.Convs {
				from, to := s.Cap.Span(id)
				dir := d ^ s.Forward[k]
				for i := from; i < min(to, from+scanMost); i++ {
					x := s.Cap.At(i)
					copied := x.Is(flow.MarkDuplicate)
					if x.Dir() != dir || t.done[frameAt{c, i}] || copied && in.Routers[c] { // a router records all twice
						continue
					}
					p := packet{c: c, d: d, i: i, again: -1}
					p.at, p.keep = t.look(c, i)
					k := [4]uint32{uint32(c), x.Seq, x.Len(), uint32(x.Flags())}
					switch o, again := first[k]; {
					case copied:
					case again && f.Proto == flow.ProtoTCP && (x.Len() > 0 || x.Flags()&(decode.SYN|decode.FIN) != 0):
						p.again = o
					default:
						first[k] = len(l)
					}
					l = append(l, p)
				}
			}
		}
	}
	ix := make([]int, len(l))
	for i := range ix {
		ix[i] = i
	}
	slices.SortStableFunc(ix, func(a, b int) int { return cmp.Compare(l[a].at, l[b].at) })
	place, shown := map[int]int{}, ix[:0]
	for n, i := range ix {
		if len(ix) > eventsMost && n >= eventsMost/4 && n < len(ix)-eventsMost/4 && (!l[i].keep || len(shown) >= eventsMost*3/4) {
			skipped++
			continue
		}
		place[i] = len(shown)
		shown = append(shown, i)
	}
	out = make([]model.Event, len(shown))
	for d := range 2 {
		t.direct(d)
		for n, i := range shown {
			p := &l[i]
			if p.d != d {
				continue
			}
			out[n] = t.event(p.c, p.i)
			if o, is := place[p.again]; is && o < n {
				out[n].Retransmits = o
			}
		}
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

// tracer follows the packets of a conversation through all points.
type tracer struct {
	in     *Input
	f      *match.Flow
	pens   []*pen
	about  []map[uint32][]int
	done   map[frameAt]bool // frames of packets that were looked at
	d      int              // the direction at hand,
	rank   []int            // and the place of each capture on its path
	frames []frameAt        // of the packet at hand, and
	parts  []bool           // whether each may carry others' bytes too, or a part only
}

// direct turns to a direction and gives its path.
func (t *tracer) direct(d int) []int {
	path := t.in.pathOf(t.f, d)
	clear(t.rank)
	for k, c := range path {
		t.rank[c] = k
	}
	t.d = d
	return path
}

// follow finds a packet's frames at all points: its own, and from there on those of what went on from each. Where bytes were cut anew
// on one stretch and are on the next again, what is behind that may carry none of the packet's, and is left to itself. It gives the word
// for how they are alike, as an index, and how many header fields differ, over all stretches; in words too if asked.
func (t *tracer) follow(c int, i uint32, words *[]string) (word, differ int) {
	in, rank := t.in, t.rank
	frames, parts := append(t.frames[:0], frameAt{c, i}), append(t.parts[:0], false)
	for n := 0; n < len(frames); n++ {
		y, p := frames[n], t.pens[frames[n].c]
		if rank[y.c] < rank[c] {
			continue
		}
		if p.talk == nil || !in.Caps[y.c].Holds(p.talk.conv, y.i) {
			p.talk = &talk{}
			p.begin(p.talk, in.Caps[y.c].ID(y.i))
		}
		x := in.At(y.c, y.i)
		h := &p.talk.at[x.Dir()]
		p.extra.ChangedText = nil
		p.collect(y.i, t.f, h)
		for k := range p.peers {
			o := &p.peers[k]
			z := frameAt{o.capture, o.frame}
			cut := o.how == match.HowResegment || o.how == match.HowRelayed
			if n > 0 && rank[z.c] <= rank[y.c] || cut && parts[n] || slices.Contains(frames, z) || len(frames) == framesMost {
				continue
			}
			frames, parts = append(frames, z), append(parts, parts[n] || cut)
			g := in.At(z.c, z.i)
			ch := p.differ(y.i, x, o, g, t.f, h)
			differ += bits.OnesCount32(uint32(ch))
			if words != nil && ch != 0 {
				p.word(ch, y.i, x, o, g, t.f, h)
			}
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
		}
		for _, s := range p.extra.ChangedText {
			if !slices.Contains(*words, s) {
				*words = append(*words, s)
			}
		}
	}
	t.frames, t.parts = frames, parts
	return word, differ
}

// fate is what became of the packet at hand.
func (t *tracer) fate() infer.Mark {
	for _, y := range t.frames {
		if m := t.in.Marks[y.c].At(y.i); m.Fate != infer.FateDelivered {
			return m
		}
	}
	return t.in.Marks[t.frames[0].c].At(t.frames[0].i)
}

// look tells of a packet when it was seen first, and whether it shows that something went wrong.
func (t *tracer) look(c int, i uint32) (at int64, keep bool) {
	_, differ := t.follow(c, i, nil)
	at, keep = t.in.when(c, i), t.fate().Fate != infer.FateDelivered
	for _, y := range t.frames {
		t.done[y] = true
		at = min(at, t.in.when(y.c, y.i))
		keep = keep || len(t.about[y.c][y.i]) > 0
	}
	if most := 3 * t.stretches(); !keep && differ > most { // some may be the same on several stretches
		var words []string
		t.follow(c, i, &words)
		keep = len(words) > most
	}
	return at, keep
}

// event describes a packet.
func (t *tracer) event(c int, i uint32) model.Event {
	in := t.in
	e := model.Event{Dir: [...]string{"f", "r"}[t.d], Len: int(in.At(c, i).Len()), Label: in.label(t.f, c, i), Retransmits: -1}
	word, _ := t.follow(c, i, &e.Changed)
	e.Match = matchWords[word]
	m := t.fate()
	if e.Fate, e.Origin = m.Fate.String(), m.Origin.String(); m.Where > 0 {
		e.Where = in.stretch(m)
	}
	for _, z := range t.frames[1:] {
		if e.Label == "" || e.Label == size(in.At(z.c, z.i)) {
			e.Label = in.label(t.f, z.c, z.i)
		}
	}
	slices.SortStableFunc(t.frames, func(a, b frameAt) int { return t.rank[a.c] - t.rank[b.c] })
	e.Seen = make([]model.Seen, 0, len(t.frames))
	for _, y := range t.frames {
		e.Seen = append(e.Seen, model.Seen{Capture: in.Points[y.c].Name, Frame: uint32(in.Caps[y.c].Frame(y.i)), TimeNS: in.when(y.c, y.i), ErrorNS: in.Clocks.Of[y.c].Error})
		for _, n := range t.about[y.c][y.i] {
			if id := in.Findings[n].ID; !slices.Contains(e.Findings, id) {
				e.Findings = append(e.Findings, id)
			}
		}
	}
	return e
}

// stretches is how many lie between the points that saw the packet at hand, one at least.
func (t *tracer) stretches() int {
	seen := 0
	for n, y := range t.frames {
		if !slices.ContainsFunc(t.frames[:n], func(z frameAt) bool { return z.c == y.c }) {
			seen++
		}
	}
	return max(1, seen-1)
}

// framesMost bounds the frames that an event names: what a proxy cuts anew has many counterparts, and theirs have more.
const framesMost = 256

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
