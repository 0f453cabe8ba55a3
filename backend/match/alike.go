package match

import (
	"cmp"
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
)

// Connectionless conversations may be alike to the last bit: queries with the same identification, probes, heartbeats.
// What tells them apart is when they were sent, and between which hosts and ports; both are known once other
// conversations of the same two captures are joined.
const (
	hostBits = 6  // an address whose counterpart other conversations show
	portBits = 10 // the initiator's port, where it is the same: of 16 random bits what systematic choice leaves
	// sameBytes is what equal bytes tell where no other conversation has them.
	sameBytes = 12
	// alikeHead is the number of packets by direction that are compared.
	alikeHead = 8
)

// alike joins connectionless conversations that are alone, of captures whose clocks and hosts are known from others. It
// gives what it joined.
func (r *Result) alike(fo *forest, tk *taken) (out []Candidate) {
	for _, key := range r.related() {
		rel := r.Relations[key]
		if rel.Time.len() == 0 {
			continue
		}
		x, y := r.lonely(fo, key[0], key[1]), r.lonely(fo, key[1], key[0])
		if len(x) == 0 || len(y) == 0 {
			continue
		}
		h := r.hosts(fo, key[0], key[1])
		ks := r.simultaneous(rel, x, y, commonLevel(r.Caps[key[0]], r.Caps[key[1]]))
		ks = h.rate(r, ks, x, y)
		r.successive(ks)
		m := &matcher{}
		for _, i := range byScore(ks, likely) {
			k := &ks[i]
			if k.Margin < clear || fo.same(k.A, k.B) || fo.overlap(k.A, k.B) {
				continue
			}
			f := newFlow(r.Caps, []member{{k.A, false}, {k.B, k.Flip}})
			j := &Joint{A: key[0], B: key[1]}
			pairs, ok := m.probe(f.Sides[key[0]], f.Sides[key[1]], f.Proto, j)
			if !ok { // datagrams that say nothing are paired by the clocks alone
				pairs = m.pairPackets(f.Proto, &j.Traits, rel.either(r))
				ok = len(pairs) > 0
			}
			if ok && rel.agrees(m, pairs) && r.accept(fo, tk, k) {
				out = append(out, *k)
			}
		}
	}
	return out
}

// successiveMost bounds the candidates of one conversation that are compared with each other.
const successiveMost = 64

// successive lets candidates of one conversation stand together whose counterparts follow each other: a translation whose
// mapping changes makes several of one. They are no rivals, and what the packets of each tell counts for all.
func (r *Result) successive(ks []Candidate) {
	apart := func(x, y Conv) bool {
		c := r.Caps[x.Capture]
		a, b := c.Span(x.ID)
		i, j := c.Span(y.ID)
		return c.At(b-1).Time() < c.At(i).Time() || c.At(j-1).Time() < c.At(a).Time()
	}
	lists := [2]map[flow.ConvID][]int32{{}, {}}
	for i := range ks {
		lists[0][ks[i].A.ID] = append(lists[0][ks[i].A.ID], int32(i))
		lists[1][ks[i].B.ID] = append(lists[1][ks[i].B.ID], int32(i))
	}
	score := make([]float64, len(ks))
	for i := range ks {
		score[i] = ks[i].Score
	}
	for i := range ks {
		k := &ks[i]
		k.Margin, k.Rival = score[i], Conv{Capture: -1}
		chain := 0.
		for side, of := range [2]Conv{k.A, k.B} {
			l := lists[side][of.ID]
			for _, n := range l[:min(len(l), successiveMost)] {
				o := &ks[n]
				mine, other := k.B, o.B
				if side == 1 {
					mine, other = k.A, o.A
				}
				switch {
				case int(n) == i:
				case apart(mine, other):
					chain += max(0, score[n]-2*hostBits)
				case score[i]-score[n] < k.Margin:
					k.Margin, k.Rival = score[i]-score[n], other
				}
			}
		}
		k.Score += min(chain, timeMost)
	}
}

// lonely lists the connectionless conversations of a capture that have no counterpart in another one.
func (r *Result) lonely(fo *forest, c, other int) (out []Conv) {
	var has []bool // by root: the other capture has conversations of it
	for id := range r.Caps[c].Convs {
		cv := r.Caps[c].Conv(flow.ConvID(id))
		if exclusive(cv.Proto) || cv.Packets == 0 {
			continue
		}
		if has == nil {
			has = make([]bool, len(fo.parent))
			for id := range r.Caps[other].Convs {
				root, _ := fo.find(fo.node(Conv{other, flow.ConvID(id)}))
				has[root] = true
			}
		}
		if root, _ := fo.find(fo.node(Conv{c, flow.ConvID(id)})); !has[root] {
			out = append(out, Conv{c, flow.ConvID(id)})
		}
	}
	return out
}

