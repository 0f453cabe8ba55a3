package lab

import (
	"cmp"
	"slices"
)

var outageTransform = Transform{"outage", "SHARE@A-B", "from a moment on, behind that share of the recording's time, no TCP conversation gets through between two points any more", outage}

// outage lets the conversations that begin after a moment end with their first packet, which is sent again.
func outage(c *Case, a args) error {
	share, err := a.float(0.5)
	if err != nil {
		return err
	}
	q, err := a.pair()
	if err != nil {
		return err
	}
	byFlow := map[*Flow][]travel{}
	var first, last int64
	for _, t := range c.travels(q) {
		if f := t.link[0].Flow; f != nil && f.Proto == "tcp" {
			byFlow[f] = append(byFlow[f], t)
			if first == 0 || t.sent() < first {
				first = t.sent()
			}
			last = max(last, t.sent())
		}
	}
	moment := first + int64(share*float64(last-first))
	for _, f := range c.Flows {
		l := byFlow[f]
		slices.SortStableFunc(l, func(x, y travel) int { return cmp.Compare(x.sent(), y.sent()) })
		if len(l) > 0 && l[0].sent() >= moment {
			c.silence(q, f, l[0], c.after(f, l, l[0].sent()), 0)
			f.Outcome = "blackholed"
		}
	}
	for _, p := range c.Captures {
		p.sortByTime()
	}
	q.Middleboxes = append(q.Middleboxes, box("packet-filter"))
	return nil
}
