package lab

var dupTransform = Transform{"dup", "PERCENT@A-B", "the wire between two points duplicates packets", duplicate}

func duplicate(c *Case, a args) error {
	percent, err := a.float(2)
	if err != nil {
		return err
	}
	q, err := a.pair()
	if err != nil {
		return err
	}
	for _, t := range c.pick(q, percent, a.Rand) {
		later := 2000 + a.Int64N(200_000)
		side := 1
		if t.dir == 'r' {
			side = 0
		}
		var copies []*Frame
		for _, x := range t.behind {
			g := x.f.clone()
			g.True += later
			x.at.Frames = append(x.at.Frames, g)
			x.at.sortByTime()
			copies = append(copies, g)
		}
		l := t.link
		l[side] = copies[0]
		q.Dups = append(q.Dups, l)
		c.carry(t, copies)
	}
	return nil
}

// carry ties the copies to each other along the rest of the path: allowed only, for the earliest of several copies is
// the match, and which copy is which nothing tells but the order.
func (c *Case) carry(t travel, copies []*Frame) {
	for i := 1; i < len(copies); i++ {
		x, y := t.behind[i-1], t.behind[i]
		links := []Link{{copies[i-1], copies[i]}, {copies[i-1], y.f}, {x.f, copies[i]}}
		p := c.pair(x.at, y.at)
		if p == nil {
			p = c.pair(y.at, x.at)
			for k, l := range links {
				links[k] = Link{l[1], l[0]}
			}
		}
		p.Dups = append(p.Dups, links...)
	}
}
