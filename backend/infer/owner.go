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
	j.eachEnd(func(k ownKey, translated bool) {
		if translated {
			j.own[k] = true
		}
	})
	if len(j.own) == 0 {
		return
	}
	plain := map[ownKey]bool{}
	j.eachEnd(func(k ownKey, translated bool) {
		if !translated && j.own[k] {
			plain[k] = true
		}
	})
	for k := range plain {
		delete(j.own, k)
	}
}

// eachEnd calls fn for both ends of every flow at each two points, with whether a translation between these shows the end by another
// address.
func (j *judge) eachEnd(fn func(k ownKey, translated bool)) {
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
				fn(src, t.Src != o.Src && behind)
				fn(dst, t.Dst != o.Dst && !behind)
			}
		}
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

// endKey is a device that ends requests, as one capture sees it: the service that it offers, or itself as a client.
type endKey struct {
	capture int
	service bool
	proto   uint8
	version uint8
	addr    decode.Addr
	port    uint16 // the service's
}

// ended is where a device stands.
type ended struct {
	segment  int
	servesAt bool
}

// askers collects the devices that end requests and ask anew, from requests that both sides hold.
func (j *judge) askers() {
	j.ends = map[endKey]ended{}
	for i := range j.v.Exchanges.Claims {
		c := &j.v.Exchanges.Claims[i]
		s := j.v.Segment(c.Front.Conv.Capture, c.Back.Conv.Capture)
		f, g := j.v.FlowOf[c.Front.Conv.Capture][c.Front.Conv.ID], j.v.FlowOf[c.Back.Conv.Capture][c.Back.Conv.ID]
		if s == nil || f == nil || g == nil || f == g || c.Confidence < 90 {
			continue
		}
		j.ends[serviceKey(f, c.Front.Conv.Capture)] = ended{s.Index, true}
		j.ends[clientKey(g, c.Back.Conv.Capture)] = ended{s.Index, false}
	}
}

func serviceKey(f *match.Flow, c int) endKey {
	t := f.Tuple(c)
	return endKey{c, true, f.Proto, t.Version, t.Dst, t.Dport}
}

func clientKey(f *match.Flow, c int) endKey {
	t := f.Tuple(c)
	return endKey{c, false, f.Proto, t.Version, t.Src, t.Dport}
}

// endedBy judges the frames of a conversation that only c saw and that a device ends which asks anew: answered by
// itself, or carried on as a conversation that is not this one's alone.
func (j *judge) endedBy(f *match.Flow, c, d int) (Mark, bool) {
	if len(j.ends) == 0 || !f.Alone() {
		return Mark{}, false
	}
	e, known := j.ends[serviceKey(f, c)]
	if !known {
		if e, known = j.ends[clientKey(f, c)]; !known {
			return Mark{}, false
		}
	}
	if e.servesAt == (d == 0) {
		return Mark{Fate: FateConsumed, Origin: j.v.origin(f, d), Where: uint8(e.segment + 1)}, true
	}
	return Mark{Fate: FateInjected, Origin: OriginMiddlebox, Where: uint8(e.segment + 1)}, true
}
