package lab

import (
	"fmt"
	"slices"
)

var ttlTransform = Transform{"ttl", "TTL@client|server", "gives an end's hosts another initial TTL", setTTL}

// explicitTTL: below, a program chose the TTL itself (traceroute), or the packet is close to its end.
const explicitTTL = 30

func setTTL(c *Case, a args) error {
	n, err := a.integer(128)
	if err != nil {
		return err
	}
	dir, err := a.end()
	if err != nil {
		return err
	}
	return c.fromEnd(dir, func(h *header) error {
		old := int(h.ttl())
		if old <= explicitTTL {
			return nil
		}
		ttl := old + n - initialTTL(old)
		if ttl < 1 || ttl > 255 {
			return fmt.Errorf("a TTL of %d would become %d", old, ttl)
		}
		h.set(h.ttlOff(), []byte{byte(ttl)})
		return nil
	})
}

// end gives the direction in which the end named behind @ sends.
func (a args) end() (byte, error) {
	switch a.at {
	case "client", "":
		return 'f', nil
	case "server":
		return 'r', nil
	}
	return 0, fmt.Errorf("%q is no end; write client or server", a.at)
}

func initialTTL(ttl int) int {
	for _, n := range []int{32, 64, 128} {
		if ttl <= n {
			return n
		}
	}
	return 255
}

// fromEnd goes through the frames that an end's hosts really sent.
func (c *Case) fromEnd(dir byte, edit func(*header) error) error {
	made := c.made()
	for _, p := range c.Captures {
		for _, f := range p.Frames {
			if f.Dir != dir || f.Flow == nil || made[f] {
				continue
			}
			if h := read(p.Link, f); h.ip >= 0 {
				if err := edit(h); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// made collects the frames that something between the ends made.
func (c *Case) made() frames {
	m := frames{}
	for _, p := range c.Pairs {
		for s := range p.Only {
			for _, reason := range []string{"injected", "middlebox_generated"} {
				for _, f := range p.Only[s][reason] {
					m[f] = true
				}
			}
			for _, f := range p.Only[s]["terminated"] {
				if f.Dir == "rf"[s] { // it comes from the other side
					m[f] = true
				}
			}
		}
	}
	for again := true; again; {
		again = false
		for _, p := range c.Pairs {
			for _, l := range slices.Concat(p.Matches, p.Seg, p.Dups) {
				if m[l[0]] != m[l[1]] {
					m[l[0]], m[l[1]], again = true, true, true
				}
			}
		}
		for _, p := range c.Captures {
			for _, l := range p.Copies {
				if m[l[0]] && !m[l[1]] {
					m[l[1]], again = true, true
				}
			}
		}
	}
	return m
}