// shot is one packet of a conversation.
type shot struct {
	key  uint64
	time capture.LocalTime
	n    capture.FrameNo
	conv int // in the list
	dir  uint8
	side uint8
}

// shots lists the first packets of conversations, with keys of what they carry.
func (r *Result) shots(out []shot, l []Conv, side uint8, lvl level) []shot {
	for i, c := range l {
		src := r.Caps[c.Capture]
		proto := flow.Versionless(src.Conv(c.ID).Proto)
		m := &matcher{lvl: lvl}
		seen := [2]int{}
		for n := range flow.UpTo(src.Span(c.ID)) {
			f := src.At(n)
			if f.Mark&(flow.MarkDuplicate|flow.MarkError|flow.MarkLater|flow.MarkNoTime) != 0 {
				continue
			}
			d := f.Dir()
			if seen[d]++; seen[d] > alikeHead {
				if seen[1-d] > alikeHead {
					break
				}
				continue
			}
			if proto == flow.ProtoICMP {
				g := *f
				g.Seq = 0 // a translation may rewrite the identifier
				f = &g
			}
			// Which end serves: its port is the smaller one, before a translation and behind it.
			way := uint64(0)
			if t := src.Tuple(c.ID, d); t.Sport < t.Dport {
				way = 1 << 8
			}
			out = append(out, shot{flow.Mix(m.loose(f, proto, 0, 0), way|uint64(proto)), f.Time(), src.Frame(n), i, uint8(d), side})
		}
	}
	return out
}

// simultaneous finds the conversations that have equal packets at the same time by both clocks, each packet with no
// other in reach.
func (r *Result) simultaneous(rel *Relation, x, y []Conv, lvl level) []Candidate {
	s := r.shots(r.shots(nil, x, 0, lvl), y, 1, lvl)
	slices.SortFunc(s, func(p, q shot) int {
		return cmp.Or(cmp.Compare(p.key, q.key), cmp.Compare(p.side, q.side), cmp.Compare(p.time, q.time), cmp.Compare(p.conv, q.conv))
	})
	a, b := r.Caps[rel.A], r.Caps[rel.B]
	span := float64(min(a.Last-a.First, b.Last-b.First))
	type pair struct{ x, y int }
	type sum struct {
		bits, flip float64
		alone      bool // no other conversation has these bytes
	}
	found := map[pair]*sum{}
	for i := 0; i < len(s); {
		j := i
		for j < len(s) && s[j].key == s[i].key {
			j++
		}
		k := i
		for k < j && s[k].side == 0 {
			k++
		}
		p, q := s[i:k], s[k:j]
		i = j
		// only[y]: the packet of p whose window the packet y lies in; -2: several.
		only := make([]int, len(q))
		for n := range only {
			only[n] = -1
		}
		at, width := make([]int, len(p)), make([]float64, len(p))
		for n := range p {
			at[n] = -1
			for _, w := range rel.Time.windows(moment{p[n].n, p[n].time}) {
				width[n] += float64(w.to - w.from)
				from, _ := slices.BinarySearchFunc(q, w.from, func(e shot, t capture.LocalTime) int { return cmp.Compare(e.time, t) })
				for m := from; m < len(q) && q[m].time <= w.to; m++ {
					if at[n] == -1 {
						at[n] = m
					} else {
						at[n] = -2
					}
					if only[m] == -1 {
						only[m] = n
					} else {
						only[m] = -2
					}
					if at[n] == -2 && only[m] == -2 {
						break // dense: neither tells anything, nor does what follows
					}
				}
			}
		}
		for n, m := range at {
			if m < 0 || only[m] != n {
				continue
			}
			bits := min(timeMost, math.Log2(span/(width[n]*float64(max(len(p), len(q))))))
			if !(bits > 0) {
				bits = 0
			}
			v := found[pair{p[n].conv, q[m].conv}]
			if v == nil {
				v = &sum{}
				found[pair{p[n].conv, q[m].conv}] = v
			}
			v.bits += bits
			v.alone = v.alone || len(p) == 1 && len(q) == 1
			if v.flip++; p[n].dir == q[m].dir {
				v.flip -= 2
			}
		}
	}
	out := make([]Candidate, 0, len(found))
	for k, v := range found {
		c := Candidate{A: x[k.x], B: y[k.y], Flip: v.flip > 0, Score: min(2*timeMost, v.bits), Kinds: 1<<evAlike | 1<<evPayload, Rival: Conv{Capture: -1}}
		if v.alone {
			c.Score += sameBytes
		}
		out = append(out, c)
	}
	return out
}

// hosts says which addresses of two captures are one host's, by conversations that are joined.
type hosts struct {
	to [2]map[addrOf]map[addrOf]bool // of the first capture to the second, and back
}

