package compose

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/match"
)

// Frames writes every frame's annotation, the captures side by side.
func (in *Input) Frames(ctx context.Context, w *annotate.Writer) error {
	errs, quick := make([]error, len(in.Caps)), make([]int, len(in.Caps))
	about := in.findingsOf()
	told := in.messagePeers()
	recorded := in.logsOf()
	if in.brief() {
		w.Widen()
	}
	var wg sync.WaitGroup
	for c := range in.Caps {
		wg.Add(1)
		go func() {
			defer wg.Done()
			p := in.newPen(c, w)
			p.about, p.messages, p.logs = about[c], told[c], recorded
			errs[c] = p.write(ctx)
			quick[c] = p.quick
		}()
	}
	wg.Wait()
	in.quick = 0
	for _, n := range quick {
		in.quick += n
	}
	return errors.Join(errs...)
}

// briefMost is how many frames conversations have on the average that are brief.
const briefMost = 32

// brief reports whether conversations are so short that windows should be wide, and memory is there for that.
func (in *Input) brief() bool {
	frames := 0
	for _, c := range in.Caps {
		frames = max(frames, c.Len())
	}
	return in.Caps[0].Store == nil && len(in.Flows)*briefMost > frames
}

// findingsOf lists, for each capture and frame, the findings that it is evidence of, as indexes.
func (in *Input) findingsOf() []map[uint32][]int {
	out := make([]map[uint32][]int, len(in.Caps))
	for c := range out {
		out[c] = map[uint32][]int{}
	}
	for n, f := range in.Findings {
		for _, e := range f.Evidence {
			if e.Frame < 0 {
				continue
			}
			m := out[e.Capture]
			l := m[uint32(e.Frame)]
			if len(l) == 0 || l[len(l)-1] != n {
				m[uint32(e.Frame)] = append(l, n)
			}
		}
	}
	return out
}

// pen writes one capture's annotations, conversation by conversation inside of each window of frames.
type pen struct {
	in      *Input
	c       int
	w       *annotate.Writer
	links   []*match.Link // that have this capture as an end
	classes map[lookWords]annotate.ClassID
	recent  [looksKept]struct {
		words lookWords
		id    annotate.ClassID
	}
	about    map[uint32][]int
	logs     map[uint32][]int           // by corr.flow: indexes of log records
	messages map[uint32][]annotate.Peer // message counterparts
	special  []uint64                   // by place: the frame has findings or messages
	pairs    []match.Pair
	peers    []peer
	extra    annotate.Extra
	look     look    // of the frame at hand
	quick    int     // frames written by what those before them shared
	errors   []int64 // by capture: the bound of times that compare it to this one
	talk     *talk
	views    []*view            // by flow
	alike    map[[2]boxes]*view // by always and clamp: of flows that no device drops packets of
}

// looksKept is how many of the last annotation classes are looked at before the map of all.
const looksKept = 16

// talk is what the frames of a conversation share. All that frames ask for lies together: another window comes back to it when
// it was forgotten by the processor.
type talk struct {
	conv flow.ConvID
	flow uint32      // ID of fl, 0 none
	fl   *match.Flow // nil none
	seen *view       // of fl
	at   [2]heading
}

// heading is what the frames of one direction of a conversation share.
type heading struct {
	usual   [usualKept]usual
	further further
	d       int // the flow's direction
	hops    infer.Hop
	routes  []route // by link
	one     [1]route
}

// usual is an annotation's class by what it depends on among the ordinary frames of a direction; key 0: none yet.
type usual struct {
	key  uint64
	peer uint32 // see route.conversation
	link uint32
	id   annotate.ClassID
}

// usualKept is how many classes a direction's frames are looked up in: TTLs and fates vary little.
const usualKept = 4

