package lab

var ipidTransform = Transform{"ipid", "zero|random", "zeroes the IP IDs of packets that may not be fragmented, or draws all anew; the same at every point", setIPID}

func setIPID(c *Case, a args) error {
	group := c.components()
	delta := map[*Frame]uint16{}
	// Zero only where every copy of the packet may not be fragmented.
	fixed := frames{}
	for _, p := range c.Captures {
		for _, f := range p.Frames {
			if h := read(p.Link, f); !h.df() {
				fixed[group(f)] = true
			}
		}
	}
	for _, p := range c.Captures {
		for _, f := range p.Frames {
			h := read(p.Link, f)
			id, ok := h.ipID()
			root := group(f)
			switch {
			case !ok || id == 0:
			case a.value == "zero":
				if !fixed[root] {
					h.set16(h.ip+4, 0)
				}
			default:
				if delta[root] == 0 {
					delta[root] = uint16(1 + a.UintN(65535))
				}
				h.set16(h.ip+4, id+delta[root])
			}
		}
	}
	return nil
}

// components groups the frames that are one packet at several points; the function gives a group's representative.
func (c *Case) components() func(*Frame) *Frame {
	parent := map[*Frame]*Frame{}
	find := func(f *Frame) *Frame {
		for parent[f] != nil {
			if g := parent[parent[f]]; g != nil {
				parent[f] = g
			}
			f = parent[f]
		}
		return f
	}
	join := func(x, y *Frame) {
		if x, y = find(x), find(y); x != y {
			parent[y] = x
		}
	}
	for _, p := range c.Pairs {
		for _, l := range [][]Link{p.Matches, p.Seg, p.Dups} {
			for _, x := range l {
				join(x[0], x[1])
			}
		}
	}
	for _, p := range c.Captures {
		for _, l := range p.Copies {
			join(l[0], l[1])
		}
		for _, f := range p.Frames {
			if f.Head != nil {
				join(f.Head, f)
			}
		}
	}
	return find
}
