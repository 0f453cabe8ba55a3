package lab

var lossTransform = Transform{"loss", "PERCENT@A-B", "packets are lost between two points; the sender's next attempt is the one that was recorded", lose}

// lose adds an earlier attempt of a packet, which gets no further than the stretch. So all that follows in the
// recording stays possible.
func lose(c *Case, a args) error {
	percent, err := a.float(2)
	if err != nil {
		return err
	}
	q, err := a.pair()
	if err != nil {
		return err
	}
	side := 0
	for _, t := range c.pick(q, percent, a.Rand) {
		earlier := int64(5_000_000)
		ok := true
		for _, x := range t.before {
			gap, _ := x.at.gaps(x.f)
			earlier = min(earlier, gap/2)
			id, has := read(x.at.Link, x.f).ipID()
			ok = ok && has && id != 0 && x.f.Head == nil
		}
		if !ok || earlier < 10_000 {
			continue // no room for it, or nothing would tell the two apart
		}
		if side = 0; t.dir == 'r' {
			side = 1
		}
		c.attempt(q, t, side, earlier, uint16(1+a.UintN(65535)))
	}
	b := box("lossy-wire")
	q.Middleboxes = append(q.Middleboxes, b)
	return nil
}

func (c *Case) attempt(q *Pair, t travel, side int, earlier int64, id uint16) {
	var copies []*Frame
	for _, x := range t.before {
		g := x.f.clone()
		g.True -= earlier
		h := read(x.at.Link, g)
		h.set16(h.ip+4, id)
		x.at.Frames = append(x.at.Frames, g)
		x.at.sortByTime()
		copies = append(copies, g)
	}
	q.Only[side]["lost"] = append(q.Only[side]["lost"], copies[0])
	for i := 1; i < len(copies); i++ {
		near, far := t.before[i-1].at, t.before[i].at
		if side == 0 {
			p := c.pair(far, near)
			p.Matches = append(p.Matches, Link{copies[i], copies[i-1]})
		} else {
			p := c.pair(near, far)
			p.Matches = append(p.Matches, Link{copies[i-1], copies[i]})
		}
	}
}
