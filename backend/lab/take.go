package lab

import "slices"

// frames is a set of frames.
type frames map[*Frame]bool

// take removes frames of one capture, as if they had not been recorded there. Their counterparts are alone from then on,
// for the given reason; where a neighbour on each side saw the packet, the two are tied to each other.
func (c *Case) take(p *Capture, gone frames, reason string) {
	if len(gone) == 0 {
		return
	}
	p.Frames = slices.DeleteFunc(p.Frames, func(f *Frame) bool { return gone[f] })
	p.Copies = slices.DeleteFunc(p.Copies, func(l [2]*Frame) bool { return gone[l[0]] || gone[l[1]] })
	c.bridge(p, gone)
	for _, q := range c.Pairs {
		if s := q.side(p); s >= 0 {
			q.take(s, gone, reason)
		}
	}
	c.stillThere(p)
}

// stillThere drops what bridge tied where a copy at p goes on to tie it.
func (c *Case) stillThere(p *Capture) {
	for _, r := range c.Pairs {
		if r.Around != p.File {
			continue
		}
		x, y := c.pair(r.A, p), c.pair(p, r.B)
		if x == nil || y == nil {
			continue
		}
		over := map[Link]bool{}
		for _, l := range compose(slices.Concat(x.Matches, x.Seg), slices.Concat(y.Matches, y.Seg)) {
			over[l] = true
		}
		r.Matches = slices.DeleteFunc(r.Matches, func(l Link) bool { return over[l] })
		r.Seg = slices.DeleteFunc(r.Seg, func(l Link) bool { return over[l] })
	}
}

// bridge ties the frames before and behind those that go. A way is as strong as its weakest step.
func (c *Case) bridge(p *Capture, gone frames) {
	type end struct {
		at   *Capture
		f    *Frame
		kind int
	}
	before := map[*Frame][]end{}
	for _, q := range c.Pairs {
		if q.B != p {
			continue
		}
		for kind, l := range q.ways() {
			for _, x := range *l {
				if gone[x[1]] {
					before[x[1]] = append(before[x[1]], end{q.A, x[0], kind})
				}
			}
		}
	}
	for _, q := range slices.Clone(c.Pairs) {
		if q.A != p {
			continue
		}
		for kind, l := range q.ways() {
			for _, x := range *l {
				if !gone[x[0]] {
					continue
				}
				for _, e := range before[x[0]] {
					if kind > 1 && e.kind > 1 && kind != e.kind {
						continue // the handshake on one side, bytes on the other: nothing in common
					}
					to := c.around(e.at, p, q.B).ways()[max(kind, e.kind)]
					*to = append(*to, Link{e.f, x[1]})
				}
			}
		}
	}
}

// ways lists the links that lead on from point to point, the strongest kind first.
func (p *Pair) ways() [4]*[]Link { return [4]*[]Link{&p.Matches, &p.Seg, &p.Stream, &p.Logical} }

// take removes one side's frames from the pair.
func (p *Pair) take(side int, gone frames, reason string) {
	alone, unmatched := frames{}, frames{}
	var order []*Frame
	for _, l := range [][]Link{p.Matches, p.Seg} {
		for _, x := range l {
			if gone[x[side]] {
				unmatched[x[1-side]] = true
			}
		}
	}
	for _, l := range p.lists() {
		*l = slices.DeleteFunc(*l, func(x Link) bool {
			if gone[x[side]] && !alone[x[1-side]] {
				alone[x[1-side]] = true
				order = append(order, x[1-side])
			}
			return gone[x[side]]
		})
	}
	for r := range p.Only[side] {
		p.Only[side][r] = slices.DeleteFunc(p.Only[side][r], func(f *Frame) bool { return gone[f] })
	}
	p.promote(side, unmatched)
	linked := p.linked(1 - side)
	if p.Around != "" {
		return // frames alone are told of by the pairs of neighbours
	}
	for _, f := range order {
		if !linked[f] && !p.told(1-side, f) {
			p.Only[1-side][reason] = append(p.Only[1-side][reason], f)
		}
	}
}

// promote makes the earliest copy the match of a frame whose match is gone.
func (p *Pair) promote(side int, unmatched frames) {
	matched := frames{}
	for _, l := range [][]Link{p.Matches, p.Seg} {
		for _, x := range l {
			matched[x[0]], matched[x[1]] = true, true
		}
	}
	best := map[*Frame]*Frame{}
	for _, x := range p.Dups {
		f, y := x[1-side], x[side]
		if unmatched[f] && !matched[f] && !matched[y] && !p.isCopy(1-side, f) && (best[f] == nil || y.True < best[f].True) {
			best[f] = y
		}
	}
	p.Dups = slices.DeleteFunc(p.Dups, func(x Link) bool {
		if best[x[1-side]] != x[side] || best[x[1-side]] == nil || matched[x[side]] {
			return false
		}
		matched[x[side]] = true
		p.Matches = append(p.Matches, x)
		p.Only[side]["span_copy"] = slices.DeleteFunc(p.Only[side]["span_copy"], func(f *Frame) bool { return f == x[side] })
		return true
	})
}

func (p *Pair) isCopy(side int, f *Frame) bool { return slices.Contains(p.Only[side]["span_copy"], f) }

// linked gives one side's frames that have a counterpart.
func (p *Pair) linked(side int) frames {
	m := frames{}
	for _, l := range p.lists() {
		for _, x := range *l {
			m[x[side]] = true
		}
	}
	return m
}

// told reports whether the frame is listed as one without counterpart.
func (p *Pair) told(side int, f *Frame) bool {
	for _, l := range p.Only[side] {
		if slices.Contains(l, f) {
			return true
		}
	}
	return false
}
