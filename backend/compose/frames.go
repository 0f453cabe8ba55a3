package compose

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/model"
)

// Frames writes every frame's annotation, the captures side by side.
func (in *Input) Frames(ctx context.Context, d *model.Document, w *annotate.Writer) error {
	errs := make([]error, len(in.Caps))
	about := in.findingsOf()
	told := in.messagePeers()
	recorded := in.logsOf()
	var wg sync.WaitGroup
	for c := range in.Caps {
		wg.Add(1)
		go func() {
			defer wg.Done()
			p := in.newPen(c, w)
			p.about, p.messages, p.logs = about[c], told[c], recorded
			errs[c] = p.write(ctx)
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
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

// pen writes one capture's annotations.
type pen struct {
	in       *Input
	c        int
	w        *annotate.Writer
	links    []*match.Link // that have this capture as an end
	classes  map[look]annotate.ClassID
	lookup   look
	lookID   annotate.ClassID
	haveID   bool
	about    map[uint32][]int
	logs     map[uint32][]int           // by corr.flow: indexes of log records
	messages map[uint32][]annotate.Peer // message counterparts
	pairs    []match.Pair
	peers    []peer
	extra    annotate.Extra
	flows    map[*match.Flow]*view
	last     *match.Flow
	lastV    *view
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
	how     match.How
	down    bool
	steps   int // points further on the path
}

func (in *Input) newPen(c int, w *annotate.Writer) *pen {
	p := &pen{in: in, c: c, w: w, classes: map[look]annotate.ClassID{}}
	for _, l := range in.Links {
		if l.A == c || l.B == c {
			p.links = append(p.links, l)
		}
	}
	return p
}

func (p *pen) write(ctx context.Context) error {
	src := p.in.Caps[p.c]
	out := p.w.Capture(p.c)
	var fr annotate.Frame
	for i := uint32(0); i < uint32(src.Len()); i++ {
		if i&0xffff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		p.frame(i, &fr)
		if err := out.Add(&fr); err != nil {
			return err
		}
	}
	return nil
}

// frame fills the annotation of one frame.
func (p *pen) frame(i uint32, fr *annotate.Frame) {
	in := p.in
	f := in.At(p.c, i)
	*fr = annotate.Frame{Time: f.Time, Len: f.FrameLen}
	m := in.Marks[p.c][i]
	k := look{fate: m.Fate, where: m.Where, origin: m.Origin, hops: -1, hopsPeer: -1, peer: -1, confidence: -1, error: -1}
	hops, ttl := in.Hops.Of(in.Result, p.c, f)
	k.hops, k.ttl = int16(hops), ttl
	p.extra = annotate.Extra{Peers: p.extra.Peers[:0], ChangedText: p.extra.ChangedText[:0], Findings: p.about[i]}
	p.extra.Message, p.extra.MessagePeers = in.Messages[p.c][i], p.messages[i]
	p.extra.Tie = in.Caps[p.c].Ties[i]
	fl := in.Flow(p.c, f)
	if fl != nil {
		v := p.view(fl)
		d := fl.Sides[p.c].Dir(f)
		fr.Flow = fl.ID
		p.extra.Logs = p.logs[fl.ID]
		k.reverse = d == 1
		k.boxes = v.boxesOf(f, m)
		p.collect(i, fl, d)
		if len(p.peers) > 0 {
			p.counterparts(i, f, fl, d, fr, &k)
		} else if m.Fate != infer.FateUnknown {
			k.confidence = int8(in.FateConfidence(fl, m))
		}
	} else if m.Fate == infer.FateLocal {
		k.confidence = 99
	}
	fr.Class = p.class(&k)
	if x := &p.extra; len(x.Peers) > 0 || len(x.ChangedText) > 0 || len(x.Findings) > 0 || x.Message != "" || len(x.MessagePeers) > 0 || x.Tie != 0 || len(x.Logs) > 0 {
		fr.Extra = x
	}
}

// collect lists a frame's counterparts, nearest first, those further on before those that came before.
func (p *pen) collect(i uint32, fl *match.Flow, d int) {
	p.peers = p.peers[:0]
	for _, l := range p.links {
		if !l.Has(p.c, i) {
			continue
		}
		p.pairs = l.Peers(p.c, i, p.pairs[:0])
		for _, x := range p.pairs {
			o := peer{capture: l.B, frame: x.B, how: x.How}
			if l.B == p.c {
				o.capture, o.frame = l.A, x.A
			}
			o.steps, o.down = p.in.distance(fl, d, p.c, o.capture)
			k := len(p.peers)
			p.peers = append(p.peers, o)
			for k > 0 && p.peers[k-1].after(&o) {
				p.peers[k] = p.peers[k-1]
				k--
			}
			p.peers[k] = o
		}
	}
}

// after reports whether p comes after o in a frame's list.
func (p *peer) after(o *peer) bool {
	if p.steps != o.steps {
		return p.steps > o.steps
	}
	if p.down != o.down {
		return o.down
	}
	if p.capture != o.capture {
		return p.capture > o.capture
	}
	return p.frame > o.frame
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
func (p *pen) counterparts(i uint32, f *flow.Fact, fl *match.Flow, d int, fr *annotate.Frame, k *look) {
	in := p.in
	for n := range p.peers {
		o := &p.peers[n]
		g := in.At(o.capture, o.frame)
		first := n == 0
		ch := changes(0)
		if o.how != match.HowResegment && (first || p.peers[n-1].capture != o.capture || o.how == match.HowRelayed) {
			ch = p.compare(i, f, o, g, fl, d)
		} else if o.how == match.HowResegment {
			ch = compareEnds(in, p.c, f, o.capture, g, fl)
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
		confidence := in.PairConfidence(fl, p.c, o.capture, o.how)
		k.changed |= ch
		delay, has := p.delay(i, o)
		if first {
			k.match, k.peer, k.down = word, int16(o.capture), o.down
			k.confidence = int8(confidence)
			k.hopsPeer = int16(in.HopsBetween(fl, p.c, o.capture, f, g, o.how))
			k.error = in.PairError(p.c, o.capture)
			fr.Peer = capture.FrameNo(o.frame + 1)
			fr.HasDelay, fr.Delay = has, delay
			continue
		}
		stream := int64(-1)
		if id := g.ID(); id != flow.NoConv {
			if s := in.Caps[o.capture].Conv(id).Stream; fl.Sides[o.capture] == nil || in.Caps[o.capture].Conv(fl.Sides[o.capture].Convs[0]).Stream != s {
				stream = int64(s)
			}
		}
		p.extra.Peers = append(p.extra.Peers, annotate.Peer{Point: o.capture, Frame: capture.FrameNo(o.frame + 1), Stream: stream, Down: o.down,
			Match: matchWords[word], Confidence: confidence, HasDelay: has, Delay: delay})
	}
}

// delay is the time between a frame and its counterpart, in the direction of travel.
func (p *pen) delay(i uint32, o *peer) (ns int64, ok bool) {
	a, okA := p.in.Time(p.c, i)
	b, okB := p.in.Time(o.capture, o.frame)
	if !okA || !okB {
		return 0, false
	}
	if o.down {
		return int64(b - a), true
	}
	return int64(a - b), true
}

// class is the number of an annotation's class.
func (p *pen) class(k *look) annotate.ClassID {
	if p.haveID && *k == p.lookup {
		return p.lookID
	}
	id, ok := p.classes[*k]
	if !ok {
		id = p.w.Class(p.spell(k))
		p.classes[*k] = id
	}
	p.lookup, p.lookID, p.haveID = *k, id, true
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
