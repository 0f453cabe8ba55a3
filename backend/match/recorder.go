package match

import (
	"bytes"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

// recorders finds captures that follow each other at one point, as a recorder writes them that begins a new file every so often (dumpcap
// -b, tcpdump -C and -G). It gives, by capture, the first one that the same recorder wrote, and the conversations that go on.
func recorders(caps []*flow.Capture) (first []int, goOn []Candidate) {
	first = make([]int, len(caps))
	for k := range caps {
		first[k] = k
	}
	for b := range caps {
		for a := range b {
			x, y := a, b
			if caps[x].Last > caps[y].Last {
				x, y = b, a
			}
			if caps[x].Len() == 0 || caps[y].Len() == 0 || caps[x].Last > caps[y].First {
				continue
			}
			l, one := follows(caps, x, y)
			if !one {
				continue
			}
			goOn = append(goOn, l...)
			if to, from := min(first[a], first[b]), max(first[a], first[b]); to != from {
				for k := range first {
					if first[k] == from {
						first[k] = to
					}
				}
			}
		}
	}
	return first, goOn
}

// sameEnds is how many conversations between the same ports of a capture follows looks at.
const sameEnds = 4

// follows reports whether capture y goes on where x ends, at the same point. By one clock x has ended before, and either TCP connections
// go on in y with the numbers where they were, or y begins at once, with packets of the same hosts between the same network cards: what
// passes there, both would have at the same time, so that with clocks that are apart they would have the same packets. It lists the
// conversations that go on.
func follows(caps []*flow.Capture, x, y int) (goOn []Candidate, yes bool) {
	if !sameHosts(caps[x], caps[y]) {
		return nil, false
	}
	wire := atOnce(caps[x], caps[y]) && sameWire(caps[x], caps[y])
	type key struct {
		flow.Tuple
		proto uint8
	}
	of := func(k int, id flow.ConvID) (t key, turned bool) {
		u := caps[k].Tuple(id, 0)
		if c := bytes.Compare(u.Src[:], u.Dst[:]); c > 0 || c == 0 && u.Sport > u.Dport {
			u, turned = caps[k].Tuple(id, 1), true
		}
		return key{u, caps[k].Conv(id).Proto}, turned
	}
	begins := func(k int, id flow.ConvID) bool { return caps[k].Convs[id].SYN >= 0 }
	syn := func(k int, id flow.ConvID) *flow.Fact {
		return caps[k].At(caps[k].Handshakes[caps[k].Convs[id].SYN].Fact)
	}
	type ids struct {
		id [sameEnds]flow.ConvID
		n  int
	}
	var all []ids
	late := make(map[key]int, len(caps[y].Convs)) // index + 1 of all
	for id := range caps[y].Convs {
		if c := flow.ConvID(id); wire || caps[y].Conv(c).Proto == flow.ProtoTCP {
			t, _ := of(y, c)
			at := late[t]
			if at == 0 {
				all = append(all, ids{})
				at = len(all)
				late[t] = at
			}
			if l := &all[at-1]; l.n < sameEnds {
				l.id[l.n] = c
				l.n++
			}
		}
	}
	sure, anew := false, false
	for id := range caps[x].Convs {
		c := flow.ConvID(id)
		t, turned := of(x, c)
		at := late[t]
		if at == 0 {
			continue
		}
		in := &all[at-1]
		for n, l := range in.id[:in.n] {
			_, also := of(y, l)
			k := Candidate{A: Conv{x, c}, B: Conv{y, l}, Flip: turned != also}
			switch goes, both := goesOn(caps, &k); {
			case t.proto != flow.ProtoTCP:
				if recordedTwice(caps, &k) {
					return nil, false
				}
				if n > 0 {
					continue
				}
			case begins(y, l):
				if !begins(x, c) || syn(x, c).Seq != syn(y, l).Seq {
					anew = true // the ports are used again, or a device in between opens a connection of its own
					continue
				}
				if f, g := syn(x, c), syn(y, l); f.IPID == g.IPID && (f.TSval == g.TSval || (f.Mark|g.Mark)&flow.MarkOptionsCut != 0) {
					return nil, false // it was not sent again: it is one packet, recorded twice
				}
			case !goes:
				continue
			default:
				sure = sure || both
			}
			if x > y {
				k.A, k.B = k.B, k.A
			}
			goOn = append(goOn, k)
		}
	}
	return goOn, sure || wire && !anew
}

// pauseLeast, ns, or pausePart of the time of two captures, is how long nothing may pass between them.
const (
	pauseLeast = 1_000_000_000
	pausePart  = 0.01
)

// atOnce reports whether a capture begins where the one before it ends.
func atOnce(x, y *flow.Capture) bool {
	return y.First-x.Last <= max(pauseLeast, capture.LocalTime(float64(y.Last-x.First)*pausePart))
}

// sameHosts reports whether two captures hold packets between the same two addresses.
func sameHosts(x, y *flow.Capture) bool {
	type hosts struct{ a, b decode.Addr }
	between := func(c *flow.Capture, id flow.ConvID) hosts {
		t := c.Tuple(id, 0)
		if bytes.Compare(t.Src[:], t.Dst[:]) > 0 {
			return hosts{t.Dst, t.Src}
		}
		return hosts{t.Src, t.Dst}
	}
	has := map[hosts]bool{}
	for id := range x.Convs {
		has[between(x, flow.ConvID(id))] = true
	}
	for id := range y.Convs {
		if has[between(y, flow.ConvID(id))] {
			return true
		}
	}
	return false
}

// sameWire reports whether two captures hold packets between the same two network cards.
func sameWire(x, y *flow.Capture) bool {
	type cards struct{ src, dst [6]byte }
	has := map[cards]bool{}
	for i := range x.Links {
		if l := &x.Links[i]; l.HasMAC && l.Dst[0]&1 == 0 && l.Src != l.Dst { // they are the same on a loopback
			has[cards{l.Src, l.Dst}] = true
		}
	}
	for i := range y.Links {
		if l := &y.Links[i]; l.HasMAC && has[cards{l.Src, l.Dst}] {
			return true
		}
	}
	return false
}

// goesOn reports whether the numbers of a conversation go on where they were in every direction that both captures hold, and nothing
// of the packets' outside tells that they were recorded elsewhere; both: these are two directions.
func goesOn(caps []*flow.Capture, k *Candidate) (yes, both bool) {
	n := 0
	for d := range 2 {
		e := d
		if k.Flip {
			e = 1 - d
		}
		i, ok := edge(caps[k.A.Capture], k.A.ID, d, true)
		l, ok2 := edge(caps[k.B.Capture], k.B.ID, e, false)
		if !ok || !ok2 {
			continue
		}
		f, g := caps[k.A.Capture].At(i), caps[k.B.Capture].At(l)
		u, v := caps[k.A.Capture].Link(i), caps[k.B.Capture].Link(l)
		if f.TTL != g.TTL || u.Src != v.Src || u.Dst != v.Dst || u.HasMAC != v.HasMAC || u.VLANs != v.VLANs || u.VLAN != v.VLAN || u.NTunnel != v.NTunnel {
			return false, false
		}
		if by := int32(g.Seq - f.Seq); by < 0 || by > reach {
			return false, false
		}
		n++
	}
	return n > 0, n == 2
}

// edge is the last, or the first, frame of a conversation's direction whose number counts.
func edge(c *flow.Capture, id flow.ConvID, dir int, last bool) (at uint32, ok bool) {
	for i := range flow.UpTo(c.Span(id)) {
		if f := c.At(i); f.Dir() == dir && f.Mark&(flow.MarkError|flow.MarkLater) == 0 && f.Flags()&decode.RST == 0 {
			if at, ok = i, true; !last {
				break
			}
		}
	}
	return at, ok
}

// twiceLook is how many packets of a conversation recordedTwice looks at.
const twiceLook = 16

// recordedTwice reports whether both captures hold a packet with the same identification, numbers and bytes.
func recordedTwice(caps []*flow.Capture, k *Candidate) bool {
	a, b := caps[k.A.Capture], caps[k.B.Capture]
	from, to := a.Span(k.A.ID)
	since, until := b.Span(k.B.ID)
	for i := range flow.UpTo(from, min(to, from+twiceLook)) {
		for l := range flow.UpTo(since, min(until, since+twiceLook)) {
			f, g := a.At(i), b.At(l)
			if f.Is(flow.MarkLocal) || f.IPID != g.IPID || f.Seq != g.Seq || f.Ack != g.Ack || (f.Dir() == g.Dir()) == k.Flip {
				continue
			}
			if same, known := flow.SamePayload(f, g); same && known && f.Len() > 0 {
				return true
			}
		}
	}
	return false
}
