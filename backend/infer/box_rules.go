package infer

import (
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// termination names devices that end TCP, and SYN proxies.
func (v *Verdict) termination(s *Segment, f *match.Flow, j *match.Joint) {
	var x *Box
	switch {
	case j.Terminated && sameHosts(f.Tuple(s.A), f.Tuple(s.B)):
		x = s.box(TransparentProxy)
	case j.Terminated:
		x = s.box(Proxy)
	case j.SynProxied:
		x = s.box(SYNProxy)
	default:
		return
	}
	x.Flows.add(f)
	x.Confidence = max(x.Confidence, v.terminationConfidence(f, j))
	for d, name := range []string{"SYN", "SYN/ACK"} {
		a, b := v.handshakeFrame(f, s.A, d), v.handshakeFrame(f, s.B, d)
		if a < 0 || b < 0 {
			continue
		}
		p, q := v.At(s.A, uint32(a)), v.At(s.B, uint32(b))
		if p.Seq != q.Seq {
			x.change("tcp.seq_raw", fmt.Sprintf("%s %d → %d", name, p.Seq, q.Seq))
			x.prove(Evidence{s.A, a, "tcp.seq_raw", fmt.Sprint(p.Seq)}, Evidence{s.B, b, "tcp.seq_raw", fmt.Sprint(q.Seq)})
		}
		if p.IPID != q.IPID {
			x.change("ip.id", fmt.Sprintf("%d → %d", p.IPID, q.IPID))
		}
	}
}

// sameHosts reports whether the ends believe that they speak to each other: the addresses and the service stay. The
// initiator's port may be the device's own.
func sameHosts(a, b flow.Tuple) bool {
	a.Sport = b.Sport
	return a == b
}

// terminationConfidence rests on independent signs: sequence numbers of both sides, identifications, timestamps.
func (v *Verdict) terminationConfidence(f *match.Flow, j *match.Joint) int {
	if j.SynProxied {
		return 95
	}
	c := 80
	if j.Traits.IDPairs > 2 && !j.Traits.KeepsID {
		c += 10
	}
	if j.Traits.Pairs > 2 && !j.Traits.KeepsWin {
		c += 5
	}
	if j.Score >= 60 {
		c += 3
	}
	return min(c, 99)
}

// handshakeFrame is the frame of a flow's SYN (d 0) or SYN/ACK (d 1) at a capture; -1 unseen.
func (v *Verdict) handshakeFrame(f *match.Flow, c, d int) int64 {
	if h := v.Handshake(f, c, d); h != nil {
		return int64(h.Fact)
	}
	return -1
}

// Handshake is what a flow's SYN (d 0) or SYN/ACK (d 1) said at a capture; nil unseen.
func (v *Verdict) Handshake(f *match.Flow, c, d int) *flow.Handshake {
	s := f.Sides[c]
	if s == nil || f.Proto != flow.ProtoTCP {
		return nil
	}
	in := &s.Cap.Convs[s.Convs[0]]
	at := in.SYN
	if d == 1 {
		at = in.SYNACK
	}
	if at < 0 {
		return nil
	}
	return &s.Cap.Handshakes[at]
}

// handshakeChanges names devices that lower the MSS of connections they do not end (RFC 4459 §3.2).
func (v *Verdict) handshakeChanges(s *Segment, f *match.Flow, j *match.Joint) {
	if j.Terminated || j.SynProxied {
		return
	}
	for d := 0; d < 2; d++ {
		a, b := v.Handshake(f, s.A, d), v.Handshake(f, s.B, d)
		if a == nil || b == nil || a.MSS == b.MSS || a.MSS < 0 || b.MSS < 0 {
			continue
		}
		x := s.box(MSSClamp)
		x.Confidence = 98
		x.Flows.add(f)
		from, to := a, b
		ca, cb := s.A, s.B
		if arriving(f, s.A, s.B) == d {
			from, to, ca, cb = b, a, s.B, s.A
		}
		x.change("tcp.options.mss_val", fmt.Sprintf("%d → %d", from.MSS, to.MSS))
		x.prove(Evidence{ca, int64(from.Fact), "tcp.options.mss_val", fmt.Sprint(from.MSS)}, Evidence{cb, int64(to.Fact), "tcp.options.mss_val", fmt.Sprint(to.MSS)})
	}
}

// resets names devices that forge resets into connections they do not end.
func (v *Verdict) resets(s *Segment, f *match.Flow, st *State) {
	if st.Outcome != "reset-by-middlebox" || v.terminatedAt(f, s.A) != nil {
		return
	}
	for _, c := range []int{s.A, s.B} {
		for d := 0; d < 2; d++ {
			i := st.Ends[c].RST[d]
			if i < 0 || v.Marks[c].At(uint32(i)).Fate != FateInjected || int(v.Marks[c].At(uint32(i)).Where) != s.Index+1 {
				continue
			}
			x := s.box(ResetInjector)
			x.Flows.add(f)
			x.Confidence = 95
			x.prove(Evidence{c, i, "tcp.flags.reset", "1"})
			v.place(s, x, c, uint32(i))
		}
	}
}

// place notes how many routers lie between a point and the device that made one of its frames.
func (v *Verdict) place(s *Segment, x *Box, c int, i uint32) {
	f := v.At(c, i)
	n := int(initialOf(f.TTL)) - int(f.TTL)
	if s.Routers != Unknown && n > s.Routers {
		return
	}
	if c == s.A {
		x.FromA = n
	} else {
		x.FromB = n
	}
}

// filters names a packet filter where conversations, or whole kinds of packets of them, vanish and no ICMP error, no
// tunnel's MTU and no mere loss explains it.
func (v *Verdict) filters(s *Segment) {
	rate := (float64(s.worked.lost) + 1) / (float64(s.worked.sent) + 2)
	type class struct {
		proto uint8
		port  uint16
	}
	single := map[class][]Evidence{}
	flows := map[class][]*match.Flow{}
	for n, f := range v.Flows {
		st := v.State[n]
		switch st.Outcome {
		case "blackholed", "blackholed-reply", "blackholed-large":
		default:
			continue
		}
		ev, count := v.vanished(s, f)
		if len(ev) == 0 {
			continue
		}
		at := s.A
		if f.Sides[at] == nil {
			at = s.B
		}
		k := class{f.Proto, f.Tuple(at).Dport}
		for i := 0; i < count; i++ {
			single[k] = append(single[k], ev[min(i, len(ev)-1)])
		}
		flows[k] = append(flows[k], f)
	}
	for _, k := range sortedKeys(single, func(a, b class) bool {
		return a.proto < b.proto || a.proto == b.proto && a.port < b.port
	}) {
		if math.Pow(rate, float64(len(single[k]))) > 1e-3 {
			continue
		}
		x := s.box(PacketFilter)
		x.Confidence = 90
		for _, f := range flows[k] {
			x.Flows.add(f)
		}
		x.change(fmt.Sprintf("%s/%d", protoName(k.proto), k.port), "dropped")
		x.prove(single[k][:min(3, len(single[k]))]...)
	}
}

// rejecters names a packet filter that says no in the destination's place.
func (v *Verdict) rejecters(s *Segment) {
	for _, f := range v.Flows {
		c, i, ok := v.rejection(s, f)
		if !ok || v.At(c, uint32(i)).Is(flow.MarkError) && v.At(c, uint32(i)).Window < 2 {
			continue
		}
		x := s.box(PacketFilter)
		x.Confidence = max(x.Confidence, 95)
		x.Flows.add(f)
		x.change(fmt.Sprintf("%s/%d", protoName(f.Proto), f.Tuple(c).Dport), "rejected")
		field, value := refusalWords(v.At(c, uint32(i)))
		if len(x.Evidence) < 3 {
			x.prove(Evidence{c, i, field, value})
		}
	}
}

// vanished lists frames of a flow that were lost on a stretch without an ICMP error about them.
func (v *Verdict) vanished(s *Segment, f *match.Flow) (ev []Evidence, n int) {
	for _, c := range []int{s.A, s.B} {
		side := f.Sides[c]
		if side == nil {
			continue
		}
		for _, id := range side.Convs {
			for i := range flow.UpTo(side.Cap.Span(id)) {
				x := side.Cap.At(i)
				if x.Is(flow.MarkError) {
					return nil, 0
				}
				if m := v.Marks[c].At(i); m.Fate == FateLost && int(m.Where) == s.Index+1 {
					n++
					if len(ev) < 4 {
						ev = append(ev, Evidence{c, int64(i), "corr.fate", "lost"})
					}
				}
			}
		}
	}
	return ev, n
}

// wrapped lists the conversations that one point of a stretch sees inside of another encapsulation than the other.
func (v *Verdict) wrapped(s *Segment) (out []*match.Flow) {
	for _, f := range v.Flows {
		if f.Joint(s.A, s.B) == nil {
			continue
		}
		a, b := v.around(f, s.A), v.around(f, s.B)
		if a != nil && b != nil && a.NTunnel == 0 && b.NTunnel == 0 && a.VLANs == b.VLANs {
			continue // as nearly all
		}
		if v.wrap(f, s.A) != v.wrap(f, s.B) {
			out = append(out, f)
		}
	}
	return out
}

// tunnels names tunnel ends: one point sees conversations inside of an encapsulation, the other bare or in another one.
// IPv4 inside of IPv6 is a softwire (RFC 6333, RFC 7596).
func (v *Verdict) tunnels(s *Segment, wrapped []*match.Flow) {
	for _, f := range wrapped {
		a, b := v.wrap(f, s.A), v.wrap(f, s.B)
		kind := TunnelEndpoint
		if v.softwire(f, s.A) != v.softwire(f, s.B) {
			kind = Softwire
		}
		x := s.box(kind)
		x.Flows.add(f)
		x.Confidence = 97
		x.change("encapsulation", orNone(a)+" → "+orNone(b))
		if len(x.Evidence) < 2 {
			x.prove(Evidence{s.A, v.first(f, s.A, 0), "frame.protocols", orNone(a)}, Evidence{s.B, v.first(f, s.B, 0), "frame.protocols", orNone(b)})
		}
	}
}

// softwire reports whether a capture sees a flow of IPv4 directly inside of IPv6.
func (v *Verdict) softwire(f *match.Flow, c int) bool {
	s := f.Sides[c]
	first, end := s.Cap.Span(s.Convs[0])
	if first == end || f.Tuple(c).Version != 4 {
		return false
	}
	l := s.Cap.Link(first)
	return l.NTunnel > 0 && l.Tunnel[min(int(l.NTunnel), len(l.Tunnel))-1] == decode.TunnelIP6
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// around is what a flow's packets are inside of at a capture; nil where none of them is its own.
func (v *Verdict) around(f *match.Flow, c int) *flow.Link {
	s := f.Sides[c]
	first, end := s.Cap.Span(s.Convs[0])
	if first == end {
		return nil
	}
	return s.Cap.Link(first)
}

// wrap describes what a flow's packets are inside of at a capture; "" for nothing.
func (v *Verdict) wrap(f *match.Flow, c int) string {
	l := v.around(f, c)
	if l == nil {
		return ""
	}
	return wrapWords(l)
}

func wrapWords(l *flow.Link) string {
	out := ""
	add := func(w string) {
		if out != "" {
			out += " in "
		}
		out += w
	}
	for k := int(l.NTunnel) - 1; k >= 0; k-- {
		w := tunnelWords[l.Tunnel[min(k, len(l.Tunnel)-1)]]
		if l.VNI != 0 && (l.Tunnel[k] == decode.TunnelVXLAN || l.Tunnel[k] == decode.TunnelGENEVE) {
			w += fmt.Sprintf(" (VNI %d)", l.VNI)
		}
		if w != "" {
			add(w)
		}
	}
	switch {
	case l.VLANs == 1:
		add("802.1Q tag")
	case l.VLANs > 1:
		add("802.1Q tags (QinQ)")
	}
	return out
}

var tunnelWords = map[decode.Tunnel]string{
	decode.TunnelMPLS: "MPLS", decode.TunnelPPPoE: "PPPoE", decode.TunnelGRE: "GRE", decode.TunnelIPIP: "IP in IP", decode.TunnelIP6: "IP in IPv6",
	decode.TunnelVXLAN: "VXLAN", decode.TunnelGENEVE: "GENEVE", decode.TunnelERSPAN: "ERSPAN", decode.TunnelGTPU: "GTP-U",
}

// compared is what a part of a stretch's pairs shows.
type compared struct {
	rewritten   FlowSet      // whose payload differs between the points
	first       []match.Pair // the first of these
	resegmented bool         // TCP segments were cut anew
}

// partLeast is how many pairs a core takes, at the least.
const partLeast = 1 << 16

// parts is the number of parts that a link's pairs are looked at in.
func (v *Verdict) parts(l *match.Link) int {
	return int(min(max(1, l.N/partLeast), int64(runtime.GOMAXPROCS(0))))
}

// compare looks at the pairs of one of some parts of a link.
func (v *Verdict) compare(l *match.Link, part, parts int) (out compared) {
	a, b := v.Caps[l.A], v.Caps[l.B]
	n := a.Len()
	l.Within(uint32(n*part/parts), uint32(n*(part+1)/parts), func(p match.Pair) {
		f, h := a.At(p.A), b.At(p.B)
		switch p.How {
		case match.HowResegment:
			out.resegmented = out.resegmented || f.Is(flow.MarkTCP)
			return
		case match.HowRelayed, match.HowLogical:
			return
		}
		if f.Mark&(flow.MarkError|flow.MarkFragment|flow.MarkLater) != 0 {
			return
		}
		if same, known := flow.SamePayload(f, h); same || !known {
			return
		}
		if fl := v.Flow(l.A, p.A); fl != nil {
			out.rewritten.add(fl)
		}
		if len(out.first) < evidenceMost {
			out.first = append(out.first, p)
		}
	})
	return out
}

// gateways names application gateways: they rewrite addresses inside of payloads (SIP, FTP).
func (v *Verdict) gateways(s *Segment, pairs []compared) {
	l := s.Link
	for k := range pairs {
		c := &pairs[k]
		if len(c.first) == 0 {
			continue
		}
		x := s.box(Gateway)
		x.Confidence = 95
		x.Flows.addAll(&c.rewritten)
		x.change("data", "addresses in the payload rewritten")
		for _, p := range c.first {
			x.prove(Evidence{l.A, int64(p.A), "frame.len", fmt.Sprint(v.Caps[l.A].FrameLen(p.A))}, Evidence{l.B, int64(p.B), "frame.len", fmt.Sprint(v.Caps[l.B].FrameLen(p.B))})
		}
	}
}

// conditions lists what a stretch does to packets without any device meaning to.
func (v *Verdict) conditions(s *Segment, pairs []compared) {
	if slices.ContainsFunc(pairs, func(c compared) bool { return c.resegmented }) {
		s.Conditions = append(s.Conditions, "segmentation-offload")
	}
	if s.worked.lost > 0 {
		s.Conditions = append(s.Conditions, "loss")
	}
}