// route is what is known of the way from a conversation's frames to their counterparts over one link.
type route struct {
	known      bool
	down       bool
	steps      int         // points further on the path
	confidence [8]int8     // by match.How: percent + 1, 0 not known yet
	id         flow.ConvID // the counterparts' conversation, as found last
	from, to   uint32      // its places
	peer       uint32      // what ends is for, + 1, see conversation
	ends       changes
}

// conversation tells conversations and directions of one capture apart; g is a counterpart, in place j there, s what that capture
// holds of the flow, nil for nothing.
func (r *route) conversation(c *flow.Capture, s *match.Side, j uint32, g *flow.Fact) uint32 {
	if j < r.from || j >= r.to {
		if s != nil && c.Holds(s.Convs[0], j) {
			r.id = s.Convs[0]
		} else {
			r.id = c.ID(j)
		}
		r.from, r.to = c.Span(r.id)
	}
	return r.from<<1 | uint32(g.Dir())
}

// look is what makes an annotation's class, in small numbers.
type look struct {
	reverse, down  bool
	match          uint8
	fate           infer.Fate
	where          uint8
	origin         infer.Origin
	ttl            uint8
	confidence     int8
	hops, hopsPeer int16
	peer           int16
	changed        changes
	boxes          boxes
	error          int64
}

var nothing = look{hops: -1, hopsPeer: -1, peer: -1, confidence: -1, error: -1}

// match words by number.
const (
	matchNone = iota
	matchIdentical
	matchRewritten
	matchResegmented
	matchRelayed
)

var matchWords = [...]string{"", "identical", "rewritten", "resegmented", "relayed"}

// peer is one counterpart of a frame.
type peer struct {
	capture int
	frame   uint32
	link    int
	how     match.How
	down    bool
	steps   int // points further on the path
}

func (in *Input) newPen(c int, w *annotate.Writer) *pen {
	p := &pen{in: in, c: c, w: w, classes: map[lookWords]annotate.ClassID{}}
	for _, l := range in.Links {
		if l.A == c || l.B == c {
			p.links = append(p.links, l)
		}
	}
	for o := range in.Caps {
		p.errors = append(p.errors, in.PairError(c, o))
	}
	return p
}

// mark fills special.
func (p *pen) mark() {
	src := p.in.Caps[p.c]
	p.special = make([]uint64, (src.Len()+63)/64)
	set := func(i uint32) { p.special[i/64] |= 1 << (i % 64) }
	for i := range p.about {
		set(i)
	}
	for i := range p.messages {
		set(i)
	}
	for i := range p.in.Messages[p.c] {
		set(i)
	}
}

// write goes through the file window by window: what the frames of one conversation need lies together.
func (p *pen) write(ctx context.Context) error {
	p.mark()
	src := p.in.Caps[p.c]
	out := p.w.Capture(p.c)
	out.Ties(src.EachTie())
	var fr annotate.Frame
	type rest struct {
		from, to uint32
		id       flow.ConvID
		talk     *talk // once a frame of it was written
	}
	var active []rest
	var unused []*talk
	ids := src.ByFirstFrame()
	window := capture.FrameNo(p.w.Window())
	if l := (rest{from: src.LooseFrom(), to: uint32(src.Len()), id: flow.NoConv}); l.from < l.to {
		active = append(active, l)
	}
	for end := window; ; end += window {
		for ; len(ids) > 0; ids = ids[1:] {
			l := rest{id: ids[0]}
			if l.from, l.to = src.Span(ids[0]); src.Frame(l.from) > end {
				break
			}
			active = append(active, l)
		}
		left := active[:0]
		for k, l := range active {
			since := l.from
			if k+2 < len(active) {
				p.ask(active[k+2].from)
			}
			if k+1 < len(active) {
				p.askPeers(active[k+1].from)
			}
			if l.talk == nil {
				if k := len(unused) - 1; k >= 0 {
					l.talk, unused = unused[k], unused[:k]
				} else {
					l.talk = &talk{}
				}
				p.begin(l.talk, l.id)
			}
			p.talk = l.talk
			to := l.from
			for ; to < l.to && src.Frame(to) <= end; to++ {
				out.Expect(src.Frame(to))
			}
			for ; l.from < to; l.from++ {
				n := src.Frame(l.from)
				done, err := p.ordinary(l.from, n, l.talk, out)
				if !done {
					p.frame(l.from, &fr)
					err = out.Put(n, &fr)
				}
				if err != nil {
					return err
				}
			}
			src.Store.VisitParts(int(2*(l.from-since)), columnsRead)
			if l.from < l.to {
				left = append(left, l)
			} else {
				unused = append(unused, l.talk)
			}
		}
		active = left
		if err := ctx.Err(); err != nil || end >= capture.FrameNo(src.Len()) {
			return err
		}
	}
}

