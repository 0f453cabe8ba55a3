package match

import (
	"slices"
	"sync"
)

// flows makes the flows and the index of them.
func (r *Result) flows(fo *forest) {
	r.FlowOf = make([][]*Flow, len(r.Caps))
	for k, c := range r.Caps {
		r.FlowOf[k] = make([]*Flow, len(c.Convs))
	}
	all := fo.members()
	made := make([]*Flow, len(all))
	r.each(len(all), func() func(i int) {
		return func(i int) {
			// A tunnel's outer header, or a conversation that only an ICMP error quotes, has no frame of its own.
			ms := slices.DeleteFunc(all[i], func(m member) bool { return r.Caps[m.Capture].Conv(m.ID).Packets == 0 })
			if len(ms) == 0 {
				return
			}
			made[i] = newFlow(r.Caps, ms)
			for _, m := range ms {
				r.FlowOf[m.Capture][m.ID] = made[i]
			}
		}
	})
	r.Flows = slices.DeleteFunc(made, func(f *Flow) bool { return f == nil })
	for i, f := range r.Flows {
		f.ID = uint32(i + 1)
	}
}

// known is what was found of two conversations before the flows were made.
type known struct {
	ks    []Candidate            // in the order of byPair
	alike map[[2]Conv]*Candidate // joined later, by less
	// The first probes of each flow: by flow, the number in Result.probed + 1, and of each that of the next.
	first, next []int32
}

// candidate is the evidence that two conversations are one, nil for none.
func (k *known) candidate(a, b Conv) *Candidate {
	if c := k.alike[[2]Conv{a, b}]; c != nil {
		return c
	}
	n, ok := slices.BinarySearchFunc(k.ks, Candidate{A: a, B: b}, func(x, y Candidate) int { return byPair(&x, &y) })
	if !ok {
		return nil
	}
	return &k.ks[n]
}

// joints probes every flow at every two captures that saw it. ks are candidates in the order of byPair, alike further ones.
func (r *Result) joints(ks, alike []Candidate) {
	k := &known{ks: ks, alike: map[[2]Conv]*Candidate{}, first: make([]int32, len(r.Flows)), next: make([]int32, len(r.probed))}
	for i := range alike {
		k.alike[[2]Conv{alike[i].A, alike[i].B}] = &alike[i]
	}
	for i := range r.probed {
		if f := r.FlowOf[r.probed[i].a.Capture][r.probed[i].a.ID]; f != nil {
			k.next[i], k.first[f.ID-1] = k.first[f.ID-1], int32(i+1)
		}
	}
	byConv := sync.OnceValue(func() map[Conv][]*Candidate {
		of := map[Conv][]*Candidate{}
		for _, l := range [2][]Candidate{ks, alike} {
			for i := range l {
				of[l[i].A], of[l[i].B] = append(of[l[i].A], &l[i]), append(of[l[i].B], &l[i])
			}
		}
		return of
	})
	r.each(len(r.Flows), func() func(i int) {
		m := &matcher{}
		return func(i int) {
			f := r.Flows[i]
			for a := range f.Sides {
				for b := a + 1; b < len(f.Sides); b++ {
					if f.Sides[a] != nil && f.Sides[b] != nil && r.Pieces[a] != r.Pieces[b] {
						j := r.joint(m, f, a, b, k)
						if c := j.Rival; c.Capture >= 0 && r.FlowOf[c.Capture][c.ID] == f {
							r.outside(j, f, byConv())
						}
						if rel := r.Relations[[2]int{j.A, j.B}]; rel != nil && (j.Way == 0 || j.Terminated) {
							if w := rel.guessWay(f); w != 0 {
								j.Way = w
							}
						}
						f.Joints = append(f.Joints, j)
					}
				}
			}
		}
	})
	r.probed = nil
}

// joint probes a flow at two captures that saw it, or takes over what the first probe found.
func (r *Result) joint(m *matcher, f *Flow, a, b int, k *known) *Joint {
	x, y := f.Sides[a], f.Sides[b]
	j := r.probedJoint(f, a, b, k)
	if j == nil {
		j = &Joint{A: a, B: b, Rival: Conv{Capture: -1}}
		m.probe(x, y, f.Proto, j)
	}
	for _, u := range x.Convs {
		for _, w := range y.Convs {
			if c := k.candidate(Conv{a, u}, Conv{b, w}); c != nil && c.Score > j.Score {
				j.Score, j.Margin, j.Kinds, j.Rival = c.Score, c.Margin, c.Kinds, c.Rival
			}
		}
	}
	return j
}

// probedJoint is what the first probe of a flow's two sides found, nil for nothing, or where the flow has other parts there, or
// another initiator: the probe took that from these two alone.
func (r *Result) probedJoint(f *Flow, a, b int, k *known) *Joint {
	x, y := f.Sides[a], f.Sides[b]
	if len(x.Convs) != 1 || len(y.Convs) != 1 {
		return nil
	}
	for n := k.first[f.ID-1]; n > 0; n = k.next[n-1] {
		p := &r.probed[n-1]
		if p.a != (Conv{a, x.Convs[0]}) || p.b != (Conv{b, y.Convs[0]}) {
			continue
		}
		if p.flow.Sides[a].Forward[0] != x.Forward[0] || p.flow.Sides[b].Forward[0] != y.Forward[0] {
			return nil
		}
		return p.joint
	}
	return nil
}

// outside finds the runner-up of a joint anew where it is a part of the flow itself, as where a translation changed its
// mapping: two parts of one flow are no rivals.
func (r *Result) outside(j *Joint, f *Flow, byConv map[Conv][]*Candidate) {
	j.Margin, j.Rival = j.Score, Conv{Capture: -1}
	for _, c := range [2]int{j.A, j.B} {
		for _, id := range f.Sides[c].Convs {
			for _, k := range byConv[Conv{c, id}] {
				other := k.B
				if other.Capture == c {
					other = k.A
				}
				if other.Capture != j.A && other.Capture != j.B || r.FlowOf[other.Capture][other.ID] == f {
					continue
				}
				if j.Rival.Capture < 0 || j.Score-k.Score < j.Margin {
					j.Margin, j.Rival = j.Score-k.Score, other
				}
			}
		}
	}
}

// sides is the number of captures that saw a flow.
func (f *Flow) sides() int {
	n := 0
	for _, s := range f.Sides {
		if s != nil {
			n++
		}
	}
	return n
}
