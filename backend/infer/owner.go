package infer

import (
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/match"
)

// ownKey is an address that a device between two points uses as its own toward the first of them.
type ownKey struct {
	at, other int
	version   uint8
	addr      decode.Addr
}

// owners collects the addresses that devices use as their own: a translated source behind it, a virtual destination
// before it. What such an address sends or gets at a point without any counterpart at the other, the device itself
// talks: health checks, pings to the virtual address.
func (j *judge) owners() {
	j.own = map[ownKey]bool{}
	plain := map[ownKey]bool{}
	for _, f := range j.v.Flows {
		for _, jt := range f.Joints {
			if jt.Way == 0 {
				continue
			}
			for _, e := range [2][2]int{{jt.A, jt.B}, {jt.B, jt.A}} {
				at, other := e[0], e[1]
				t, o := f.Tuple(at), f.Tuple(other)
				// An initiator's address is seen true before the device and translated behind it, a responder's the
				// other way round.
				behind := way(jt, other, 0) > 0
				src, dst := ownKey{at, other, t.Version, t.Src}, ownKey{at, other, t.Version, t.Dst}
				if t.Src != o.Src && behind {
					j.own[src] = true
				} else {
					plain[src] = true
				}
				if t.Dst != o.Dst && !behind {
					j.own[dst] = true
				} else {
					plain[dst] = true
				}
			}
		}
	}
	for k := range plain {
		delete(j.own, k)
	}
}

// owned judges a frame of a conversation that only c saw, where one of its ends is a device's own address on the way to
// the other point.
func (j *judge) owned(f *match.Flow, c, other, d int) (Fate, bool) {
	t := f.Tuple(c)
	src, dst := t.Src, t.Dst
	if d == 1 {
		src, dst = dst, src
	}
	switch {
	case j.own[ownKey{c, other, t.Version, src}]:
		return FateInjected, true
	case j.own[ownKey{c, other, t.Version, dst}]:
		return FateConsumed, true
	}
	return FateUnknown, false
}
