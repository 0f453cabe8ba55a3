package lab

var reorderTransform = Transform{"reorder", "PERCENT@A-B", "the wire between two points holds packets back, so that later ones overtake them", reorder}

func reorder(c *Case, a args) error {
	percent, err := a.float(5)
	if err != nil {
		return err
	}
	q, err := a.pair()
	if err != nil {
		return err
	}
	for _, t := range c.pick(q, percent, a.Rand) {
		// No answer may come before what it answers.
		hold := int64(5_000_000)
		for _, x := range t.behind {
			_, after := x.at.gaps(x.f)
			hold = min(hold, after*3/4)
		}
		if hold < 5000 {
			continue
		}
		hold = hold/2 + a.Int64N(hold/2)
		for _, x := range t.behind {
			x.f.True += hold
			x.at.sortByTime()
		}
	}
	return nil
}