// askMost is the number of frames whose facts are asked for before their conversation's turn comes: what lies behind them, a processor
// asks for by itself.
const askMost = 24

// ask has what frames from place i on are written from brought near, and askPeers, later, what is of their counterparts.
func (p *pen) ask(i uint32) {
	p.in.Caps[p.c].Ask(i, askMost)
	m := p.in.Marks[p.c]
	flow.PrefetchAll(m[i:min(i+askMost, uint32(len(m)))])
	for _, l := range p.links {
		l.Ask(p.c, i, askMost)
	}
}

func (p *pen) askPeers(i uint32) {
	for _, l := range p.links {
		if !l.Has(p.c, i) {
			continue
		}
		if j, _, only := l.Only(p.c, i); only {
			p.in.Caps[l.A+l.B-p.c].Ask(j, askMost)
		}
	}
}

// columnsRead is how many columns the frames of a conversation are written from: facts and frame numbers of both captures, marks, and
// two of the link.
const columnsRead = 7

// begin fills what the frames of a conversation share.
func (p *pen) begin(t *talk, id flow.ConvID) {
	in := p.in
	t.conv, t.fl, t.flow, t.seen = id, nil, 0, nil
	if id == flow.NoConv {
		return
	}
	if t.fl = in.FlowOf[p.c][id]; t.fl != nil {
		t.flow, t.seen = t.fl.ID, p.view(t.fl)
	}
	for dir := range t.at {
		h := &t.at[dir]
		h.hops = in.Hops.Usual(p.c, id, dir)
		if len(p.links) <= len(h.one) {
			h.routes = h.one[:]
		} else if cap(h.routes) < len(p.links) {
			h.routes = make([]route, len(p.links))
		}
		h.routes = h.routes[:len(p.links)]
		clear(h.routes)
		clear(h.usual[:])
		h.further.key, h.further.learned = 0, 0
		if t.fl != nil {
			h.d = t.fl.Sides[p.c].DirOf(id, dir)
		}
	}
}

// ordinary writes the annotation of frame n, in place i, if it is of the common kind, and reports whether it did: one that has one
// counterpart, or one at each of several points, and differs from them in nothing that frames before it did not, and of which
// there is nothing else to say. frame says the same, and looks at everything anew.
func (p *pen) ordinary(i uint32, n capture.FrameNo, t *talk, out *annotate.CaptureWriter) (done bool, err error) {
	in := p.in
	f := in.At(p.c, i)
	if t.fl == nil || p.special[i/64]>>(i%64)&1 != 0 || in.anew {
		return false, nil
	}
	at, mask := -1, uint64(0)
	for k, l := range p.links {
		if l.Has(p.c, i) {
			at, mask = k, mask|1<<k
		}
	}
	switch {
	case at < 0 || len(p.links) > 64:
		return false, nil
	case mask&(mask-1) != 0:
		return p.several(i, n, t, mask, out)
	}
	l := p.links[at]
	j, how, only := l.Only(p.c, i)
	if !only || how > match.HowOrder {
		return false, nil
	}
	other := l.A + l.B - p.c
	g := in.At(other, j)
	if !unchanged(f, g) {
		return false, nil
	}
	key := p.key(i, f, g, how)
	h := &t.at[f.Dir()]
	e := &h.usual[(key>>40^key>>48^key>>16)%usualKept]
	conversation := h.routes[at].conversation(in.Caps[other], t.fl.Sides[other], j, g)
	if e.key != key || e.peer != conversation || e.link != uint32(at) {
		var fr annotate.Frame
		if p.frame(i, &fr); fr.Extra == nil {
			*e = usual{key: key, peer: conversation, link: uint32(at), id: fr.Class}
		}
		return true, out.Put(n, &fr)
	}
	delay, timed := p.delay(i, f, other, j, g, h.routes[at].down)
	if timed && !annotate.Fits(delay) {
		return false, nil
	}
	p.quick++
	return true, out.PutPlain(n, f.Time(), in.Caps[p.c].FrameLen(i), t.flow, e.id, in.Caps[other].Frame(j), delay, timed)
}

