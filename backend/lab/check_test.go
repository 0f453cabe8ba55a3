package lab

import (
	"bytes"
	"fmt"
)

// check looks for contradictions in the truth: frames that are in no capture, matches whose payloads differ or that
// arrive before they were sent, frames that are told of nowhere or twice.
func (c *Case) check() error {
	holds := map[*Capture]frames{}
	for _, p := range c.Captures {
		holds[p] = p.where(func(*Frame) bool { return true })
	}
	c.number()
	for _, p := range c.Pairs {
		ends := [2]*Capture{p.A, p.B}
		for i, l := range p.lists() {
			for _, x := range *l {
				if !holds[p.A][x[0]] || !holds[p.B][x[1]] {
					return fmt.Errorf("%s-%s: %s names a frame that is not there", p.A.File, p.B.File, linkNames[i])
				}
			}
		}
		for s := range p.Only {
			for reason, l := range p.Only[s] {
				for _, f := range l {
					if !holds[ends[s]][f] {
						return fmt.Errorf("%s: %s names a frame that is not there", ends[s].File, reason)
					}
				}
			}
		}
		if err := p.check(); err != nil {
			return fmt.Errorf("%s-%s: %w", p.A.File, p.B.File, err)
		}
	}
	return nil
}

func (p *Pair) check() error {
	matched := [2]frames{{}, {}}
	rewritten := map[Link]bool{}
	for _, l := range p.Rewritten {
		rewritten[l] = true
	}
	for _, l := range p.Matches {
		for s := range l {
			if matched[s][l[s]] {
				return fmt.Errorf("%s frame %d is matched twice", []string{"first", "second"}[s], l[s].number)
			}
			matched[s][l[s]] = true
		}
		if err := p.checkMatch(l, rewritten[l]); err != nil {
			return fmt.Errorf("match %d-%d: %w", l[0].number, l[1].number, err)
		}
	}
	for s := range p.Only {
		if p.Around != "" {
			continue
		}
		told := p.linked(s)
		for _, l := range p.Only[s] {
			for _, f := range l {
				told[f] = true
			}
		}
		ends := [2]*Capture{p.A, p.B}
		for _, f := range ends[s].Frames {
			if !told[f] {
				return fmt.Errorf("%s: frame %d is told of nowhere", ends[s].File, f.number)
			}
		}
		for reason, l := range p.Only[s] {
			for _, f := range l {
				if matched[s][f] {
					return fmt.Errorf("%s: frame %d is matched and %s", ends[s].File, f.number, reason)
				}
			}
		}
	}
	return nil
}

// resolution is how far recorded times may be off against the order of cause and effect, ns.
const resolution = 1000

func (p *Pair) checkMatch(l Link, rewritten bool) error {
	x, y := read(p.A.Link, l[0]), read(p.B.Link, l[1])
	if x.proto != y.proto {
		return fmt.Errorf("protocol %d and %d", x.proto, y.proto)
	}
	d := l[1].True - l[0].True
	if l[0].Dir == 'r' {
		d = -d
	}
	if l[0].Dir != 0 && d < -resolution {
		return fmt.Errorf("arrives %d ns before it is sent", -d)
	}
	if x.l4 < 0 || y.l4 < 0 || rewritten || x.quoted {
		return nil
	}
	if x.payloadLen() != y.payloadLen() {
		return fmt.Errorf("payload of %d and %d bytes", x.payloadLen(), y.payloadLen())
	}
	a, b := x.body(), y.body()
	n := min(len(a), len(b))
	if !bytes.Equal(a[:n], b[:n]) {
		return fmt.Errorf("payloads differ")
	}
	if x.tcp() && y.tcp() && (x.flags()^y.flags())&0x3f != 0 {
		return fmt.Errorf("flags %02x and %02x", x.flags(), y.flags())
	}
	return nil
}