func (r *Result) hosts(fo *forest, a, b int) *hosts {
	h := &hosts{}
	h.to[0], h.to[1] = map[addrOf]map[addrOf]bool{}, map[addrOf]map[addrOf]bool{}
	last := make([]int32, len(fo.parent)) // by root: a's last conversation, its number + 1, below 0 where it is turned against the root
	for id := range r.Caps[a].Convs {
		root, flip := fo.find(fo.node(Conv{a, flow.ConvID(id)}))
		if last[root] = int32(id + 1); flip {
			last[root] = -last[root]
		}
	}
	for id := range r.Caps[b].Convs {
		root, flip := fo.find(fo.node(Conv{b, flow.ConvID(id)}))
		x := last[root]
		if x == 0 {
			continue
		}
		d := 0
		if (x < 0) != flip {
			d = 1
		}
		t, u := r.Caps[a].Tuple(flow.ConvID(max(x, -x)-1), 0), r.Caps[b].Tuple(flow.ConvID(id), d)
		h.same(addrOf{t.Version, t.Src}, addrOf{u.Version, u.Src})
		h.same(addrOf{t.Version, t.Dst}, addrOf{u.Version, u.Dst})
	}
	return h
}

func (h *hosts) same(x, y addrOf) {
	if h.to[0][x][y] {
		return
	}
	for d, p := range [2][2]addrOf{{x, y}, {y, x}} {
		if h.to[d][p[0]] == nil {
			h.to[d][p[0]] = map[addrOf]bool{}
		}
		h.to[d][p[0]][p[1]] = true
	}
}

// bits rates two addresses: for one host where others show it, against it where they show another one.
func (h *hosts) bits(x, y addrOf) float64 {
	switch {
	case h.to[0][x][y]:
		return hostBits
	case len(h.to[0][x]) > 0 && len(h.to[1][y]) > 0:
		return -hostBits
	}
	return 0
}

// rate adds to candidates what hosts and ports tell, and the conversations that hosts and ports alone join.
func (h *hosts) rate(r *Result, ks []Candidate, x, y []Conv) []Candidate {
	have := map[[2]Conv]bool{}
	for i := range ks {
		ks[i].Score += h.tuples(r.tuple(ks[i].A, false), r.tuple(ks[i].B, ks[i].Flip))
		have[[2]Conv{ks[i].A, ks[i].B}] = true
	}
	index := map[flow.Tuple][]Conv{}
	for _, c := range y {
		k := versionless(r.tuple(c, false))
		index[k] = append(index[k], c)
	}
	for _, c := range x {
		t := r.tuple(c, false)
		if t.Sport == 0 && t.Dport == 0 {
			continue
		}
		for src := range h.to[0][addrOf{t.Version, t.Src}] {
			for dst := range h.to[0][addrOf{t.Version, t.Dst}] {
				if src.version != dst.version {
					continue
				}
				for flip := range 2 {
					u := flow.Tuple{Proto: t.Proto, Src: src.addr, Dst: dst.addr, Sport: t.Sport, Dport: t.Dport, Version: src.version}
					if flip == 1 {
						u.Src, u.Dst, u.Sport, u.Dport = u.Dst, u.Src, u.Dport, u.Sport
					}
					for _, w := range index[versionless(u)] {
						if !have[[2]Conv{c, w}] {
							ks = append(ks, Candidate{A: c, B: w, Flip: flip == 1, Score: 2*hostBits + portBits, Kinds: 1 << evAlike, Rival: Conv{Capture: -1}})
						}
					}
				}
			}
		}
	}
	// Where both ports are one number, both ways round fit: the straight one is taken, whatever the order of the maps.
	slices.SortFunc(ks, func(p, q Candidate) int {
		turned := func(k *Candidate) int {
			if k.Flip {
				return 1
			}
			return 0
		}
		return cmp.Or(byPair(&p, &q), cmp.Compare(q.Score, p.Score), turned(&p)-turned(&q))
	})
	ks = slices.CompactFunc(ks, func(p, q Candidate) bool { return p.A == q.A && p.B == q.B })
	rank(ks)
	return ks
}

func versionless(t flow.Tuple) flow.Tuple {
	t.Proto = flow.Versionless(t.Proto)
	return t
}

func (r *Result) tuple(c Conv, flip bool) flow.Tuple {
	d := 0
	if flip {
		d = 1
	}
	return r.Caps[c.Capture].Tuple(c.ID, d)
}

func (h *hosts) tuples(t, u flow.Tuple) float64 {
	s := h.bits(addrOf{t.Version, t.Src}, addrOf{u.Version, u.Src}) + h.bits(addrOf{t.Version, t.Dst}, addrOf{u.Version, u.Dst})
	if t.Sport == u.Sport && t.Dport == u.Dport && t.Sport != 0 {
		s += portBits
	}
	return s
}
