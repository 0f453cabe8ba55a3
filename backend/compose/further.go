package compose

import (
	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// further is what the last frames of one direction of a conversation shared that had counterparts at several points, and differed
// from them in nothing that frames before them did not.
type further struct {
	key     uint64 // see pen.key; 0: no such frame yet
	id      annotate.ClassID
	peers   []furtherPeer // nearest first
	others  *annotate.Others
	met     []annotate.Meeting // with all but the nearest
	learned int                // how often it was made anew
}

// furtherPeer is a counterpart over one link.
type furtherPeer struct {
	link         int
	how          match.How
	conversation uint32 // see route.conversation
	down         bool
}

// learnMost bounds how often what frames share is made anew in one direction of a conversation: where no two frames are alike it
// is in vain.
const learnMost = 32

// key is what an annotation's class depends on, beside the counterparts, among ordinary frames of a direction; g is the nearest
// counterpart.
func (p *pen) key(i uint32, f, g *flow.Fact, how match.How) uint64 {
	m := p.in.Marks[p.c].At(i)
	return 1 | uint64(f.Mark&flow.MarkError)<<1 | uint64(how)<<6 | uint64(m.Fate)<<16 | uint64(m.Where)<<24 | uint64(m.Origin)<<32 | uint64(f.TTL)<<40 | uint64(g.TTL)<<48
}

// several is ordinary for a frame that has counterparts over links, by number as mask says.
func (p *pen) several(i uint32, n capture.FrameNo, t *talk, mask uint64, out *annotate.CaptureWriter) (done bool, err error) {
	in := p.in
	f := in.At(p.c, i)
	h := &t.at[f.Dir()]
	w := &h.further
	if w.key == 0 || !p.meets(i, f, t, h, mask) {
		if w.learned == learnMost {
			return false, nil
		}
		var fr annotate.Frame
		p.frame(i, &fr)
		if err := out.Put(n, &fr); err != nil {
			return true, err
		}
		return true, p.learn(i, f, t, h, mask, &fr, out)
	}
	p.quick++
	return true, out.PutOthers(n, f.Time(), in.Caps[p.c].FrameLen(i), t.flow, w.id, w.met[0], w.others, w.met[1:], in.Caps[p.c].Tied(i))
}

// meets reports whether a frame shares what is in h.further, and fills in whom it meets.
func (p *pen) meets(i uint32, f *flow.Fact, t *talk, h *heading, mask uint64) bool {
	in, w := p.in, &h.further
	for k := range w.peers {
		o := &w.peers[k]
		if mask>>o.link&1 == 0 {
			return false
		}
		mask &^= 1 << o.link
		l := p.links[o.link]
		j, how, only := l.Only(p.c, i)
		if !only || how != o.how {
			return false
		}
		other := l.A + l.B - p.c
		g := in.At(other, j)
		if k == 0 && p.key(i, f, g, how) != w.key || !unchanged(f, g) || h.routes[o.link].conversation(in.Caps[other], t.fl.Sides[other], j, g) != o.conversation {
			return false
		}
		delay, timed := p.delay(i, f, other, j, g, o.down)
		if timed && !annotate.Fits(delay) {
			return false
		}
		w.met[k] = annotate.Meeting{Frame: in.Caps[other].Frame(j), Delay: delay, HasDelay: timed}
	}
	return mask == 0
}

// learn fills h.further with what p.frame just said of a frame, if the like of it can be said by that.
func (p *pen) learn(i uint32, f *flow.Fact, t *talk, h *heading, mask uint64, fr *annotate.Frame, out *annotate.CaptureWriter) error {
	in, w := p.in, &h.further
	w.key = 0
	w.learned++
	if len(p.logs) > 0 || fr.Extra == nil {
		return nil
	}
	w.peers = w.peers[:0]
	var key uint64
	for k := range p.peers {
		o := &p.peers[k]
		g := in.At(o.capture, o.frame)
		j, how, only := p.links[o.link].Only(p.c, i)
		if !only || j != o.frame || how > match.HowOrder || !unchanged(f, g) || mask>>o.link&1 == 0 {
			return nil
		}
		mask &^= 1 << o.link
		if k == 0 {
			key = p.key(i, f, g, how)
		}
		w.peers = append(w.peers, furtherPeer{o.link, how, h.routes[o.link].conversation(in.Caps[o.capture], t.fl.Sides[o.capture], j, g), o.down})
	}
	if mask != 0 {
		return nil
	}
	if cap(w.met) < len(w.peers) {
		w.met = make([]annotate.Meeting, len(w.peers))
	}
	w.met = w.met[:len(w.peers)]
	var err error
	w.key, w.id = key, fr.Class
	w.others, err = out.Others(fr.Extra)
	return err
}