// compared are the marks that a frame and its counterpart are compared by.
const compared = flow.MarkFragment | flow.MarkLater | flow.MarkError | flow.MarkHasID | flow.MarkDF | flow.MarkTS | flow.MarkOptionsCut | flow.MarkTCP

// unchanged reports that compareFacts finds nothing, and compareOptions is not asked.
func unchanged(f, g *flow.Fact) bool {
	if f.Seq != g.Seq || f.Ack != g.Ack || f.TSval != g.TSval || f.Len() != g.Len() || f.IPID != g.IPID || f.Window != g.Window || f.Flags() != g.Flags() || f.TOS != g.TOS ||
		(f.Mark^g.Mark)&compared != 0 || f.Flags()&decode.SYN != 0 {
		return false
	}
	same, known := flow.SamePayload(f, g)
	return same || !known
}

// frame fills the annotation of one frame.
func (p *pen) frame(i uint32, fr *annotate.Frame) {
	in, t := p.in, p.talk
	f := in.At(p.c, i)
	*fr = annotate.Frame{Time: f.Time(), Len: in.Caps[p.c].FrameLen(i)}
	m := in.Marks[p.c].At(i)
	k := &p.look // in place: a value of its own would be written piece by piece and read at once
	*k = nothing
	k.fate, k.where, k.origin = m.Fate, m.Where, m.Origin
	x := &p.extra
	x.Peers, x.ChangedText, x.Logs = x.Peers[:0], x.ChangedText[:0], nil
	x.Tie = 0
	plain := p.special[i/64]>>(i%64)&1 == 0
	if plain {
		x.Findings, x.Message, x.MessagePeers = nil, "", nil
	} else {
		x.Findings, x.Message, x.MessagePeers = p.about[i], in.Messages[p.c][i], p.messages[i]
	}
	if t.conv != flow.NoConv {
		hops, ttl := t.at[f.Dir()].hops.Of(f)
		k.hops, k.ttl = int16(hops), ttl
	}
	if fl := t.fl; fl != nil {
		h := &t.at[f.Dir()]
		fr.Flow = fl.ID
		if len(p.logs) > 0 {
			x.Logs = p.logs[fl.ID]
		}
		k.reverse = h.d == 1
		k.boxes = t.seen.boxesOf(f, m)
		p.collect(i, fl, h)
		if len(p.peers) > 0 {
			p.counterparts(i, f, fl, h, fr, k)
		} else if m.Fate != infer.FateUnknown {
			k.confidence = int8(in.FateConfidence(fl, m))
		}
	} else if m.Fate == infer.FateLocal {
		k.confidence = 99
	}
	fr.Class = p.class(k)
	if !plain || len(x.Peers) > 0 || len(x.ChangedText) > 0 || len(x.Logs) > 0 || fr.HasDelay && !annotate.Fits(fr.Delay) {
		x.Tie = in.Caps[p.c].Tied(i) // of all others the writer says it
		fr.Extra = x
	}
}

