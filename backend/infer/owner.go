package infer

import (
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// ownKey is an address that a device between two points uses as its own toward the first of them.
type ownKey struct {
	at, other int
	version   uint8
	addr      decode.Addr
}

// ownService is what an address that a device has as its own offers, by its port.
type ownService struct {
	ownKey
	proto uint8
	port  uint16
}

// owners collects the addresses that devices use as their own: a translated source behind it, a virtual destination
// before it. What such an address sends or gets at a point without any counterpart at the other, the device itself
// talks: health checks, pings to the virtual address. The TTLs are noted with which what it only passes on comes from there.
func (j *judge) owners() {
	j.own, j.forwarded = map[ownKey]*ttls{}, map[ownService]bool{}
	var ends [256]bool // by the last byte of an address: some device has one like it
	j.eachEnd(nil, func(f *match.Flow, jt *match.Joint, k ownKey, d int, _ bool) {
		if j.own[k] == nil {
			j.own[k] = &ttls{}
			ends[k.addr[len(k.addr)-1]] = true
		}
		if d == 1 && !jt.Terminated && !jt.SynProxied {
			j.forwarded[serviceOf(f, k.at, k.other)] = true
		}
	})
	if len(j.own) == 0 {
		return
	}
	plain := map[ownKey]bool{}
	j.eachEnd(&ends, func(f *match.Flow, _ *match.Joint, k ownKey, d int, translated bool) {
		switch n := j.own[k]; {
		case n == nil:
		case !translated:
			plain[k] = true
		case n.seen < ttlsOf:
			j.v.Caps[k.at].Store.Visit(Touch)
			if i := j.v.first(f, k.at, d); i >= 0 {
				n.add(j.v.At(k.at, uint32(i)).TTL)
			}
		}
	})
	for k := range plain {
		delete(j.own, k)
	}
}

// ttls is a set of TTLs, of so many packets.
type ttls struct {
	bits [4]uint64
	seen int
}

// ttlsOf is how many conversations of an address are looked at for the TTLs that its packets come with.
const ttlsOf = 256

func (s *ttls) add(t uint8) {
	s.bits[t>>6] |= 1 << (t & 63)
	s.seen++
}

func (s *ttls) has(t uint8) bool { return s.bits[t>>6]>>(t&63)&1 != 0 }

// eachEnd calls fn for ends of every flow at each two points, with the direction that the end sends in, and whether a translation between
// these shows the end by another address: for those whose last byte is among ends; if that is nil, for the translated ones.
func (j *judge) eachEnd(ends *[256]bool, fn func(f *match.Flow, jt *match.Joint, k ownKey, d int, translated bool)) {
	at := make([]flow.Tuple, len(j.v.Caps))
	wanted := func(a *decode.Addr, translated bool) bool {
		if ends == nil {
			return translated
		}
		return ends[a[len(a)-1]]
	}
	for _, f := range j.v.Flows {
		for c, s := range f.Sides {
			if s != nil && len(f.Joints) > 0 {
				at[c] = f.Tuple(c)
			}
		}
		for _, jt := range f.Joints {
			if jt.Way == 0 {
				continue
			}
			for _, e := range [2][2]int{{jt.A, jt.B}, {jt.B, jt.A}} {
				t, o := &at[e[0]], &at[e[1]]
				// An initiator's address is seen true before the device and translated behind it, a responder's the
				// other way round.
				behind := way(jt, e[1], 0) > 0
				src, dst := t.Src != o.Src && behind, t.Dst != o.Dst && !behind
				if wanted(&t.Src, src) {
					fn(f, jt, ownKey{e[0], e[1], t.Version, t.Src}, 0, src)
				}
				if wanted(&t.Dst, dst) {
					fn(f, jt, ownKey{e[0], e[1], t.Version, t.Dst}, 1, dst)
				}
			}
		}
	}
}

// balancers finds the addresses behind which several servers are: some conversations with a service there that a device only translates
// are answered and never seen at the other point.
func (j *judge) balancers() {
	j.balanced = map[ownKey]bool{}
	if len(j.forwarded) == 0 {
		return
	}
	for _, f := range j.v.Flows {
		for c, s := range f.Sides {
			if s == nil {
				continue
			}
			for other, o := range f.Sides {
				k := serviceOf(f, c, other)
				if o != nil || !j.forwarded[k] || j.balanced[k.ownKey] || !j.v.answered(f, c) {
					continue
				}
				from, to := s.Cap.Span(s.Convs[0])
				j.balanced[k.ownKey] = !j.v.outsideOf(other, c, from) && !j.v.outsideOf(other, c, to-1)
			}
		}
	}
}

// serviceOf is what a conversation asks for, where a device between c and the other point has it in its own name.
func serviceOf(f *match.Flow, c, other int) ownService {
	t := f.Tuple(c)
	return ownService{ownKey{c, other, t.Version, t.Dst}, f.Proto, t.Dport}
}

// owned judges a frame of a conversation that only c saw, where one of its ends is a device's own address on the way to
// the other point. What comes from as far away as all that the device passes on is nothing that it says itself, where the other point
// shows nothing of that port.
func (j *judge) owned(f *match.Flow, c, other, d int) (Fate, bool) {
	t := f.Tuple(c)
	ends := [2]decode.Addr{t.Src, t.Dst}
	for k, fate := range [2]Fate{FateInjected, FateConsumed} {
		e := d ^ k // the end that sends this frame, then the one that gets it
		passed := j.own[ownKey{c, other, t.Version, ends[e]}]
		if passed == nil {
			continue
		}
		if i := j.v.first(f, c, e); i >= 0 && passed.has(j.v.At(c, uint32(i)).TTL) && j.hidden(f, c, other, true) {
			continue
		}
		return fate, true
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
