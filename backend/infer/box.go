package infer

import (
	"bytes"
	"fmt"
	"math/bits"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// Kinds of middleboxes, corr.middlebox.kind.
const (
	SourceNAT        = "source-nat"
	DestinationNAT   = "destination-nat"
	DoubleNAT        = "double-nat"
	PrefixNAT        = "prefix-translation"
	NAT64            = "nat64"
	SIIT             = "siit"
	Softwire         = "softwire"
	Gateway          = "application-gateway"
	SYNProxy         = "syn-proxy"
	Proxy            = "terminating-proxy"
	TransparentProxy = "terminating-transparent-proxy"
	Forwarder        = "message-forwarder"
	PacketFilter     = "packet-filter"
	MSSClamp         = "mss-clamp"
	ResetInjector    = "reset-injector"
	TunnelEndpoint   = "tunnel-endpoint"
)

// kindWords are the kinds in an analyst's words; kindOrder is the order in which a stretch's boxes are named.
var kindWords = map[string]string{
	SourceNAT: "source NAT", DestinationNAT: "destination NAT", DoubleNAT: "double NAT", PrefixNAT: "prefix translation (NPTv6)",
	NAT64: "NAT64", SIIT: "IP/ICMP translator (SIIT)", Softwire: "softwire", Gateway: "application gateway", SYNProxy: "SYN proxy",
	Proxy: "TCP-terminating proxy", TransparentProxy: "TCP-terminating firewall", Forwarder: "message forwarder",
	PacketFilter: "packet filter", MSSClamp: "MSS clamp", ResetInjector: "reset injector", TunnelEndpoint: "tunnel endpoint",
}

var kindOrder = []string{TransparentProxy, Proxy, SYNProxy, SourceNAT, DestinationNAT, DoubleNAT, PrefixNAT, NAT64, SIIT, Softwire, Gateway, MSSClamp, PacketFilter, ResetInjector, TunnelEndpoint, Forwarder}

// Box is a device on a stretch that does more than forward.
type Box struct {
	Kind       string
	Name       string // in words, with the maker where it shows: "TCP-terminating firewall (Check Point)"
	Vendor     string
	Confidence int
	Changes    map[string]string // header field → "1460 → 1300"
	Evidence   []Evidence
	Flows      FlowSet
	said       map[translated]bool
	FromA      int // routers between the stretch's ends and the device; Unknown
	FromB      int
}

// FlowSet is a set of flows.
type FlowSet struct {
	bits []uint64 // by number, from 0
	n    int
}

func (s *FlowSet) add(f *match.Flow) {
	k, bit := int(f.ID-1)/64, uint64(1)<<((f.ID-1)%64)
	if k >= len(s.bits) {
		s.bits = append(s.bits, make([]uint64, k+1-len(s.bits))...)
	}
	if s.bits[k]&bit == 0 {
		s.bits[k] |= bit
		s.n++
	}
}

// addAll adds the flows of another set.
func (s *FlowSet) addAll(o *FlowSet) {
	if n := len(o.bits) - len(s.bits); n > 0 {
		s.bits = append(s.bits, make([]uint64, n)...)
	}
	for k, w := range o.bits {
		s.n += bits.OnesCount64(w &^ s.bits[k])
		s.bits[k] |= w
	}
}

// Has reports whether a flow is in the set.
func (s *FlowSet) Has(f *match.Flow) bool {
	k := int(f.ID-1) / 64
	return k < len(s.bits) && s.bits[k]>>((f.ID-1)%64)&1 != 0
}

// Len is the number of flows in the set.
func (s *FlowSet) Len() int { return s.n }

// in lists those of all flows, which are in the order of their numbers, that are in the set, most of them at the most.
func (s *FlowSet) in(all []*match.Flow, most int) []*match.Flow {
	out := make([]*match.Flow, 0, min(s.n, most))
	for k, w := range s.bits {
		for ; w != 0 && len(out) < cap(out); w &= w - 1 {
			out = append(out, all[k*64+bits.TrailingZeros64(w)])
		}
	}
	return out
}

// Evidence is one observation that can be looked up.
type Evidence struct {
	Capture int
	Frame   int64 // place; -1: about no single frame
	Field   string
	Value   string
}

// evidenceMost bounds the frames that one statement names: enough to check, few enough to read.
const evidenceMost = 8

func (b *Box) prove(e ...Evidence) {
	for _, x := range e {
		if len(b.Evidence) < evidenceMost {
			b.Evidence = append(b.Evidence, x)
		}
	}
}

func (b *Box) change(field, text string) {
	if _, known := b.Changes[field]; !known {
		b.Changes[field] = text
	}
}

// box is the stretch's box of a kind, made on first use.
func (s *Segment) box(kind string) *Box {
	for _, b := range s.Boxes {
		if b.Kind == kind {
			return b
		}
	}
	b := &Box{Kind: kind, Name: kindWords[kind], Changes: map[string]string{}, said: map[translated]bool{}, FromA: Unknown, FromB: Unknown}
	s.Boxes = append(s.Boxes, b)
	return b
}

// boxes finds what stands on each stretch. What goes by frames, or by all conversations, and needs nothing of the rest is looked at first,
// on all cores.
func (v *Verdict) boxes() {
	looks := make([]looked, len(v.Segments))
	var tasks []func()
	for k, s := range v.Segments {
		l := &looks[k]
		tasks = append(tasks, func() { v.handled(s) }, func() { s.expired = v.expiry(s) }, func() { l.wrapped = v.wrapped(s) })
		l.pairs = make([]compared, v.parts(s.Link))
		for n := range l.pairs {
			tasks = append(tasks, func() { l.pairs[n] = v.compare(s.Link, n, len(l.pairs)) })
		}
	}
	v.atOnce(tasks)
	for k, s := range v.Segments {
		v.tunnels(s, looks[k].wrapped)
		v.gateways(s, looks[k].pairs)
		v.forgetters(s)
		v.name(s)
		v.conditions(s, looks[k].pairs)
	}
}

// looked is what a first look at a stretch found.
type looked struct {
	wrapped []*match.Flow
	pairs   []compared
}

// handled finds what shows in a stretch's conversations.
func (v *Verdict) handled(s *Segment) {
	v.mappings(s)
	for _, p := range s.passing {
		v.translation(s, p.f, p.j)
		v.termination(s, p.f, p.j)
		v.handshakeChanges(s, p.f, p.j)
		v.resets(s, p.f, v.State[p.n])
	}
	v.forwarders(s)
	v.filters(s)
	v.rejecters(s)
}

// adjoins reports whether a segment's ends follow each other on a flow's path.
func (v *Verdict) adjoins(f *match.Flow, s *Segment) bool {
	is := false
	for _, p := range f.Path {
		v.neighbours(p, func(a, b int) { is = is || a == s.A && b == s.B || a == s.B && b == s.A })
	}
	return is
}

// first is a flow's first frame at a capture, of direction d if any, as evidence.
func (v *Verdict) first(f *match.Flow, c, d int) int64 {
	s := f.Sides[c]
	if !s.Carries(d) {
		return -1
	}
	for _, id := range s.Convs {
		for i := range flow.UpTo(s.Cap.Span(id)) {
			if x := s.Cap.At(i); s.Dir(i) == d && x.Mark&(flow.MarkError|flow.MarkDuplicate) == 0 {
				return int64(i)
			}
		}
	}
	return -1
}

// translated is which fields of a tuple a translation changes; their names follow from it.
type translated struct {
	proto, from, to uint8   // protocol, IP versions
	fields          [4]bool // source, destination, source port, destination port
}

// mappings collects the addresses that a source translation on a stretch shows to either side, and whether one between
// IP versions keeps state (NAT64, RFC 6146): a port changes, or several hosts have one address behind it.
func (v *Verdict) mappings(s *Segment) {
	s.shown = map[ownKey]bool{}
	behind := map[ownKey]flow.Tuple{}
	v.each(s, func(f *match.Flow, j *match.Joint) {
		if j.Terminated {
			return
		}
		from, to, ok := v.travel(f, 0, s)
		a, b := f.Tuple(from), f.Tuple(to)
		switch {
		case !ok:
		case a.Version != b.Version:
			k := ownKey{to, from, b.Version, b.Src}
			if t, known := behind[k]; known && t.Src != a.Src {
				s.stateful = true
			}
			behind[k] = a
			s.stateful = s.stateful || a.Sport != b.Sport
			s.stateless = len(behind) > 1 || bytes.Equal(a.Src[12:], b.Src[12:])
		case a.Src != b.Src && a.Dst == b.Dst:
			s.shown[ownKey{to, from, b.Version, b.Src}] = true
		}
	})
}

// translation names address translations. Seen from the client end: the initiator's own address is its source.
func (v *Verdict) translation(s *Segment, f *match.Flow, j *match.Joint) {
	if j.Terminated {
		return
	}
	a, b := f.Tuple(s.A), f.Tuple(s.B)
	if b == a {
		return
	}
	for _, c := range [2]int{s.A, s.B} {
		if v.Translators[c] && len(f.Sides[c].Convs) == 1 {
			return // which of its sides it missed is not known
		}
	}
	src := a.Src != b.Src || a.Sport != b.Sport
	dst := a.Dst != b.Dst || a.Dport != b.Dport
	if f.Proto == flow.ProtoICMP || f.Proto == flow.ProtoICMPv6 {
		// The identifier stands in both ports.
		src, dst = a.Src != b.Src || a.Dst == b.Dst, a.Dst != b.Dst
	}
	kind := SourceNAT
	switch {
	case a.Version != b.Version:
		kind = SIIT
		if s.stateful {
			kind = NAT64
		}
	case samePrefixOnly(a, b):
		kind = PrefixNAT
	case src && dst:
		kind = DoubleNAT
	case dst:
		kind = DestinationNAT
		// Opened from outside to an address that the inside is shown as: a source translation's own mapping, used the
		// other way (an opening that a gateway made, or an old binding).
		if from, to, ok := v.travel(f, 0, s); ok && s.shown[ownKey{from, to, f.Tuple(from).Version, f.Tuple(from).Dst}] {
			kind = SourceNAT
		}
	}
	x := s.box(kind)
	x.Confidence = 99
	if kind == SIIT && !s.stateless {
		x.Confidence = 70 // one that keeps state may leave a lone client its ports
	}
	x.Flows.add(f)
	what := translated{f.Proto, a.Version, b.Version, [4]bool{a.Src != b.Src, a.Dst != b.Dst, a.Sport != b.Sport, a.Dport != b.Dport}}
	if len(x.Evidence) == evidenceMost && x.said[what] {
		return
	}
	x.said[what] = true
	at, bt := v.first(f, s.A, 0), v.first(f, s.B, 0)
	for _, c := range []struct {
		field string
		a, b  string
	}{{"ip.src", addr(a.Version, a.Src), addr(b.Version, b.Src)}, {"ip.dst", addr(a.Version, a.Dst), addr(b.Version, b.Dst)},
		{port(f.Proto, "src"), fmt.Sprint(a.Sport), fmt.Sprint(b.Sport)}, {port(f.Proto, "dst"), fmt.Sprint(a.Dport), fmt.Sprint(b.Dport)}} {
		if c.a == c.b || c.field == "" {
			continue
		}
		x.change(ipField(c.field, a.Version), c.a+" → "+c.b)
		x.prove(Evidence{s.A, at, ipField(c.field, a.Version), c.a}, Evidence{s.B, bt, ipField(c.field, b.Version), c.b})
	}
}

func ipField(f string, version uint8) string {
	if version == 6 && (f == "ip.src" || f == "ip.dst") {
		return "ipv6" + f[2:]
	}
	return f
}

func port(proto uint8, end string) string {
	switch proto {
	case flow.ProtoTCP:
		return "tcp." + end + "port"
	case flow.ProtoUDP:
		return "udp." + end + "port"
	case flow.ProtoSCTP:
		return "sctp." + end + "port"
	case flow.ProtoICMP, flow.ProtoICMPv6:
		if end == "src" {
			return "icmp.ident"
		}
	}
	return ""
}

// samePrefixOnly reports whether the addresses that differ between two tuples differ as NPTv6 makes them: in the prefix,
// or in one word more that keeps the sum (RFC 6296 §3.4, §3.5).
func samePrefixOnly(a, b flow.Tuple) bool {
	if a.Version != 6 || b.Version != 6 || a.Sport != b.Sport || a.Dport != b.Dport {
		return false
	}
	for _, p := range [2][2]decode.Addr{{a.Src, b.Src}, {a.Dst, b.Dst}} {
		if p[0] != p[1] && !bytes.Equal(p[0][8:], p[1][8:]) && wordSum(p[0]) != wordSum(p[1]) {
			return false
		}
	}
	return true
}

// wordSum is the ones' complement sum of an address's words, as checksums have it (RFC 1071).
func wordSum(a decode.Addr) uint32 {
	var sum uint32
	for i := 0; i < len(a); i += 2 {
		sum += uint32(a[i])<<8 | uint32(a[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return sum % 0xffff // 0 and ffff are the same number
}
