package infer

import (
	"cmp"
	"slices"

	"github.com/corr-dev/corr/backend/clock"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// untold reports whether the snaplen of either capture took what would tell a frame's counterpart from others.
func (v *Verdict) untold(f *match.Flow, c int, i uint32, other int) bool {
	x := v.At(c, i)
	switch {
	case x.LacksQuote(f.Proto):
		return true
	case x.Is(flow.MarkLater) && (f.Proto == flow.ProtoTCP || f.Proto == flow.ProtoUDP) && !v.Caps[c].Conv(v.Caps[c].ID(i)).HasPorts:
		return true // a fragment whose first one was not there before it: whose it is, is not known
	case x.Is(flow.MarkError):
		return v.Caps[c].QuotesCut || v.Caps[other].QuotesCut
	case f.Proto == flow.ProtoTCP && x.IPID == 0 && x.Mark&flow.MarkLater == 0:
		return x.Short() || f.Sides[other] != nil && f.Sides[other].Short()
	case f.Proto == flow.ProtoUDP && x.IPID == 0:
		return bare(v.Caps[c]) || bare(v.Caps[other])
	}
	return false
}

// bare reports whether the snaplen left too little of a capture's datagrams for them to be compared.
func bare(c *flow.Capture) bool { return c.AnyCut[1] && !c.MinHead[1] }

// equalKey is what a datagram carries, as a capture holds it.
type equalKey struct {
	capture   int
	len, hash uint32
}

type equalFrame struct {
	at clock.RefTime
	of *match.Flow
}

const (
	equalMost  = 1 << 20       // datagrams of conversations without counterpart that are remembered
	equalReach = 1_000_000_000 // ns between what may be one datagram
	equalLook  = 64            // equal datagrams in reach that are looked at
)

// equals collects the datagrams of conversations that have no counterpart at some other point.
func (j *judge) equals() {
	j.equal = map[equalKey][]equalFrame{}
	for _, c := range j.v.Caps {
		j.bare = j.bare || bare(c)
	}
	defer func() {
		for _, l := range j.equal {
			slices.SortFunc(l, func(x, y equalFrame) int { return cmp.Compare(x.at, y.at) })
		}
	}()
	n := 0
	for _, f := range j.v.Flows {
		if f.Proto != flow.ProtoUDP || !slices.Contains(f.Sides, nil) {
			continue
		}
		for c, s := range f.Sides {
			if s == nil {
				continue
			}
			for _, id := range s.Convs {
				for i := range flow.UpTo(s.Cap.Span(id)) {
					x := s.Cap.At(i)
					at, ok := j.v.Time(c, i)
					if !ok || x.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate) != 0 {
						continue
					}
					if n++; n > equalMost {
						return
					}
					k := j.equalTo(c, x)
					j.equal[k] = append(j.equal[k], equalFrame{at, f})
				}
			}
		}
	}
}

// equalTo is the key of datagrams at a capture that may be x.
func (j *judge) equalTo(c int, x *flow.Fact) equalKey {
	if j.bare {
		return equalKey{c, x.Len(), 0}
	}
	return equalKey{c, x.Len(), x.Head}
}

// maybe reports whether the other point holds a datagram with the same bytes at about the same time, of a conversation without
// counterpart here: it may be this one behind a translation, and nothing tells whether it is.
func (j *judge) maybe(f *match.Flow, c int, i uint32, other int) bool {
	if f.Proto != flow.ProtoUDP {
		return false
	}
	x := j.v.At(c, i)
	at, ok := j.v.Time(c, i)
	if !ok {
		return false
	}
	l := j.equal[j.equalTo(other, x)]
	k, _ := slices.BinarySearchFunc(l, at-equalReach, func(e equalFrame, t clock.RefTime) int { return cmp.Compare(e.at, t) })
	return slices.ContainsFunc(l[k:min(len(l), k+equalLook)], func(e equalFrame) bool { return e.of.Sides[c] == nil && e.at <= at+equalReach })
}
