package lab

import (
	"cmp"
	"slices"
)

var idleTransform = Transform{"idle", "SECONDS@A-B", "a device between two points forgets TCP conversations that are silent for so long; a third pauses longer, a third half as long", forget}

// forget lets the recording's conversations pause in their middle. What is sent after a pause as long as the device's
// patience, and sent again, gets no further than the stretch; the rest of such a conversation never happens. Every third
// conversation is put off to a time behind all that, so that the recorders go on.
func forget(c *Case, a args) error {
	seconds, err := a.float(60)
	if err != nil {
		return err
	}
	q, err := a.pair()
	if err != nil {
		return err
	}
	pause := int64(seconds * 1e9)
	byFlow := map[*Flow][]travel{}
	for _, t := range c.travels(q) {
		if f := t.link[0].Flow; f != nil && f.Proto == "tcp" {
			byFlow[f] = append(byFlow[f], t)
		}
	}
	n := 0
	for _, f := range c.Flows {
		l := byFlow[f]
		slices.SortStableFunc(l, func(x, y travel) int { return cmp.Compare(x.sent(), y.sent()) })
		k := -1
		for i, t := range l { // the next packet that carries data, from the middle on
			if h := read(t.before[0].at.Link, t.before[0].f); i >= 4 && i >= len(l)/2 && h.tcp() && h.payloadLen() > 0 {
				k = i
				break
			}
		}
		if k < 0 {
			continue
		}
		switch n++; n % 3 {
		case 0:
			c.delay(c.after(f, l, 0), 3*pause)
		case 1:
			c.delay(c.after(f, l, l[k].sent()), pause/2)
		case 2:
			c.silence(q, f, l[k], c.after(f, l, l[k].sent()), pause)
		}
	}
	for _, p := range c.Captures {
		p.sortByTime()
	}
	q.Middleboxes = append(q.Middleboxes, box("packet-filter"))
	return nil
}

// sent is when a packet passed the first point on its way.
func (t travel) sent() int64 { return t.before[len(t.before)-1].f.True }

// after lists a conversation's frames of packets that were sent at a time or later. What is on its way then is not among
// them.
func (c *Case) after(f *Flow, l []travel, from int64) frames {
	out, under := frames{}, frames{}
	for _, t := range l {
		for _, x := range slices.Concat(t.before, t.behind) {
			if t.sent() >= from {
				out[x.f] = true
			} else {
				under[x.f] = true
			}
		}
	}
	for _, p := range c.Captures {
		for _, x := range p.Frames {
			if x.Flow == f && x.True >= from && !under[x] {
				out[x] = true
			}
		}
	}
	return out
}

func (c *Case) delay(l frames, by int64) {
	for x := range l {
		x.True += by
	}
}

// silence ends a conversation with a packet that is sent after a pause, and sent again, and comes to nothing.
func (c *Case) silence(q *Pair, f *Flow, t travel, rest frames, pause int64) {
	last := frames{}
	for _, x := range t.before {
		last[x.f] = true
		delete(rest, x.f)
	}
	for _, p := range c.Captures {
		c.take(p, rest, "lost")
	}
	c.delay(last, pause)
	side := 0
	if t.dir == 'r' {
		side = 1
	}
	for k := range 3 {
		c.attempt(q, t, side, -int64(300_000_000<<k), uint16(61_001+k))
	}
	f.Outcome = "open_at_end"
}
