package match

// Which way round two conversations go together.

// orient turns a connectionless candidate as its ports say: an echo has the same bytes both ways, and a recorder may put
// the answer first. Most translations leave the service's port alone.
func (r *Result) orient(k *Candidate) {
	t, u := r.tuple(k.A, false), r.tuple(k.B, false)
	if exclusive(t.Proto) || t.Sport == t.Dport {
		return
	}
	same := func(a, b uint16) int {
		if a == b && a != 0 {
			return 1
		}
		return 0
	}
	straight, crossed := same(t.Sport, u.Sport)+same(t.Dport, u.Dport), same(t.Sport, u.Dport)+same(t.Dport, u.Sport)
	if straight != crossed {
		k.Flip = crossed > straight
	}
}

// opposed reports whether two conversations were opened in opposite directions, by what both captures hold of their
// handshakes: no device on a path turns a connection round.
func (r *Result) opposed(k *Candidate) bool {
	a, ok := r.openedBy(k.A)
	b, ok2 := r.openedBy(k.B)
	return ok && ok2 && (a != b) != k.Flip
}

// openedBy is the direction of a conversation that its SYN went, or its SYN/ACK went against; ok is false where neither
// was captured.
func (r *Result) openedBy(c Conv) (dir int, ok bool) {
	src := r.Caps[c.Capture]
	in := &src.Convs[c.ID]
	src.Store.Visit(1)
	switch {
	case in.SYN >= 0:
		return src.At(src.Handshakes[in.SYN].Fact).Dir(), true
	case in.SYNACK >= 0:
		return 1 - src.At(src.Handshakes[in.SYNACK].Fact).Dir(), true
	}
	return 0, false
}
