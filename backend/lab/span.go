package lab

import (
	"slices"

	"github.com/corr-dev/corr/backend/capture"
)

var spanTransform = Transform{"span", "@CAPTURE", "a mirror port shows every frame twice, some µs apart", eachCapture(double)}

// double puts a copy behind each frame.
func double(c *Case, p *Capture, a args) error {
	copies := map[*Frame]*Frame{}
	limit := c.soonest(p)
	for _, f := range slices.Clone(p.Frames) {
		g := f.clone()
		late := 1000 + a.Int64N(8000)
		if n, ok := limit[f]; ok {
			late = min(late, n/2)
		}
		g.True += late
		copies[f] = g
		p.Frames = append(p.Frames, g)
		p.Copies = append(p.Copies, [2]*Frame{f, g})
	}
	p.sortByTime()
	for _, q := range c.Pairs {
		s := q.side(p)
		if s < 0 {
			continue
		}
		// The copies of a match are allowed, not required; those of what is alone are copies too.
		var more []Link
		for _, l := range [][]Link{q.Matches, q.Seg, q.Dups} {
			for _, x := range l {
				y := x
				y[s] = copies[x[s]]
				more = append(more, y)
			}
		}
		q.Dups = append(q.Dups, more...)
		for _, l := range []*[]Link{&q.Stream, &q.Logical, &q.Messages} {
			for _, x := range slices.Clone(*l) {
				x[s] = copies[x[s]]
				*l = append(*l, x)
			}
		}
		if q.Around == "" {
			for _, l := range p.Copies[len(p.Copies)-len(copies):] {
				q.Only[s]["span_copy"] = append(q.Only[s]["span_copy"], l[1])
			}
		}
	}
	return nil
}

// soonest gives for each frame the time, ns, until the next point saw it: a copy recorded later than that would seem to
// come after its own arrival.
func (c *Case) soonest(p *Capture) map[*Frame]int64 {
	m := map[*Frame]int64{}
	for _, q := range c.Pairs {
		s := q.side(p)
		if s < 0 {
			continue
		}
		for _, l := range slices.Concat(q.Matches, q.Seg) {
			f, d := l[s], l[1-s].True-l[s].True
			if old, ok := m[f]; d > 0 && (!ok || d < old) {
				m[f] = d
			}
		}
	}
	return m
}

var anyTransform = Transform{"any", "@CAPTURE", "tcpdump -i any on a bridge: each packet comes in on one interface and goes out on another", eachCapture(onAny)}

func onAny(c *Case, p *Capture, a args) error {
	if err := toLink(c, p, capture.LinkSLL2); err != nil {
		return err
	}
	if err := double(c, p, a); err != nil {
		return err
	}
	for _, l := range p.Copies {
		in, out := uint32(2), uint32(3) // interface indexes
		if l[0].Dir == 'r' {
			in, out = out, in
		}
		be.PutUint32(l[0].Data[4:], in)
		be.PutUint32(l[1].Data[4:], out)
		l[1].Data[10] = 4 // sent by us
	}
	return nil
}
