package lab

import (
	"math/rand/v2"
	"slices"
)

// travel is one packet's frames along the path in its own direction: before and behind a stretch.
type travel struct {
	link           Link
	dir            byte
	before, behind []place // nearest to the stretch first
}

type place struct {
	at *Capture
	f  *Frame
}

// travels lists the packets that were seen on both sides of a stretch, once each.
func (c *Case) travels(q *Pair) []travel {
	var out []travel
	for _, l := range q.Matches {
		t := travel{link: l, dir: l[0].Dir}
		left, right := c.follow(q.A, l[0], 0), c.follow(q.B, l[1], 1)
		switch t.dir {
		case 'f':
			t.before, t.behind = left, right
		case 'r':
			t.before, t.behind = right, left
		default:
			continue
		}
		out = append(out, t)
	}
	return out
}

// follow goes along matches, away from the stretch, on a line.
func (c *Case) follow(p *Capture, f *Frame, side int) []place {
	out := []place{{p, f}}
	for {
		var next *place
		for _, q := range c.neighbours() {
			from, to := q.A, q.B
			if side == 0 {
				from, to = to, from
			}
			if from != p {
				continue
			}
			for _, l := range q.Matches {
				if l[1-side] == f {
					next = &place{to, l[side]}
				}
			}
		}
		if next == nil {
			return out
		}
		out = append(out, *next)
		p, f = next.at, next.f
	}
}

// gaps gives the time to the neighbours of a frame in its conversation (1<<62: none), in one capture.
func (p *Capture) gaps(f *Frame) (before, after int64) {
	before, after = 1<<62, 1<<62
	i := slices.Index(p.Frames, f)
	for j := i - 1; j >= 0; j-- {
		if p.Frames[j].Flow == f.Flow {
			before = f.True - p.Frames[j].True
			break
		}
	}
	for j := i + 1; j < len(p.Frames); j++ {
		if g := p.Frames[j]; g.Flow == f.Flow && g.Dir != f.Dir {
			after = g.True - f.True
			break
		}
	}
	return before, after
}

// pick chooses so many per cent of a stretch's packets that belong to a conversation. Those that something happened to
// elsewhere on their way are left out: what is added to them could not be followed to its end.
func (c *Case) pick(q *Pair, percent float64, rng *rand.Rand) []travel {
	told := frames{}
	for _, p := range c.Pairs {
		for s := range p.Only {
			for _, l := range p.Only[s] {
				for _, f := range l {
					told[f] = true
				}
			}
		}
		for _, l := range slices.Concat(p.Seg, p.Dups) {
			told[l[0]], told[l[1]] = true, true
		}
	}
	return slices.DeleteFunc(c.travels(q), func(t travel) bool {
		chosen := rng.Float64()*100 < percent
		for _, x := range slices.Concat(t.before, t.behind) {
			chosen = chosen && !told[x.f]
		}
		return !chosen || t.link[0].Flow == nil
	})
}
