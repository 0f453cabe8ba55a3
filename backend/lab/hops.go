package lab

import (
	"fmt"
	"slices"
)

var hopsTransform = Transform{"hops", "ROUTERS@client|server|A-B", "puts further routers in front of an end, or between two points", addHops}

func addHops(c *Case, a args) error {
	n, err := a.integer(3)
	if err != nil {
		return err
	}
	switch a.at {
	case "client":
		for _, p := range c.Captures {
			p.RoutersFromClient = plus(p.RoutersFromClient, n)
		}
		return c.fromEnd('f', func(h *header) error { return h.travel(n) })
	case "server":
		for _, p := range c.Captures {
			p.RoutersFromServer = plus(p.RoutersFromServer, n)
		}
		return c.fromEnd('r', func(h *header) error { return h.travel(n) })
	}
	return hopsBetween(c, a, n)
}

func hopsBetween(c *Case, a args, n int) error {
	q, err := a.pair()
	if err != nil {
		return err
	}
	for _, b := range q.Middleboxes {
		switch text(b["kind"]) {
		case "source-nat", "destination-nat", "double-nat", "mss-clamp", "lossy-wire", "packet-filter", "segmentation-offload":
		default:
			return fmt.Errorf("there is a %s between them", b["kind"])
		}
	}
	for i, dir := range []byte{'f', 'r'} {
		for p, set := range c.crossed(q, dir) {
			for _, f := range p.Frames {
				if h := read(p.Link, f); set[f] && h.ip >= 0 {
					if err := h.travel(n); err != nil {
						return err
					}
				}
			}
		}
		behind := [][]*Capture{c.downstream(q), c.upstream(q)}[i]
		for _, p := range behind {
			if i == 0 {
				p.RoutersFromClient = plus(p.RoutersFromClient, n)
			} else {
				p.RoutersFromServer = plus(p.RoutersFromServer, n)
			}
		}
	}
	q.Routers = plus(q.Routers, n)
	return nil
}

// travel takes n off the TTL.
func (h *header) travel(n int) error {
	old := int(h.ttl())
	if old <= n {
		return fmt.Errorf("a packet with a TTL of %d would not live", old)
	}
	h.set(h.ttlOff(), []byte{byte(old - n)})
	return nil
}

// crossed collects the frames, by capture, that travelled over the stretch in a direction and were seen behind it.
func (c *Case) crossed(q *Pair, dir byte) map[*Capture]frames {
	to, side := q.B, 1
	if dir == 'r' {
		to, side = q.A, 0
	}
	out := map[*Capture]frames{to: {}}
	for _, l := range slices.Concat(q.Matches, q.Seg, q.Dups) {
		if l[side].Dir == dir {
			out[to][l[side]] = true
		}
	}
	// What the recorder in front missed came over all the same.
	for _, reason := range []string{"capture_drop", "outside_window", "span_copy", "filtered"} {
		for _, f := range q.Only[side][reason] {
			if f.Dir == dir {
				out[to][f] = true
			}
		}
	}
	for again := true; again; {
		again = false
		for _, p := range c.Pairs {
			from, next := p.A, p.B
			if dir == 'r' {
				from, next = next, from
			}
			for _, l := range slices.Concat(p.Matches, p.Seg, p.Dups) {
				x, y := l[1-side], l[side]
				if out[from][x] && !out[next][y] {
					if out[next] == nil {
						out[next] = frames{}
					}
					out[next][y], again = true, true
				}
			}
		}
	}
	return out
}
