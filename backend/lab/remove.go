package lab

import "slices"

var removeTransform = Transform{"remove", "@CAPTURE", "leaves a capture out; its neighbours become neighbours", eachCapture(removeCapture)}

func removeCapture(c *Case, p *Capture, _ args) error {
	if err := c.line(); err != nil {
		return err
	}
	all := p.where(func(*Frame) bool { return true })
	c.join(p, all)
	c.Pairs = slices.DeleteFunc(c.Pairs, func(q *Pair) bool { return q.side(p) >= 0 })
	c.Captures = slices.DeleteFunc(c.Captures, func(q *Capture) bool { return q == p })
	for _, f := range c.Flows {
		delete(f.at, p)
	}
	c.Flows = slices.DeleteFunc(c.Flows, func(f *Flow) bool { return len(f.at) == 0 })
	return nil
}

// join makes one pair of the two around p.
func (c *Case) join(p *Capture, all frames) {
	var x, y *Pair
	for _, q := range c.neighbours() {
		if q.B == p {
			x = q
		}
		if q.A == p {
			y = q
		}
	}
	if x == nil || y == nil {
		return
	}
	r := c.around(x.A, p, y.B)
	r.Around = ""
	c.bridge(p, all)
	for _, l := range []struct{ from, before, behind *[]Link }{
		{&r.Dups, &x.Dups, &y.Matches}, {&r.Dups, &x.Matches, &y.Dups},
	} {
		*l.from = append(*l.from, compose(*l.before, *l.behind)...)
	}
	r.Seg = slices.DeleteFunc(r.Seg, func(l Link) bool { return !overlap(x.A, l[0], y.B, l[1]) })
	r.alone(0, x, y, 0)
	r.alone(1, y, x, 1)
}

func compose(before, behind []Link) []Link {
	to := counterparts(behind, 0)
	var out []Link
	for _, l := range before {
		for _, z := range to[l[1]] {
			out = append(out, Link{l[0], z})
		}
	}
	return out
}

// overlap reports whether two frames of one TCP conversation share stream bytes; other protocols' fragments always do.
func overlap(p *Capture, x *Frame, q *Capture, y *Frame) bool {
	a, b := read(p.Link, x), read(q.Link, y)
	if !a.tcp() || !b.tcp() {
		return true
	}
	d := int32(b.seq() - a.seq())
	return d < int32(a.payloadLen()) && -d < int32(b.payloadLen())
}

// alone lists one side's frames that the far side lacks: for the reason why they didn't come to the middle, else for the
// one why what the middle saw did not come on.
func (r *Pair) alone(side int, near, far *Pair, nearSide int) {
	linked := r.linked(side)
	for reason, l := range near.Only[nearSide] {
		for _, f := range l {
			if !linked[f] {
				r.Only[side][reason] = append(r.Only[side][reason], f)
			}
		}
	}
	why := map[*Frame]string{}
	for reason, l := range far.Only[nearSide] {
		for _, f := range l {
			why[f] = reason
		}
	}
	for _, list := range [][]Link{near.Matches, near.Seg, near.Stream} {
		for _, l := range list {
			f, reason := l[nearSide], why[l[1-nearSide]]
			if reason != "" && reason != "span_copy" && !linked[f] && !r.told(side, f) {
				r.Only[side][reason] = append(r.Only[side][reason], f)
			}
		}
	}
}
