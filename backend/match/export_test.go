package match

// Glances gives what a glance at each flow finds at each two points, where very many flows are there, and what a probe does.
func (r *Result) Glances() (glanced, probed []Joint) {
	var m matcher
	for _, f := range r.Flows {
		for _, j := range f.Joints {
			x, y := Joint{A: j.A, B: j.B}, Joint{A: j.A, B: j.B}
			m.glance(f.Sides[j.A], f.Sides[j.B], f.Proto, &x, samplesLeast)
			m.probe(f.Sides[j.A], f.Sides[j.B], f.Proto, &y)
			glanced, probed = append(glanced, x), append(probed, y)
		}
	}
	return glanced, probed
}

// Probed gives what a probe of so many packets at either end loads of a side, and all packets of it.
func (s *Side) Probed(limit int) (ends, all [2][]uint32) {
	s.ends(limit, &ends)
	for d := range all {
		all[d] = s.packets(d, nil)
	}
	return ends, all
}