// collect lists a frame's counterparts, nearest first, those further on before those that came before.
func (p *pen) collect(i uint32, fl *match.Flow, h *heading) {
	p.peers = p.peers[:0]
	for n, l := range p.links {
		if !l.Has(p.c, i) {
			continue
		}
		r, other := &h.routes[n], l.A+l.B-p.c
		if !r.known {
			r.known = true
			r.steps, r.down = p.in.distance(fl, h.d, p.c, other)
		}
		p.pairs = l.Peers(p.c, i, p.pairs[:0])
		for m := range p.pairs {
			x := &p.pairs[m]
			k := len(p.peers)
			if k == cap(p.peers) {
				p.peers = append(p.peers, peer{})
			}
			p.peers = p.peers[:k+1]
			o := &p.peers[k]
			o.capture, o.link, o.how, o.steps, o.down = other, n, x.How, r.steps, r.down
			if o.frame = x.B; l.B == p.c {
				o.frame = x.A
			}
			for ; k > 0 && p.after(&p.peers[k-1], &p.peers[k]); k-- {
				p.peers[k-1], p.peers[k] = p.peers[k], p.peers[k-1]
			}
		}
	}
}

// after reports whether x comes after o in a frame's list.
func (p *pen) after(x, o *peer) bool {
	if x.steps != o.steps {
		return x.steps > o.steps
	}
	if x.down != o.down {
		return o.down
	}
	if x.capture != o.capture {
		return x.capture > o.capture
	}
	c := p.in.Caps[x.capture]
	return c.Frame(x.frame) > c.Frame(o.frame)
}

// distance is how many points further (down) or before a direction's packets pass to.
func (in *Input) distance(fl *match.Flow, d, from, to int) (steps int, down bool) {
	at, other := -1, -1
	for k, c := range fl.Path[d] {
		if c == from {
			at = k
		}
		if c == to {
			other = k
		}
	}
	if at < 0 || other < 0 {
		toB, _ := in.Toward(fl, d, from, to)
		return 1, toB
	}
	if other > at {
		return other - at, true
	}
	return at - other, false
}

// counterparts fills what a frame's peers say.
func (p *pen) counterparts(i uint32, f *flow.Fact, fl *match.Flow, h *heading, fr *annotate.Frame, k *look) {
	in := p.in
	for n := range p.peers {
		o := &p.peers[n]
		g := in.At(o.capture, o.frame)
		first := n == 0
		ch := changes(0)
		if o.how != match.HowResegment && (first || p.peers[n-1].capture != o.capture || o.how == match.HowRelayed) {
			ch = p.compare(i, f, o, g, fl, h)
		} else if o.how == match.HowResegment {
			ch = p.ends(i, f, o, g, fl, h)
		}
		word := uint8(matchIdentical)
		switch {
		case o.how == match.HowResegment:
			word = matchResegmented
		case o.how == match.HowRelayed || o.how == match.HowLogical:
			word = matchRelayed
		case ch != 0:
			word = matchRewritten
		}
		confidence := p.confidence(o, fl, h)
		k.changed |= ch
		delay, has := p.delay(i, f, o.capture, o.frame, g, o.down)
		if first {
			k.match, k.peer, k.down = word, int16(o.capture), o.down
			k.confidence = int8(confidence)
			k.hopsPeer = int16(in.HopsBetween(fl, p.c, o.capture, f, g, o.how))
			k.error = p.errors[o.capture]
			fr.Peer = in.Caps[o.capture].Frame(o.frame)
			fr.HasDelay, fr.Delay = has, delay
			continue
		}
		stream := int64(-1)
		if id := in.Caps[o.capture].ID(o.frame); id != flow.NoConv {
			if s := in.Caps[o.capture].Conv(id).Stream; fl.Sides[o.capture] == nil || in.Caps[o.capture].Conv(fl.Sides[o.capture].Convs[0]).Stream != s {
				stream = int64(s)
			}
		}
		p.extra.Peers = append(p.extra.Peers, annotate.Peer{Point: o.capture, Frame: in.Caps[o.capture].Frame(o.frame), Stream: stream, Down: o.down,
			Match: matchWords[word], Confidence: confidence, HasDelay: has, Delay: delay})
	}
}

