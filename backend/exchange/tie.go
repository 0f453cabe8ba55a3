package exchange

import (
	"cmp"
	"context"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/tlskey"
)

// Relation ties a conversation in front of a proxy to one behind it where they are not one to one.
type Relation struct {
	Front, Back match.Conv
	Kind        string // Pooled, Multiplexed, Forwarded
	SIP         bool   // of Forwarded: SIP, else DNS
	Messages    int
}

// Kinds of relations.
const (
	Pooled      = "pooled"      // one exchange after another, of several conversations in front
	Multiplexed = "multiplexed" // several of one conversation at once
	Forwarded   = "forwarded"   // asked anew
)

// Result is what Tie found beside the conversations that it joined.
type Result struct {
	Claims    []Claim
	Owns      []Own // what proxies answered themselves
	Messages  []Message
	Relations []Relation
	Opened    int // conversations that keys opened
}

// exchangesMost bounds the exchanges of one capture that are looked at: all pairs are compared.
const exchangesMost = 20000

// Tie looks at what r left alone and joins what goes together. sealed has the exchanges of captures that are sealed.
func Tie(ctx context.Context, r *match.Result, keys *tlskey.Log, sealed []*Sealed) (*Result, error) {
	out := &Result{}
	lists := make([][]*Exchange, len(r.Caps))
	for k, c := range r.Caps {
		want := func(id flow.ConvID) bool {
			f := r.FlowOf[k][id]
			return f != nil && !f.Everywhere() && (f.First() == k || f.Last() == k)
		}
		if c.Sealed != nil {
			lists[k] = sealed[k].wanted(c, k, want)
		} else {
			lists[k] = gather(c, k, keys, want)
		}
		for i, e := range lists[k] {
			if e.Opened && (i == 0 || lists[k][i-1].Conv != e.Conv) {
				out.Opened++
			}
		}
		if len(lists[k]) > exchangesMost {
			lists[k] = lists[k][:exchangesMost]
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	var ties []match.Tie
	var withins []within
	for a := range lists {
		for b := a + 1; b < len(lists); b++ {
			found := between(r, a, b, lists)
			claims := found.claims
			withins = append(withins, found.withins...)
			out.Owns = append(out.Owns, found.owns...)
			ts := oneToOne(claims, found, lists[a], lists[b])
			more := unheard(r, claims, lists)
			ts = slices.DeleteFunc(ts, func(t match.Tie) bool { // QUIC in front of TCP: two conversations, whatever they carry
				return more[t.Front] || more[t.Back] || r.Caps[t.Front.Capture].Conv(t.Front.ID).Proto != r.Caps[t.Back.Capture].Conv(t.Back.ID).Proto
			})
			ts = carriesMore(r, ts)
			for k := range ts {
				t := &ts[k]
				if t.Confidence <= sureAlone && (missedOf(r, t.Front) || missedOf(r, t.Back)) {
					t.Confidence = min(t.Confidence, unsureMissed)
				}
			}
			ts = append(ts, silent(r, claims, ts, lists)...)
			ties = append(ties, ts...)
			out.Claims = append(out.Claims, claims...)
			out.Relations = append(out.Relations, relations(claims, found.withins, ts)...)
		}
	}
	for i := range out.Claims {
		out.Messages = append(out.Messages, out.Claims[i].messages()...)
	}
	r.Tie(ties, causal(out.Claims, withins), fronts(out.Claims, withins))
	return out, nil
}

// found is what two captures show of each other.
type found struct {
	claims  []Claim
	withins []within
	owns    []Own
}

const (
	sureAlone = 95 // percent: the most that one exchange shows of two conversations
	// unsureMissed is the most where a part of either was missed, and with it, it may be, what would tell otherwise.
	unsureMissed = 80
)

// between finds which of two captures lies in front and claims what nests. Stream exchanges and queries are looked at
// apart: what tells the offset of one must not hide behind the other. What passes several points is looked at where it
// is nearest to the proxy: in front at its last point, behind at its first one.
func between(r *match.Result, a, b int, lists [][]*Exchange) (out found) {
	for _, query := range []bool{false, true} {
		try := func(a, b int) found {
			front, back := facing(r, lists[a], query, b, (*match.Flow).Last), facing(r, lists[b], query, a, (*match.Flow).First)
			back = slices.DeleteFunc(back, func(e *Exchange) bool { return e.Among }) // when such a one is over is not known
			if len(front) == 0 || len(back) == 0 {
				return found{}
			}
			return attempt(r, a, b, front, back)
		}
		there := try(a, b)
		if back := try(b, a); len(back.claims)+len(back.withins) > len(there.claims)+len(there.withins) {
			there = back
		}
		out.claims, out.withins, out.owns = append(out.claims, there.claims...), append(out.withins, there.withins...), append(out.owns, there.owns...)
	}
	return out
}

// facing lists the exchanges of a kind, of a capture, whose conversations another one did not see and whose end is there.
func facing(r *match.Result, l []*Exchange, query bool, other int, end func(*match.Flow) int) []*Exchange {
	var out []*Exchange
	for _, e := range l {
		f := r.FlowOf[e.Conv.Capture][e.Conv.ID]
		if (e.Key != "") == query && f.Sides[other] == nil && end(f) == e.Conv.Capture {
			out = append(out, e)
		}
	}
	return out
}

// attempt takes capture a as the front. It gives what goes on behind, and what ends at the proxy.
func attempt(r *match.Result, a, b int, front, back []*Exchange) found {
	mark, named := marked(front, back), namesClients(front, back)
	lo, hi, ok := r.Offset(a, b, front[0].Request.Start)
	var ns []nesting
	if !ok {
		some, others, of := front, back, mark
		pairs, many := nestings(front, back, named, mark, -anyOffset, anyOffset)
		if many {
			some, others = rare(front, back)
			of = marked(some, others)
			pairs, _ = nestings(some, others, named, of, -anyOffset, anyOffset)
		}
		if len(pairs) == 0 {
			return found{}
		}
		var share nested
		if lo, hi, ok = transactions(pairs, some, others); !ok {
			lo, hi, share, ok = offset(pairs, some, others)
		}
		if !ok || share.held-share.in > share.held/jumpedShare {
			if out, in := jumped(some, others, pairs, of); !ok || in > share.in+share.in/jumpedShare {
				return out
			}
		}
		if !many {
			ns = pairs
		}
	}
	if ns == nil {
		ns, _ = nestings(front, back, named, mark, lo, hi)
	}
	if len(ns) == 0 {
		return found{}
	}
	claims, withins, lo, hi := settle(front, back, ns, mark, lo, hi)
	return found{claims, withins, own(r, a, b, front, ns, claims, lo, hi)}
}

const (
	jumpedMost  = 1 << 17 // pairs that are looked at again for a clock that jumped
	jumpedShare = 8       // if more than one in so many do not nest at one offset, a jump is looked for, and believed if so many more do then
	jumpedParts = 8       // places that a jump is looked for at: exchanges near it are lost
)

// jumped takes one of the clocks to have jumped once: what came before and what came behind nest at offsets of their own, neither of
// which explains all. Where one part shows no offset, only the other's are claimed. in counts the back exchanges that nest then.
func jumped(front, back []*Exchange, ns []nesting, mark []int) (out found, in int) {
	if len(ns) > jumpedMost {
		return out, 0
	}
	order := make([]int, len(back))
	for j := range order {
		order[j] = j
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(back[x].Request.Start, back[y].Request.Start) })
	var sides []span
	for part := 1; part < jumpedParts; part++ {
		if x, nest, two := apart(front, back, ns, mark, order, len(order)*part/jumpedParts); len(x.claims) > len(out.claims) {
			out, in, sides = x, nest, two
		}
	}
	if len(sides) < 2 {
		return out, in
	}
	from, to := where(back, ns, order, sides)
	at := (from + to) / 2
	out, in, sides = apart(front, back, ns, mark, order, at)
	if len(sides) == 2 {
		doubt := map[*Exchange]span{}
		for k := max(0, from-1); k < min(len(order), to+1); k++ {
			doubt[back[order[k]]] = sides[0]
			if k < at {
				doubt[back[order[k]]] = sides[1]
			}
		}
		out.claims = decided(out.claims, front, back, ns, doubt)
	}
	return out, in
}

// span is a range of offsets, ns.
type span struct{ lo, hi int64 }

// has reports whether a nesting is possible at an offset in the span.
func (s span) has(n nesting) bool { return n.lo <= s.hi+slack && n.hi >= s.lo-slack }

// apart settles back exchanges, in the order of time, in front of a place and behind it, each at an offset of its own, and gives the two
// offsets, or fewer.
func apart(front, back []*Exchange, ns []nesting, mark, order []int, at int) (out found, in int, offsets []span) {
	for _, l := range [2][]int{order[:at], order[at:]} {
		bs, ms, some := chosen(l, back, ns, mark)
		lo, hi, share, ok := offset(some, front, bs)
		if !ok {
			continue // what lies there stays unexplained
		}
		in += share.in
		cs, ws, lo, hi := settle(front, bs, some, ms, lo, hi)
		out.claims, out.withins = append(out.claims, cs...), append(out.withins, ws...)
		offsets = append(offsets, span{lo, hi})
	}
	out.claims = unshared(out.claims)
	return out, in, offsets
}

// where finds the places of a jump with which most back exchanges nest, at one offset in front of it and at the other behind: the first
// and the last.
func where(back []*Exchange, ns []nesting, order []int, sides []span) (from, to int) {
	in := [2][]bool{make([]bool, len(back)), make([]bool, len(back))}
	for _, n := range ns {
		for k, s := range sides {
			in[k][n.back] = in[k][n.back] || s.has(n)
		}
	}
	// more is how many more nest with the place than with the first one.
	more, best := 0, 0
	for k, j := range order {
		if in[0][j] {
			more++
		}
		if in[1][j] {
			more--
		}
		if more > best {
			best, from = more, k+1
		}
		if more >= best {
			to = k + 1
		}
	}
	return from, to
}

// decided leaves out claims of back exchanges near a jump that would be others on the other side of it, at the offset that doubt gives:
// there the back exchange nests in another front one, or the front one holds another.
func decided(cs []Claim, front, back []*Exchange, ns []nesting, doubt map[*Exchange]span) []Claim {
	claimed, other := map[*Exchange]*Exchange{}, map[*Exchange]bool{}
	for i := range cs {
		claimed[cs[i].Back] = cs[i].Front
	}
	for _, n := range ns {
		f, b := front[n.front], back[n.back]
		if s, ok := doubt[b]; ok && claimed[b] != f && s.has(n) {
			other[f], other[b] = true, true
		}
	}
	return slices.DeleteFunc(cs, func(c Claim) bool {
		_, ok := doubt[c.Back]
		return ok && (other[c.Back] || other[c.Front])
	})
}

// chosen gives the back exchanges with some indexes, what their headers name, and their nestings.
func chosen(l []int, back []*Exchange, ns []nesting, mark []int) (bs []*Exchange, ms []int, out []nesting) {
	to := map[int]int{}
	for _, j := range l {
		to[j] = len(bs)
		bs, ms = append(bs, back[j]), append(ms, mark[j])
	}
	for _, n := range ns {
		if k, ok := to[n.back]; ok {
			n.back = k
			out = append(out, n)
		}
	}
	return bs, ms, out
}

// unshared leaves out claims of which another one has the same front exchange: it is one of them, and which is not known.
func unshared(cs []Claim) []Claim {
	n := map[*Exchange]int{}
	for i := range cs {
		n[cs[i].Front]++
	}
	return slices.DeleteFunc(cs, func(c Claim) bool { return n[c.Front] > 1 })
}

// namesClients reports whether what headers say of clients goes with the addresses in front: not so where a translation
// stands between the capture and the proxy, or another proxy before it.
func namesClients(front, back []*Exchange) bool {
	clients := map[string]bool{}
	for _, e := range front {
		clients[e.Client] = true
	}
	for _, e := range back {
		for _, a := range e.Forwarded {
			if clients[a] {
				return true
			}
		}
	}
	return false
}

// oneToOne lists the conversations that carry on exactly one other. Of one that asks several things at once, all of them
// must be known to go there; and where recorders missed frames and only one is known to, neither may carry more than the other: of
// a request with something missing inside it is not known that it is one.
func oneToOne(cs []Claim, in found, lists ...[]*Exchange) []match.Tie {
	asked, all := map[match.Conv]int{}, map[match.Conv]int{}
	missed := false
	for _, l := range lists {
		missed = missed || holed(l)
		for _, e := range l {
			if all[e.Conv]++; e.Among {
				asked[e.Conv]++
			}
		}
	}
	for i := range in.owns {
		all[in.owns[i].Front.Conv]-- // went nowhere
	}
	ws := in.withins
	front, back := map[match.Conv]map[match.Conv]int{}, map[match.Conv]map[match.Conv]int{}
	count := func(m map[match.Conv]map[match.Conv]int, x, y match.Conv) {
		if m[x] == nil {
			m[x] = map[match.Conv]int{}
		}
		m[x][y]++
	}
	for i := range cs {
		if cs[i].Front.Key == "" {
			count(front, cs[i].Front.Conv, cs[i].Back.Conv)
			count(back, cs[i].Back.Conv, cs[i].Front.Conv)
		}
	}
	for _, w := range ws {
		count(front, w.first.Conv, w.back.Conv)
		count(back, w.back.Conv, w.first.Conv)
	}
	var out []match.Tie
	at := map[match.Conv]int{} // by front: its tie
	for i := range cs {
		f, b := cs[i].Front.Conv, cs[i].Back.Conv
		if k, ok := at[f]; ok {
			out[k].Confidence = 100 - (100-out[k].Confidence)*(100-cs[i].Confidence)/100 // each of them says the same
			continue
		}
		if cs[i].Front.Key != "" || len(front[f]) != 1 || len(back[b]) != 1 || front[f][b] < asked[f] || front[f][b] == 1 && (missed && all[f] != all[b] || cs[i].Front.Request.Torn || cs[i].Back.Request.Torn) || outlives(cs[i].Front, cs[i].Back) {
			continue
		}
		at[f] = len(out)
		out = append(out, match.Tie{Front: f, Back: b, Confidence: cs[i].Confidence, Bytes: sameBytes(cs[i].Front, cs[i].Back)})
	}
	return out
}

// unheard lists the conversations that carry more than what is claimed, at a time when the other capture did not record: that may
// go anywhere.
func unheard(r *match.Result, cs []Claim, lists [][]*Exchange) map[match.Conv]bool {
	out := map[match.Conv]bool{}
	if len(cs) == 0 {
		return out
	}
	claimed := map[*Exchange]bool{}
	for i := range cs {
		claimed[cs[i].Front], claimed[cs[i].Back] = true, true
	}
	a, b := cs[0].Front.Conv.Capture, cs[0].Back.Conv.Capture
	lo, hi := bounds(cs)
	lo, hi = min(lo, hi), max(lo, hi) // a clock that jumped had both
	for _, e := range lists[a] {
		if at := int64(e.Request.Start); !claimed[e] && (at+lo < int64(r.Caps[b].First) || at+hi > int64(r.Caps[b].Last)) {
			out[e.Conv] = true
		}
	}
	for _, e := range lists[b] {
		if at := int64(e.Request.Start); !claimed[e] && (at-hi < int64(r.Caps[a].First) || at-lo > int64(r.Caps[a].Last)) {
			out[e.Conv] = true
		}
	}
	return out
}

// outlives reports whether a capture holds the beginning, or the end, of one of two conversations, and the other's does not hold
// it of that one: what more that one carried before, or carries later, may be others'.
func outlives(f, b *Exchange) bool {
	return (f.ConvStart == 0) != (b.ConvStart == 0) || (f.ConvEnd == 0) != (b.ConvEnd == 0)
}

// silent ties back connections over which nothing was said: refused ones, opened while exactly one request without a
// counterpart was waiting.
func silent(r *match.Result, cs []Claim, ties []match.Tie, lists [][]*Exchange) []match.Tie {
	if len(cs) == 0 {
		return nil
	}
	a, b := cs[0].Front.Conv.Capture, cs[0].Back.Conv.Capture
	if holed(lists[a]) || holed(lists[b]) {
		return nil // what was waiting, and what was said, may be among what a recorder missed
	}
	sure := slices.Clone(cs)
	slices.SortStableFunc(sure, func(x, y Claim) int { return cmp.Compare(x.Back.Request.Start, y.Back.Request.Start) })
	claimed, spoke := map[*Exchange]bool{}, map[match.Conv]bool{}
	for i := range cs {
		claimed[cs[i].Front] = true
	}
	for _, e := range lists[b] {
		spoke[e.Conv] = true
	}
	taken := map[match.Conv]bool{}
	for _, t := range ties {
		taken[t.Front], taken[t.Back] = true, true
	}
	type pair struct{ f, b match.Conv }
	var found []pair
	fronts := map[match.Conv]int{}
	c := r.Caps[b]
	for id := range c.Convs {
		cv := match.Conv{Capture: b, ID: flow.ConvID(id)}
		if f := r.FlowOf[b][id]; f == nil || f.Sides[a] != nil || f.First() != b || c.Conv(cv.ID).Proto != flow.ProtoTCP || spoke[cv] || spoken(c, cv.ID) || taken[cv] || c.Convs[id].SYN < 0 {
			continue
		}
		syn := c.At(c.Handshakes[c.Convs[id].SYN].Fact).Time()
		lo, hi, ok := boundsAt(sure, syn)
		if !ok {
			continue // it is near a jump of a clock
		}
		t := int64(syn) - (lo+hi)/2 // in front, most likely
		at, n := match.Conv{}, 0
		for _, e := range lists[a] {
			if claimed[e] || taken[e.Conv] || t < int64(e.Request.Start)-slack || e.Answered && t > int64(e.Answer.Start)+slack {
				continue
			}
			if n++; e.Answered {
				at = e.Conv
			} else {
				n++ // it may be this one, but nothing shows that it was ever given up
			}
		}
		if n == 1 {
			found = append(found, pair{at, cv})
			fronts[at]++
		}
	}
	var out []match.Tie
	for _, p := range found {
		if fronts[p.f] == 1 {
			out = append(out, match.Tie{Front: p.f, Back: p.b, Confidence: 80})
		}
	}
	return out
}

// holed reports whether any exchange lacks bytes that the recorder missed.
func holed(l []*Exchange) bool {
	return slices.ContainsFunc(l, func(e *Exchange) bool { return !e.Cut && e.holed() })
}

// boundsNear is how many claims before, and how many behind, tell the offset where all together contradict each other.
const boundsNear = 8

// boundsAt is the range of offsets that claims allow, in the order of time: all, or where a clock jumped those near an instant behind;
// ok is false where those contradict each other too.
func boundsAt(cs []Claim, at capture.LocalTime) (lo, hi int64, ok bool) {
	if lo, hi = bounds(cs); lo <= hi+slack {
		return min(lo, hi), max(lo, hi), true
	}
	k, _ := slices.BinarySearchFunc(cs, at, func(c Claim, t capture.LocalTime) int { return cmp.Compare(c.Back.Request.Start, t) })
	if lo, hi = bounds(cs[max(0, k-boundsNear):min(len(cs), k+boundsNear)]); lo <= hi+slack {
		return min(lo, hi), max(lo, hi), true
	}
	return 0, 0, false
}

// bounds is the range of offsets that all sure claims allow; lo is above hi where they contradict each other.
func bounds(cs []Claim) (lo, hi int64) {
	lo, hi = -1<<62, 1<<62
	for i := range cs {
		if l, h, ok := nest(cs[i].Front, cs[i].Back); ok && cs[i].Confidence >= 90 && !cs[i].Front.Request.Holes && !cs[i].Front.Answer.Holes {
			lo, hi = max(lo, l), min(hi, h)
		}
	}
	return lo, hi
}

// relations lists the conversations that claims relate, or that are sure to carry on each other, and that are not one to
// one.
func relations(cs []Claim, ws []within, ties []match.Tie) []Relation {
	tied := map[match.Conv]bool{}
	for _, t := range ties {
		tied[t.Front] = true
	}
	n := map[[2]match.Conv]int{}
	kind, sip := map[[2]match.Conv]string{}, map[[2]match.Conv]bool{}
	add := func(f, b *Exchange) {
		k := [2]match.Conv{f.Conv, b.Conv}
		if tied[k[0]] {
			return
		}
		n[k]++
		switch {
		case f.Key != "":
			kind[k], sip[k] = Forwarded, f.SIP
		case f.Stream != 0 || b.Stream != 0 || f.Among:
			kind[k] = Multiplexed
		case kind[k] == "":
			kind[k] = Pooled
		}
	}
	for i := range cs {
		add(cs[i].Front, cs[i].Back)
	}
	for _, w := range ws {
		add(w.first, w.back)
	}
	var out []Relation
	for k, m := range n {
		out = append(out, Relation{k[0], k[1], kind[k], sip[k], m})
	}
	slices.SortFunc(out, func(x, y Relation) int {
		return cmp.Or(cmp.Compare(x.Front.Capture, y.Front.Capture), cmp.Compare(x.Front.ID, y.Front.ID), cmp.Compare(x.Back.Capture, y.Back.Capture), cmp.Compare(x.Back.ID, y.Back.ID))
	})
	return out
}

// fronts counts what is sure to go on, by the captures in front and behind.
func fronts(cs []Claim, ws []within) map[[2]int]int {
	n := map[[2]int]int{}
	for i := range cs {
		if cs[i].Confidence >= 90 {
			n[[2]int{cs[i].Front.Conv.Capture, cs[i].Back.Conv.Capture}]++
		}
	}
	for _, w := range ws {
		n[[2]int{w.first.Conv.Capture, w.back.Conv.Capture}]++
	}
	return n
}

// causal lists frames of which one exists because of the other: they bound the clocks. Only what is sure counts.
func causal(cs []Claim, ws []within) []match.Causation {
	var out []match.Causation
	ref := func(k int, l []Piece, last bool) match.FrameRef {
		p := l[0]
		if last {
			p = l[len(l)-1]
		}
		return match.FrameRef{Capture: k, Frame: p.Frame}
	}
	add := func(front, back *Exchange) {
		f, b := front.Conv.Capture, back.Conv.Capture
		out = append(out, match.Causation{Cause: ref(f, front.Request.Pieces, false), Effect: ref(b, back.Request.Pieces, false)})
		if front.Answered && back.Answered {
			out = append(out, match.Causation{Cause: ref(b, back.Answer.Pieces, true), Effect: ref(f, front.Answer.Pieces, true)})
		}
	}
	for _, w := range ws {
		if !w.edge && !w.first.Request.Holes && !w.back.Request.Holes && !w.first.Answer.Holes && !w.back.Answer.Holes {
			add(w.first, w.back)
		}
	}
	for i := range cs {
		c := &cs[i]
		if c.Confidence < 90 || c.Edge || c.Front.Request.Holes || c.Back.Request.Holes || c.Front.Answer.Holes || c.Back.Answer.Holes {
			continue
		}
		add(c.Front, c.Back)
	}
	return out
}
