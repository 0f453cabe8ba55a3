package match

import (
	"cmp"
	"slices"

	"github.com/corr-dev/corr/backend/flow"
)

// Flow is one conversation across the captures.
type Flow struct {
	ID     uint32 // corr.flow; counts from 1
	Proto  uint8
	Sides  []*Side // by capture; nil where it was not seen
	Joints []*Joint
	// Path lists the captures that packets pass, in order: [0] from the initiator, [1] back. Only captures that saw the
	// conversation, and of a direction of few packets those that saw its like.
	Path     [2][]int
	Presumed [2]uint64 // by capture: it is on the path, though it saw none of the direction
}

// Joint is what is known of a flow between two captures that both saw it.
type Joint struct {
	A, B       int // capture indexes, A < B
	Score      float64
	Margin     float64
	Kinds      uint32
	Rival      Conv // runner-up, Capture -1 for none
	Traits     Traits
	Terminated bool // a device between ends TCP and opens a connection of its own
	Opaque     bool // Terminated, and no byte survives: TLS ends in between
	SynProxied bool // a device between answers the initiator's SYN itself and opens the rest of the way later
	Way        int8 // +1: the initiator's packets pass A before B; -1: B before A; 0: not known
	HasTTL     [2]bool
	TTL        [2]int // TTL at A minus TTL at B of one packet, most frequent, by direction
}

// Evidence lists the kinds of evidence that joined the conversations, in words.
func (j *Joint) Evidence() []string {
	var out []string
	for e := evidence(0); e < nEvidence; e++ {
		if j.Kinds>>e&1 != 0 && !slices.Contains(out, evidenceWords[e]) {
			out = append(out, evidenceWords[e])
		}
	}
	return out
}

// forest joins conversations into flows: a union-find that also keeps which way round each runs.
type forest struct {
	base   []int // by capture: number of its first conversation
	parent []int32
	flip   []bool // against the parent
	caps   []*flow.Capture
	// held is, by root, once joined, the set of captures that its conversations are of, in so many words each.
	held  []uint64
	words int
}

func newForest(caps []*flow.Capture) *forest {
	f := &forest{caps: caps}
	n := 0
	for _, c := range caps {
		f.base = append(f.base, n)
		n += len(c.Convs)
	}
	f.words = len(caps)/64 + 1
	f.parent, f.flip, f.held = make([]int32, n), make([]bool, n), make([]uint64, n*f.words)
	for i := range f.parent {
		f.parent[i] = int32(i)
	}
	return f
}

func (f *forest) node(c Conv) int32 { return int32(f.base[c.Capture] + int(c.ID)) }

func (f *forest) conv(n int32) Conv {
	k, ok := slices.BinarySearch(f.base, int(n))
	if !ok {
		k--
	}
	for k+1 < len(f.base) && f.base[k+1] == f.base[k] {
		k++ // a capture without conversations
	}
	return Conv{k, flow.ConvID(int(n) - f.base[k])}
}

func (f *forest) find(n int32) (root int32, flip bool) {
	for f.parent[n] != n {
		flip = flip != f.flip[n]
		n = f.parent[n]
	}
	return n, flip
}

// captures is the set of captures that a root's conversations are of; c is one of them.
func (f *forest) captures(root int32, c Conv) []uint64 {
	l := f.held[int(root)*f.words:][:f.words]
	l[c.Capture/64] |= 1 << (c.Capture % 64)
	return l
}

// overlap reports whether joining a and b would put two conversations of one capture into one flow.
func (f *forest) overlap(a, b Conv) bool {
	ra, _ := f.find(f.node(a))
	rb, _ := f.find(f.node(b))
	if ra == rb {
		return false
	}
	x, y := f.captures(ra, a), f.captures(rb, b)
	for i := range x {
		if x[i]&y[i] != 0 {
			return true
		}
	}
	return false
}

// join makes a and b parts of one flow; flip says that they run opposite ways.
func (f *forest) join(a, b Conv, flip bool) {
	ra, fa := f.find(f.node(a))
	rb, fb := f.find(f.node(b))
	if ra == rb {
		return
	}
	x, y := f.captures(ra, a), f.captures(rb, b)
	if rb < ra {
		ra, rb, x, y = rb, ra, y, x
	}
	for i := range x {
		x[i] |= y[i]
	}
	f.parent[rb], f.flip[rb] = ra, fa != fb != flip
}

// members lists each flow's conversations, in ascending order, with their direction against the root.
func (f *forest) members() [][]member {
	count := make([]int32, len(f.parent)) // by root
	flows := 0
	for n := range f.parent {
		r, _ := f.find(int32(n))
		if count[r] == 0 {
			flows++
		}
		count[r]++
	}
	at := make([]int32, len(f.parent))
	out := make([][]member, 0, flows)
	room := make([]member, len(f.parent))
	for n := range f.parent {
		r, flip := f.find(int32(n))
		if int(r) == n {
			at[n] = int32(len(out))
			out, room = append(out, room[:0:count[n]]), room[count[n]:]
		}
		k := at[r]
		out[k] = append(out[k], member{f.conv(int32(n)), flip})
	}
	return out
}

type member struct {
	Conv
	flip bool
}