// confidence is that of a pair.
func (p *pen) confidence(o *peer, fl *match.Flow, h *heading) int {
	c := &h.routes[o.link].confidence[o.how]
	if *c == 0 {
		*c = int8(p.in.PairConfidence(fl, p.c, o.capture, o.how) + 1)
	}
	return int(*c) - 1
}

// delay is the time between a frame and its counterpart, the one in place j of another capture, in the direction of travel.
func (p *pen) delay(i uint32, f *flow.Fact, other int, j uint32, g *flow.Fact, down bool) (ns int64, ok bool) {
	a, okA := p.in.Clocks.Time(p.c, i, f.Time())
	b, okB := p.in.Clocks.Time(other, j, g.Time())
	if !okA || !okB || p.in.Clocks.Jumped(p.c, other, int64(b-a)) {
		return 0, false
	}
	if down {
		return int64(b - a), true
	}
	return int64(a - b), true
}

// lookWords is a look in few words, never all 0. What was just written piece by piece is read in the same pieces, which a
// processor has at hand; a comparison of whole structures would wait until all that was written before is in the cache.
type lookWords [5]uint64

func (k *look) words() lookWords {
	var flags uint64 = 1
	if k.reverse {
		flags |= 2
	}
	if k.down {
		flags |= 4
	}
	return lookWords{
		flags | uint64(k.match)<<8 | uint64(k.fate)<<16 | uint64(k.where)<<24 | uint64(k.origin)<<32 | uint64(k.ttl)<<40 | uint64(uint8(k.confidence))<<48,
		uint64(uint16(k.hops)) | uint64(uint16(k.hopsPeer))<<16 | uint64(uint16(k.peer))<<32,
		uint64(k.changed), uint64(k.boxes), uint64(k.error),
	}
}

// class is the number of an annotation's class.
func (p *pen) class(k *look) annotate.ClassID {
	w := k.words()
	s := &p.recent[(w[0]>>1^w[0]>>16^w[0]>>8^w[1]>>16^w[2]^w[2]>>9)%looksKept]
	if s.words == w {
		return s.id
	}
	id, ok := p.classes[w]
	if !ok {
		id = p.w.Class(p.spell(k))
		p.classes[w] = id
	}
	s.words, s.id = w, id
	return id
}

// spell turns numbers into words.
func (p *pen) spell(k *look) annotate.Class {
	in := p.in
	c := annotate.Class{Reverse: k.reverse, Match: matchWords[k.match], Fate: k.fate.String(), Origin: k.origin.String(), Hops: int(k.hops), HopsPeer: int(k.hopsPeer),
		TTLInitial: int(k.ttl), PeerPoint: int(k.peer), PeerDown: k.down, Confidence: int(k.confidence), DelayError: k.error, Changed: k.changed.names()}
	if c.TTLInitial == 0 {
		c.TTLInitial = -1
	}
	if k.where > 0 {
		s := in.Segments[k.where-1]
		a, b := in.Points[s.A].Name, in.Points[s.B].Name
		c.FateWhere = a + " > " + b
		// In the direction of travel: from the point that saw it last, or to the one that saw it first.
		if away := k.fate == infer.FateLost || k.fate == infer.FateConsumed; (s.B == p.c) == away {
			c.FateWhere = b + " > " + a
		}
	}
	var words []string
	for s := range in.Segments {
		for n, b := range in.Segments[s].Boxes {
			if k.boxes.has(s, n) {
				words = append(words, b.Name)
				c.Kinds = append(c.Kinds, b.Kind)
			}
		}
	}
	c.Middlebox = strings.Join(words, " + ")
	return c
}
