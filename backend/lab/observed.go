package lab

import (
	"slices"
	"strconv"
)

// observed says what the one-to-one pairs show, by direction.
func (p *Pair) observed() map[string]any {
	type seen struct {
		transit []float64
		ttl     map[string]int
		changed map[string]int
	}
	by := map[byte]*seen{}
	for _, l := range p.Matches {
		dir := l[0].Dir
		if dir == 0 {
			continue
		}
		s := by[dir]
		if s == nil {
			s = &seen{ttl: map[string]int{}, changed: map[string]int{}}
			by[dir] = s
		}
		x, y := read(p.A.Link, l[0]), read(p.B.Link, l[1])
		if dir == 'r' {
			x, y = y, x
		}
		s.transit = append(s.transit, float64(y.frame.True-x.frame.True)/1e3)
		if x.ip < 0 || y.ip < 0 {
			continue
		}
		s.ttl[strconv.Itoa(int(x.ttl())-int(y.ttl()))]++
		for _, name := range changed(x, y) {
			s.changed[name]++
		}
	}
	out := map[string]any{}
	for dir, s := range by {
		slices.Sort(s.transit)
		out[string(dir)] = map[string]any{
			"packets": len(s.transit), "ttl_delta": s.ttl, "changed_fields": s.changed,
			"transit_us": map[string]any{"min": s.transit[0], "median": s.transit[len(s.transit)/2], "max": s.transit[len(s.transit)-1]},
		}
	}
	return out
}

// changed names the header fields that differ, as the recorded truths do.
func changed(x, y *header) []string {
	var out []string
	differ := func(name string, is bool) {
		if is {
			out = append(out, name)
		}
	}
	differ("src", x.tuple.src != y.tuple.src)
	differ("dst", x.tuple.dst != y.tuple.dst)
	differ("sport", x.tuple.sport != y.tuple.sport)
	differ("dport", x.tuple.dport != y.tuple.dport)
	xid, _ := x.ipID()
	yid, _ := y.ipID()
	differ("ipid", xid != yid)
	if x.tcp() && y.tcp() {
		differ("seq", x.seq() != y.seq())
		differ("ack", x.ack() != y.ack())
		differ("window", x.window() != y.window())
		differ("opt_mss", x.mss() != y.mss())
	}
	return out
}

// mss is the value of the MSS option, -1 without one.
func (h *header) mss() int {
	if o, ok := h.option(optMSS); ok && o.len == 4 {
		return int(be.Uint16(h.data[o.off+2:]))
	}
	return -1
}