// newFlow makes a flow of its conversations: the initiator is the side that sent a SYN, else what most captures' first
// packets say, else the first conversation's.
func newFlow(caps []*flow.Capture, ms []member) *Flow {
	// All of it in one piece, as it is used.
	space := &struct {
		Flow
		side    [2]Side
		sides   [2]*Side
		convs   [2]flow.ConvID
		forward [2]int
	}{}
	f := &space.Flow
	f.Proto = caps[ms[0].Capture].Conv(ms[0].ID).Proto
	if f.Sides = space.sides[:]; len(caps) != len(space.sides) {
		f.Sides = make([]*Side, len(caps))
	}
	initiator := initiatorDir(caps, ms)
	n := 0
	for _, m := range ms {
		c := caps[m.Capture]
		s := f.Sides[m.Capture]
		if s == nil {
			if n < len(space.side) {
				s = &space.side[n]
				s.Cap, s.Convs, s.Forward = c, space.convs[n:n:n+1], space.forward[n:n:n+1]
			} else {
				s = &Side{Cap: c}
			}
			n++
			f.Sides[m.Capture] = s
		}
		d := initiator
		if m.flip {
			d = 1 - d
		}
		s.Convs = append(s.Convs, m.ID)
		s.Forward = append(s.Forward, d)
	}
	for _, s := range f.Sides {
		if s != nil {
			s.inFileOrder()
		}
	}
	return f
}

// fewConvs is how many conversations of a side are looked through one by one.
const fewConvs = 8

// inFileOrder sorts a side's conversations by their first frame; that of a device's far side comes behind its near side.
func (s *Side) inFileOrder() {
	if len(s.Convs) == 1 {
		return
	}
	ix := make([]int, len(s.Convs))
	for i := range ix {
		ix[i] = i
	}
	slices.SortFunc(ix, func(x, y int) int {
		a, b := &s.Cap.Convs[s.Convs[x]], &s.Cap.Convs[s.Convs[y]]
		if a.Beyond != b.Beyond {
			if a.Beyond {
				return 1
			}
			return -1
		}
		return cmp.Compare(s.Cap.Frame(a.First), s.Cap.Frame(b.First))
	})
	convs, fwd := make([]flow.ConvID, len(ix)), make([]int, len(ix))
	for k, i := range ix {
		convs[k], fwd[k] = s.Convs[i], s.Forward[i]
	}
	s.Convs, s.Forward = convs, fwd
	if len(convs) > fewConvs {
		s.at = make(map[flow.ConvID]int, len(convs))
		for k, id := range convs {
			s.at[id] = k
		}
	}
}

// initiatorDir is the direction of the root conversation that the initiator sends in.
func initiatorDir(caps []*flow.Capture, ms []member) int {
	votes := [2]int{}
	for _, m := range ms {
		c := caps[m.Capture]
		in := &c.Convs[m.ID]
		d := c.ClientDir(m.ID)
		w := 1
		switch {
		case in.SYN >= 0 || in.SYNACK >= 0:
			w = 1000
		case c.Conv(m.ID).Proto != flow.ProtoTCP && in.Packets[0] > in.Errors[0] && in.Packets[1] > in.Errors[1]:
			w = 10 // who was heard first of both; one that was heard alone may have answered what a recorder missed
		}
		if m.flip {
			d = 1 - d
		}
		votes[d] += w
	}
	if votes[1] > votes[0] {
		return 1
	}
	return 0
}

// Tuple is the flow's tuple at a capture, in the initiator's direction; of several (a translation that changed) the
// first.
func (f *Flow) Tuple(capture int) flow.Tuple {
	s := f.Sides[capture]
	return s.Cap.Tuple(s.Convs[0], s.Forward[0])
}

// Frames is the number of frames of the flow at a capture, copies and ICMP errors about it included.
func (s *Side) Frames() int {
	n := 0
	for _, id := range s.Convs {
		n += s.Cap.Count(id)
	}
	return n
}

// Ends are the places of the side's first and last frame.
func (s *Side) Ends() (first, last uint32) {
	any := false
	for _, id := range s.Convs {
		from, to := s.Cap.Span(id)
		if from == to {
			continue
		}
		if !any || s.Cap.Frame(from) < s.Cap.Frame(first) {
			first = from
		}
		if !any || s.Cap.Frame(to-1) > s.Cap.Frame(last) {
			last = to - 1
		}
		any = true
	}
	return first, last
}

// Dir is the flow direction of the packet in a place of this side (0: from the initiator).
func (s *Side) Dir(i uint32) int {
	if len(s.Convs) > 1 {
		return s.dirAmong(i)
	}
	return s.Cap.At(i).Dir() ^ s.Forward[0]
}

func (s *Side) dirAmong(i uint32) int {
	if s.at != nil {
		return s.Cap.At(i).Dir() ^ s.Forward[s.at[s.Cap.ID(i)]]
	}
	k := max(0, slices.IndexFunc(s.Convs, func(id flow.ConvID) bool { return s.Cap.Holds(id, i) }))
	return s.Cap.At(i).Dir() ^ s.Forward[k]
}

// DirOf is the flow direction of what goes in direction dir of a conversation of this side.
func (s *Side) DirOf(id flow.ConvID, dir int) int {
	if k, ok := s.at[id]; ok {
		return dir ^ s.Forward[k]
	}
	for k, c := range s.Convs {
		if c == id {
			return dir ^ s.Forward[k]
		}
	}
	return dir
}
