package lab

import "slices"

// replace puts new frames into a capture in place of old ones, which held the same bytes otherwise cut. What was one to
// one becomes a resegmentation.
func (c *Case) replace(p *Capture, old, new []*Frame) {
	gone := frames{}
	for _, f := range old {
		gone[f] = true
	}
	p.Frames = slices.DeleteFunc(p.Frames, func(f *Frame) bool { return gone[f] })
	for _, f := range new {
		i, _ := slices.BinarySearchFunc(p.Frames, f.True+1, func(x *Frame, t int64) int {
			if x.True < t {
				return -1
			}
			return 1
		})
		p.Frames = slices.Insert(p.Frames, i, f)
	}
	for _, q := range c.Pairs {
		s := q.side(p)
		if s < 0 {
			continue
		}
		matches := q.Matches
		q.Matches = slices.DeleteFunc(slices.Clone(matches), func(l Link) bool { return gone[l[s]] })
		for _, l := range matches {
			if gone[l[s]] {
				q.Seg = append(q.Seg, l)
			}
		}
		for _, l := range []*[]Link{&q.Seg, &q.Dups, &q.Stream, &q.Logical, &q.Messages, &q.Rewritten} {
			*l = substitute(*l, s, gone, new)
		}
		for reason, l := range q.Only[s] {
			kept := slices.DeleteFunc(slices.Clone(l), func(f *Frame) bool { return gone[f] })
			if len(kept) < len(l) {
				kept = append(kept, new...)
			}
			q.Only[s][reason] = kept
		}
	}
}

func substitute(l []Link, side int, gone frames, new []*Frame) []Link {
	var out []Link
	for _, x := range l {
		if !gone[x[side]] {
			out = append(out, x)
			continue
		}
		for _, f := range new {
			x[side] = f
			if !slices.Contains(out[max(0, len(out)-64):], x) {
				out = append(out, x)
			}
		}
	}
	return out
}
