package infer

import (
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/oui"
)

// Vendor is the maker that a network card's address is assigned to; "" for none.
func Vendor(m [6]byte) string { return oui.Vendor(m) }

// vendor is the maker of the network card that speaks for a box, where the box is the next neighbour of a point: frames
// that it made itself and that passed no router, or, where nothing else can stand between, frames from its side. "" where
// that can't be known. A card's maker is a hint, not proof.
func (v *Verdict) vendor(s *Segment, x *Box) string {
	maker := ""
	for _, c := range []int{s.A, s.B} {
		votes := map[string]int{}
		for _, f := range x.Flows.in(v.Flows, 64) {
			v.nextHop(s, x, f, c, votes)
		}
		best := ""
		for name, n := range votes {
			if n > votes[best] || n == votes[best] && name < best {
				best = name
			}
		}
		switch {
		case best == "":
		case votes[best]*2 <= sum(votes):
			return "" // several cards, none of them in the majority
		case maker != "" && maker != best:
			return "" // a card on either side, by two makers: neither tells who made the device
		default:
			maker = best
		}
	}
	return maker
}

func sum(m map[string]int) int {
	n := 0
	for _, x := range m {
		n += x
	}
	return n
}

// nextHop counts the makers of the cards that hand frames of a flow from the stretch to point c.
func (v *Verdict) nextHop(s *Segment, x *Box, f *match.Flow, c int, votes map[string]int) {
	d := arriving(f, c, s.other(c))
	if d < 0 {
		return
	}
	own := x.Kind == Proxy || x.Kind == TransparentProxy || x.Kind == SYNProxy || x.Kind == ResetInjector
	if !own && (s.Routers == Unknown || s.Routers > 1) {
		return
	}
	side := f.Sides[c]
	n := 0
	for _, id := range side.Convs {
		for i := range flow.UpTo(side.Cap.Span(id)) {
			y := side.Cap.At(i)
			if side.Dir(i) != d || y.Mark&(flow.MarkError|flow.MarkDuplicate) != 0 {
				continue
			}
			if own && initialOf(y.TTL) != y.TTL {
				continue // routers in between: the card is the last one's
			}
			if x.Kind == ResetInjector && v.Marks[c].At(i).Fate != FateInjected || x.Kind == SYNProxy && y.Flags() == 0 {
				continue
			}
			if l := side.Cap.Link(i); l.HasMAC {
				if name := Vendor(l.Src); name != "" {
					votes[name]++
				}
			}
			if n++; n >= 8 {
				return
			}
		}
	}
}
