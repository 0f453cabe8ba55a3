package lab

import (
	"cmp"
	"slices"
	"strconv"
)

// relax asks nobody for what nothing can tell. Packets of one conversation that are equal in every byte but TTL and
// checksum can only be paired by their order; where some of them are missing on one side, or order changed, each may
// be the counterpart of each: allowed, not required.
func (c *Case) relax() {
	for _, p := range c.Pairs {
		p.relax()
	}
}

func (p *Pair) relax() {
	room := 1 << 30 // bytes of payload that both recorders kept
	for _, q := range []*Capture{p.A, p.B} {
		if q.Snaplen > 0 {
			room = min(room, max(0, int(q.Snaplen)-100))
		}
	}
	within := !p.translated() // a translator between IP versions gives identifications of its own
	groups := [2]map[string][]*Frame{p.A.twins(room, within), p.B.twins(room, within)}
	key := [2]map[*Frame]string{{}, {}}
	for s := range groups {
		for k, l := range groups[s] {
			for _, f := range l {
				key[s][f] = k
			}
		}
	}
	loose := map[[2]string]bool{}
	byKeys := map[[2]string][]Link{}
	var order [][2]string
	for _, l := range p.Matches {
		k := [2]string{key[0][l[0]], key[1][l[1]]}
		if k[0] == "" && k[1] == "" {
			continue
		}
		if byKeys[k] == nil {
			order = append(order, k)
		}
		byKeys[k] = append(byKeys[k], l)
	}
	copies := p.copies()
	for k, l := range byKeys {
		loose[k] = !inOrder(l, groups[0][k[0]], groups[1][k[1]], copies)
	}
	p.Matches = slices.DeleteFunc(p.Matches, func(l Link) bool {
		return loose[[2]string{key[0][l[0]], key[1][l[1]]}]
	})
	for _, k := range order {
		if !loose[k] {
			continue
		}
		left, right := groups[0][k[0]], groups[1][k[1]]
		p.Dups = append(p.Dups, byKeys[k]...)
		for _, x := range left {
			for _, y := range right {
				if l := (Link{x, y}); !slices.Contains(p.Dups[max(0, len(p.Dups)-256):], l) {
					p.Dups = append(p.Dups, l)
				}
			}
		}
	}
}

// copies collects what is known to be there once more: SPAN copies, what a wire duplicated, and what it was made of.
func (p *Pair) copies() frames {
	m := frames{}
	for _, x := range p.Dups {
		m[x[0]], m[x[1]] = true, true
	}
	for s := range p.Only {
		for _, f := range p.Only[s]["span_copy"] {
			m[f] = true
		}
	}
	return m
}

// inOrder: all of both groups are matched, first with first. Copies don't count.
func inOrder(l []Link, left, right []*Frame, copies frames) bool {
	l = slices.Clone(l)
	slices.SortStableFunc(l, func(x, y Link) int { return cmp.Compare(x[0].True, y[0].True) })
	matched := frames{}
	for i, x := range l {
		if i > 0 && x[1].True < l[i-1][1].True {
			return false
		}
		matched[x[0]], matched[x[1]] = true, true
	}
	for _, f := range slices.Concat(left, right) {
		if !matched[f] && !copies[f] {
			return false
		}
	}
	return true
}

// twins groups the frames that look the same; groups of one are left out.
func (c *Capture) twins(room int, ip bool) map[string][]*Frame {
	m := map[string][]*Frame{}
	for _, f := range c.Frames {
		if f.Flow == nil {
			continue
		}
		if k := read(c.Link, f).identity(room, ip); k != "" {
			k = strconv.Itoa(f.Flow.ID) + string(f.Dir) + k
			m[k] = append(m[k], f)
		}
	}
	for k, l := range m {
		if len(l) < 2 {
			delete(m, k)
		}
	}
	return m
}

// translated reports whether the points see different IP versions.
func (p *Pair) translated() bool {
	return slices.ContainsFunc(p.Matches, func(l Link) bool {
		a, b := read(p.A.Link, l[0]).version, read(p.B.Link, l[1]).version
		return a != b && a != 0 && b != 0
	})
}

// identity is what of a packet stays on its way, within one conversation and direction, with or without its IP header;
// empty: not known.
func (h *header) identity(room int, ip bool) string {
	if h.ip < 0 {
		return ""
	}
	start := h.l4
	if start < 0 {
		start = min(len(h.data), h.ip+20)
	}
	head := []byte{h.proto}
	switch {
	case !ip: // nothing of it is the same on both sides
	case h.version == 4:
		head = append(head, h.data[h.ip+2:h.ip+8]...)
	default:
		head = append(head, h.data[h.ip+4:h.ip+6]...)
	}
	end := min(len(h.data), h.end, h.payload+min(room, 1<<20))
	l4 := slices.Clone(h.data[start:max(start, end)])
	if at, ok := map[byte]int{protoTCP: 16, protoUDP: 6, protoICMP: 2, protoICMPv6: 2}[h.proto]; ok && len(l4) >= at+2 {
		l4[at], l4[at+1] = 0, 0
	}
	return string(append(head, l4...))
}
