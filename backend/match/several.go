package match

import (
	"bytes"
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

const (
	// random is the evidence, in bits, of one number that ends choose at random.
	random = 30
	// ephemeral is that of a port which an end chose for one conversation: Linux takes one of 28,232, others of 16,384.
	ephemeral = 14
	// atOnceNS is how far the distances in time of conversations that are the same may lie apart: what queues add. Nearly all
	// is nearly in ten.
	atOnceNS, nearly = 250_000_000, 7
	// someLeast conversations prove something together; fewer do not, whatever they share.
	someLeast = 3
	// apartLeast is what distances may differ by while conversations go on, ns, however close together they are: what clocks
	// drift and queues delay.
	apartLeast = 5_000_000
)

// numbered are the kinds of evidence that hash a number which ends choose at random.
const numbered = 1<<evISN | 1<<evSegment | 1<<evAck | 1<<evQUIC | 1<<evHello | 1<<evSealed | 1<<evNumber

// several joins what is beyond doubt together where nothing is alone: in two captures that have nothing more certain, some
// conversations each share a little, all at the same distance in time. A flood of SYNs whose addresses were translated has
// one random number each; datagrams of IPv6 have no more than their addresses, ports and bytes.
func (r *Result) several(fo *forest, tk *taken, ks, anchors []Candidate) []Candidate {
	sure := map[[2]int]bool{}
	for i := range anchors {
		sure[[2]int{anchors[i].A.Capture, anchors[i].B.Capture}] = true
	}
	found := map[[2]int]*[3][]int32{}
	for i := range ks {
		k := &ks[i]
		p := [2]int{k.A.Capture, k.B.Capture}
		dns := k.Kinds&(1<<evPayload) != 0 && r.asksDNS(k) && r.kin(k)
		if sure[p] || k.Margin < clear && !dns {
			continue
		}
		l := found[p]
		if l == nil {
			l = &[3][]int32{}
			found[p] = l
		}
		if dns { // what two ask alike is told apart by time
			l[2] = append(l[2], int32(i))
		}
		if k.Margin < clear {
			continue
		}
		if k.Score-k.Soft >= random && k.Kinds&numbered != 0 {
			l[0] = append(l[0], int32(i))
		}
		if k.Kinds&(1<<evTuple) != 0 && !exclusive(r.Caps[p[0]].Conv(k.A.ID).Proto) {
			l[1] = append(l[1], int32(i))
		}
	}
	var out []Candidate
	pairs := slices.SortedFunc(maps.Keys(found), func(x, y [2]int) int { return slices.Compare(x[:], y[:]) })
	for _, p := range pairs {
		l := found[p]
		take := r.atOneDistance(ks, l[0])
		if len(take) == 0 {
			take = r.sameEnds(p, ks, l[1])
		}
		if len(take) == 0 {
			take = r.sameQuestions(p, ks, l[2])
		}
		for _, i := range take {
			if r.accept(fo, tk, &ks[i]) {
				out = append(out, ks[i])
			}
		}
	}
	slices.SortFunc(out, func(x, y Candidate) int { return byPair(&x, &y) })
	return out
}

// distance is how much later a candidate's conversation begins in the second capture, ns, by the clocks as they are.
func (r *Result) distance(k *Candidate) int64 {
	a, b := r.Caps[k.A.Capture], r.Caps[k.B.Capture]
	x, _ := a.Span(k.A.ID)
	y, _ := b.Span(k.B.ID)
	return int64(b.At(y).Time() - a.At(x).Time())
}

// atOneDistance gives those candidates, of all with the indexes l, whose conversations begin at the median distance in time,
// if nearly all do and they are some.
func (r *Result) atOneDistance(ks []Candidate, l []int32) []int32 {
	ds := make([]int64, len(l))
	for n, i := range l {
		ds[n] = r.distance(&ks[i])
	}
	m, n := middle(ds)
	if n < someLeast || n*10 < len(l)*nearly {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(l), func(i int32) bool { return abs(r.distance(&ks[i])-m) >= atOnceNS })
}

// middle is the median of distances in time, and how many of them lie near it. ds is sorted in place.
func middle(ds []int64) (m int64, near int) {
	if len(ds) == 0 {
		return 0, 0
	}
	slices.Sort(ds)
	m = ds[len(ds)/2]
	for _, d := range ds {
		if abs(d-m) < atOnceNS {
			near++
		}
	}
	return m, near
}

// service is what conversations with ports of their own go to: they are told apart by the port alone.
type service struct {
	client, server decode.Addr
	port           uint16
	proto          uint8
}

// serviceOf names a conversation's service: the lower port is the service's. ok is false where both ports are the same, or
// neither was chosen for this conversation: such a pair of ports is met again and again.
func serviceOf(c *flow.Capture, id flow.ConvID) (s service, ok bool) {
	t, cv := c.Tuple(id, 0), c.Conv(id)
	if t.Dport > t.Sport {
		t = c.Tuple(id, 1)
	}
	return service{t.Src, t.Dst, t.Dport, cv.Proto}, t.Sport > t.Dport && t.Sport >= 1024 && cv.HasPorts
}

// sameEnds gives those candidates of datagrams between the same addresses and ports that are at one distance in time, if what
// they share is beyond doubt together: each the port that was chosen for it, less what it costs that others go to the same
// service; the bytes that both hold; and that they come at the same distance. Where the same hosts have TCP between them in
// both captures, that would have been found.
func (r *Result) sameEnds(p [2]int, ks []Candidate, l []int32) []int32 {
	a, b := r.Caps[p[0]], r.Caps[p[1]]
	if r.tcpOfSameHosts(a, b) {
		return nil
	}
	count := func(c *flow.Capture) map[service]int {
		n := map[service]int{}
		for id := range c.Convs {
			if s, ok := serviceOf(c, flow.ConvID(id)); ok {
				n[s]++
			}
		}
		return n
	}
	ofA, ofB := count(a), count(b)
	l = slices.DeleteFunc(slices.Clone(l), func(i int32) bool {
		_, ok := serviceOf(a, ks[i].A.ID)
		return !ok
	})
	in := r.atOneDistance(ks, l)
	if in == nil {
		return nil
	}
	all := r.timing(p, ks, in)
	ports := map[uint16]bool{}
	for _, i := range in {
		s, _ := serviceOf(a, ks[i].A.ID)
		t := a.Tuple(ks[i].A.ID, 0)
		ports[max(t.Sport, t.Dport)] = true
		all += max(0, ephemeral-math.Log2(float64(ofA[s]*ofB[s]))) + ks[i].Score - bits[evTuple]
	}
	if len(ports) < someLeast || all < certain {
		return nil
	}
	return in
}

// questionID is the evidence of a DNS query's identification, bits: a resolver chooses it at random (RFC 5452 §9.2).
const questionID = 16

// asksDNS reports whether a candidate is DNS over UDP.
func (r *Result) asksDNS(k *Candidate) bool {
	c := r.Caps[k.A.Capture]
	t := c.Tuple(k.A.ID, 0)
	return t.Proto == flow.ProtoUDP && (t.Sport == 53 || t.Dport == 53)
}

// kin reports whether a translation leaves something of either end in a candidate's addresses and ports: the server's address, the
// port that the client chose, an IPv4 address inside of an IPv6 one (RFC 6052 §2.2), the interface's part of an IPv6
// address (RFC 6296 §3.1). A test that is run elsewhere asks the same with the same identifications.
func (r *Result) kin(k *Candidate) bool {
	ends := func(c *flow.Capture, id flow.ConvID) (client, server []byte, port uint16) {
		t := c.Tuple(id, 0)
		if t.Dport != 53 {
			t = c.Tuple(id, 1)
		}
		return t.Src.Netip(t.Version).Unmap().AsSlice(), t.Dst.Netip(t.Version).Unmap().AsSlice(), t.Sport
	}
	x, xs, p := ends(r.Caps[k.A.Capture], k.A.ID)
	y, ys, q := ends(r.Caps[k.B.Capture], k.B.ID)
	return p == q && p != 53 || akin(x, y) || akin(xs, ys)
}

// akin reports whether two addresses may be one that was translated without state.
func akin(x, y []byte) bool {
	if len(x) > len(y) {
		x, y = y, x
	}
	switch {
	case len(x) == len(y):
		return bytes.Equal(x, y) || len(x) == 16 && bytes.Equal(x[8:], y[8:]) && !bytes.Equal(x[8:15], make([]byte, 7))
	case len(x) == 4 && len(y) == 16:
		if bytes.Equal(x, y[12:]) {
			return true
		}
		for _, at := range []int{4, 5, 6, 7, 9} { // behind a prefix of 32 to 64 bits; the ninth byte is zero
			var in [4]byte
			for n, k := 0, at; n < 4; k++ {
				if k != 8 {
					in[n] = y[k]
					n++
				}
			}
			if y[8] == 0 && bytes.Equal(x, in[:]) {
				return true
			}
		}
	}
	return false
}

// sameQuestions gives those candidates of DNS that are at one distance in time, where addresses and ports may have been
// translated, if their identifications and the time are beyond doubt together. A forwarder asks with identifications of its
// own.
func (r *Result) sameQuestions(p [2]int, ks []Candidate, l []int32) []int32 {
	in := r.mostAtOneDistance(ks, l)
	if in == nil {
		return nil
	}
	a := r.Caps[p[0]]
	all := r.timing(p, ks, in)
	asked := map[uint32]bool{}
	for _, i := range in {
		from, _ := a.Span(ks[i].A.ID)
		asked[a.At(from).Full] = true
	}
	if all += questionID * float64(len(asked)); len(asked) < someLeast || all < certain {
		return nil
	}
	return in
}

// mostAtOneDistance gives those candidates at the distance in time at which most are, if nearly all conversations have one
// there; of a conversation with several there, none.
func (r *Result) mostAtOneDistance(ks []Candidate, l []int32) []int32 {
	l = slices.Clone(l)
	slices.SortFunc(l, func(x, y int32) int {
		return cmp.Or(cmp.Compare(r.distance(&ks[x]), r.distance(&ks[y])), cmp.Compare(x, y))
	})
	from, to := 0, 0
	for i, j := 0, 0; j < len(l); j++ {
		for r.distance(&ks[l[j]])-r.distance(&ks[l[i]]) > atOnceNS {
			i++
		}
		if j+1-i > to-from {
			from, to = i, j+1
		}
	}
	of, all := map[Conv]int{}, map[Conv]bool{}
	for n, i := range l {
		all[ks[i].A] = true
		if n >= from && n < to {
			of[ks[i].A]++
			of[ks[i].B]++
		}
	}
	in := slices.DeleteFunc(slices.Clone(l[from:to]), func(i int32) bool { return of[ks[i].A] > 1 || of[ks[i].B] > 1 })
	if len(in) < someLeast || len(in)*10 < len(all)*nearly {
		return nil
	}
	return in
}

// timing is what it tells, in bits, that candidates lie at one distance in time: each but the first could lie anywhere in the
// captures' common span, and lies where the others do. Clocks drift by some milliseconds meanwhile, and queues delay.
func (r *Result) timing(p [2]int, ks []Candidate, in []int32) float64 {
	a, b := r.Caps[p[0]], r.Caps[p[1]]
	span, spread := float64(min(a.Last-a.First, b.Last-b.First)), 0.
	for _, i := range in {
		spread = max(spread, math.Abs(float64(r.distance(&ks[i])-r.distance(&ks[in[0]]))))
	}
	if span <= 0 {
		return 0
	}
	return max(0, math.Log2(span/max(2*spread, apartLeast))) * float64(len(in)-1)
}

// tcpOfSameHosts reports whether both captures hold TCP between the same two addresses.
func (r *Result) tcpOfSameHosts(a, b *flow.Capture) bool {
	hosts := func(c *flow.Capture) map[[2]decode.Addr]bool {
		out := map[[2]decode.Addr]bool{}
		for id := range c.Convs {
			if t := c.Tuple(flow.ConvID(id), 0); t.Proto == flow.ProtoTCP {
				if less(t.Dst, 0, t.Src, 0) {
					t.Src, t.Dst = t.Dst, t.Src
				}
				out[[2]decode.Addr{t.Src, t.Dst}] = true
			}
		}
		return out
	}
	x, y := hosts(a), hosts(b)
	for h := range x {
		if y[h] {
			return true
		}
	}
	return false
}
