package infer

import (
	"sync"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/exchange"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// State is how a conversation went.
type State struct {
	Outcome  string // ok, open, reset, refused, no-answer, blackholed, …: see contract of correlation.json
	ClosedBy string // client, server, middlebox, unknown: ends of the path
	Detail   string
	App      string // what the conversation carries, raw text
	// Ends holds, for each capture, the first FIN and RST of each direction.
	Ends []Ends
	// fates counts the frames at each capture by direction and fate, ICMP errors about the conversation left out.
	fates []fateCounts
}

type fateCounts [2][len(fateWords)]uint32

// Ends are the frames that closed a conversation at one capture; index 0: sent by the initiator. -1: none.
type Ends struct {
	SYN, SYNACK int64
	FIN, RST    [2]int64
	Data        [2]int64  // first frame with payload
	Shut        [2]int64  // first frame that says that its sender takes zero bytes
	Longest     [2]uint32 // the most payload of a frame, bytes
	close       int64     // first of FIN and RST
	closeRST    bool
	closeDir    int8
	// missed: this direction's end sent something that the capture does not hold, a FIN or data, for it went on behind it or was
	// acknowledged: its recorder missed frames, and who closed first is not known.
	missed [2]bool
	// straight: each segment of this direction begins where the one before it ended; none is missing between them, and none was sent again.
	straight [2]bool
}

func none() Ends {
	return Ends{SYN: -1, SYNACK: -1, FIN: [2]int64{-1, -1}, RST: [2]int64{-1, -1}, Data: [2]int64{-1, -1}, Shut: [2]int64{-1, -1}, close: -1}
}

// ends collects the frames that open and close a flow at a capture, and counts all.
func (v *Verdict) ends(f *match.Flow, c int, fates *fateCounts) Ends {
	e := none()
	s := f.Sides[c]
	if s == nil {
		return e
	}
	e.straight = [2]bool{true, true}
	// Times as they are tell in an instant that a frame is not the first; only the others are looked at closely.
	var seen [10]capture.LocalTime
	first := func(at *int64, k int, i uint32, t capture.LocalTime) {
		if *at < 0 || t < seen[k] && v.sooner(c, i, uint32(*at)) {
			*at, seen[k] = int64(i), t
		}
	}
	for _, id := range s.Convs {
		var sent, acked [2]reach
		for i := range flow.UpTo(s.Cap.Span(id)) {
			x := s.Cap.At(i)
			if x.Is(flow.MarkError) {
				continue
			}
			d := s.Dir(i)
			fates[d][v.Marks[c].At(i).Fate]++
			if x.Is(flow.MarkLater) {
				continue
			}
			if x.Len() > 0 {
				first(&e.Data[d], d, i, x.Time())
				e.Longest[d] = max(e.Longest[d], x.Len())
			}
			if f.Proto != flow.ProtoTCP {
				continue
			}
			switch {
			case x.Flags()&(decode.SYN|decode.ACK) == decode.SYN && d == 0:
				first(&e.SYN, 2, i, x.Time())
			case x.Flags()&decode.SYN != 0 && d == 1:
				first(&e.SYNACK, 3, i, x.Time())
			}
			if x.Flags()&decode.FIN != 0 {
				first(&e.FIN[d], 4+d, i, x.Time())
			}
			if x.Flags()&decode.RST != 0 {
				first(&e.RST[d], 6+d, i, x.Time())
				e.straight[d] = e.straight[d] && x.Len() == 0
				continue
			}
			if x.Window == 0 && x.Flags()&decode.ACK != 0 {
				first(&e.Shut[d], 8+d, i, x.Time())
			}
			n := x.Len()
			if x.Flags()&(decode.SYN|decode.FIN) != 0 {
				n++
			}
			if n > 0 {
				e.straight[d] = e.straight[d] && (!sent[d].known || x.Seq == sent[d].seq)
				sent[d].to(x.Seq + n)
			} else {
				acked[d].to(x.Seq) // all before it was sent
			}
			if x.Flags()&decode.ACK != 0 {
				acked[1-d].to(x.Ack)
			}
		}
		for d := range 2 {
			e.missed[d] = e.missed[d] || sent[d].known && acked[d].known && int32(acked[d].seq-sent[d].seq) > 0
		}
	}
	for dir := range 2 {
		for k, i := range [2]int64{e.FIN[dir], e.RST[dir]} {
			if i >= 0 && (e.close < 0 || v.sooner(c, uint32(i), uint32(e.close))) {
				e.close, e.closeDir, e.closeRST = i, int8(dir), k == 1
			}
		}
	}
	return e
}

// reach is the highest sequence number seen (RFC 9293 §3.4: modulo 2^32).
type reach struct {
	seq   uint32
	known bool
}

func (r *reach) to(seq uint32) {
	if !r.known || int32(seq-r.seq) > 0 {
		r.seq, r.known = seq, true
	}
}

// sooner reports whether one frame of a capture was seen before another: by its time, for cards with several queues hand
// frames over in another order; by its place where the times do not tell.
func (v *Verdict) sooner(c int, i, k uint32) bool {
	t, ok := v.Time(c, i)
	u, ok2 := v.Time(c, k)
	if !ok || !ok2 || t == u {
		return i < k
	}
	return t < u
}

// Initiator is the end of the path that a flow's initiator is on: client or server.
func (v *Verdict) Initiator(f *match.Flow) string {
	for d, p := range f.Path {
		if len(p) < 2 {
			continue
		}
		forward := v.Rank[p[0]] < v.Rank[p[len(p)-1]]
		if forward == (d == 0) {
			return "client"
		}
		return "server"
	}
	// Seen at one point only: its addresses' sides tell.
	for c, s := range f.Sides {
		if s == nil {
			continue
		}
		for x := range v.Caps {
			if v.Relations[[2]int{min(c, x), max(c, x)}] == nil || x == c {
				continue
			}
			switch e := v.expected(f, c, x, 0); {
			case e != 0 && (e > 0) == (v.Rank[c] < v.Rank[x]):
				return "client"
			case e != 0:
				return "server"
			}
		}
	}
	return "client"
}

// end is the end of the path that flow direction d comes from.
func (v *Verdict) end(f *match.Flow, d int) string {
	in := v.Initiator(f)
	if d == 0 {
		return in
	}
	if in == "client" {
		return "server"
	}
	return "client"
}

// outcomes finds how each conversation went. It needs the fates.
func (v *Verdict) outcomes() {
	v.State = make([]*State, len(v.Flows))
	v.heard = v.passedBack()
	for c := range v.Caps {
		v.told = append(v.told, sync.OnceValue(func() errorsTo { return v.unquoted(c) }))
	}
	v.parallel(func() func(n int, f *match.Flow) { return v.outcome })
}

// outcome finds how one conversation went.
func (v *Verdict) outcome(n int, f *match.Flow) {
	// In one piece, as it is used.
	room := &struct {
		State
		ends  [2]Ends
		fates [2]fateCounts
	}{}
	st := &room.State
	st.ClosedBy = "unknown"
	if st.Ends, st.fates = room.ends[:], room.fates[:]; len(f.Sides) != len(room.ends) {
		st.Ends, st.fates = make([]Ends, len(f.Sides)), make([]fateCounts, len(f.Sides))
	}
	for c := range f.Sides {
		st.Ends[c] = v.ends(f, c, &st.fates[c])
	}
	if f.Proto == flow.ProtoTCP {
		v.tcpOutcome(f, st)
	} else {
		v.datagramOutcome(f, st)
	}
	v.State[n] = st
}

// datagramOutcome judges a connectionless conversation: answered or not, and where what was not got lost.
func (v *Verdict) datagramOutcome(f *match.Flow, st *State) {
	there, back := st.count(0), st.count(1)
	first := f.Path[0]
	answered := false
	if len(first) > 0 {
		answered = f.Sides[first[0]].Sees(1)
	}
	if len(f.Path[1]) > 0 && !answered && len(first) == 0 {
		answered = true
	}
	switch {
	case answered:
		st.Outcome = "ok"
	case len(f.Path[1]) > 0 && back[FateLost]+back[FateConsumed] > 0:
		st.Outcome = "blackholed-reply"
	case len(f.Path[1]) > 0:
		st.Outcome = "ok"
	case there[FateLost]+there[FateConsumed] > 0 && there[FateDelivered] == 0:
		st.Outcome = "blackholed"
	case oneWay(f):
		st.Outcome = "open"
	case v.heard[f]:
		st.Outcome = "ok"
	default:
		st.Outcome = "no-answer"
	}
}

// oneWayPorts are UDP services that send without ever being answered: NAT keep-alives of IPsec (RFC 3948 §4), syslog
// (RFC 5426), SNMP traps (RFC 3413), NetFlow and IPFIX (RFC 7011), sFlow, statsd.
var oneWayPorts = map[uint16]bool{514: true, 162: true, 2055: true, 4739: true, 9995: true, 6343: true, 8125: true}

// oneWay reports whether a conversation is of a kind that nobody answers.
func oneWay(f *match.Flow) bool {
	if f.Proto != flow.ProtoUDP {
		return false
	}
	for c, s := range f.Sides {
		if s == nil {
			continue
		}
		t := f.Tuple(c)
		if oneWayPorts[t.Dport] {
			return true
		}
		if t.Dport != 4500 && t.Sport != 4500 {
			return false
		}
		for _, id := range s.Convs {
			for i := range flow.UpTo(s.Cap.Span(id)) {
				if x := s.Cap.At(i); x.Len() != 1 && !x.Is(flow.MarkError) {
					return false
				}
			}
		}
		return true
	}
	return false
}

// count counts the frames of a direction by fate, over all captures.
func (st *State) count(d int) (n [len(fateWords)]int) {
	for c := range st.fates {
		for fate, k := range st.fates[c][d] {
			n[fate] += int(k)
		}
	}
	return n
}

// tcpOutcome judges a TCP conversation.
func (v *Verdict) tcpOutcome(f *match.Flow, st *State) {
	syn, synack, data, any := false, false, false, false
	for c := range f.Sides {
		e := &st.Ends[c]
		syn = syn || e.SYN >= 0
		synack = synack || e.SYNACK >= 0
		data = data || e.Data[0] >= 0 || e.Data[1] >= 0
		any = any || f.Sides[c] != nil
	}
	near := v.nearest(f, st)
	switch {
	case v.closedInBetween(f, st):
	case v.resetInBetween(f, st):
	case syn && !synack && v.refused(f, st):
	case syn && !synack && !data && !shookHands(f):
		n := st.count(0)
		switch gone := n[FateDelivered] == 0; {
		case gone && n[FateLost] > 0:
			st.Outcome = "blackholed"
		case near != nil && near.SYN >= 0 && !v.waited(f.Path[0][0], uint32(near.SYN)):
			st.Outcome = "open"
		case gone && n[FateConsumed] > 0:
			st.Outcome = "blackholed"
		default:
			st.Outcome = "no-answer"
		}
	case synack && near != nil && near.SYN >= 0 && near.SYNACK < 0 && !f.Sides[f.Path[0][0]].Carries(1) && v.replyGone(st):
		st.Outcome = "blackholed-reply"
	case v.largeLost(f, st):
		st.Outcome = "blackholed-large"
		st.ClosedBy = v.firstCloser(f, st)
	default:
		v.ordinaryEnd(f, st)
	}
}

// answerWithin is how long, ns, an answer to a SYN is waited for before it is sent again (RFC 6298 §2.1).
const answerWithin = 1_000_000_000

// waited reports whether a capture goes on behind a SYN for as long as its sender waits for an answer.
func (v *Verdict) waited(c int, syn uint32) bool {
	x := v.At(c, syn)
	return x.Is(flow.MarkNoTime) || v.Caps[c].Last-x.Time() >= answerWithin
}

// shookHands reports whether what followed shows that a SYN was answered, whoever missed the answer: its sender acknowledged, or
// the other end closed.
func shookHands(f *match.Flow) bool {
	for _, s := range f.Sides {
		if s == nil {
			continue
		}
		for k, id := range s.Convs {
			fl := &s.Cap.Convs[id].Flags
			there, back := fl[s.Forward[k]], fl[1-s.Forward[k]]
			if there&decode.ACK != 0 && there&decode.RST == 0 || back&decode.FIN != 0 {
				return true
			}
		}
	}
	return false
}

// replyGone reports whether a SYN/ACK went away on its path. Where the recorder that should have seen it had stopped, or its
// filter hides it, nothing is known.
func (v *Verdict) replyGone(st *State) bool {
	for c := range st.Ends {
		if i := st.Ends[c].SYNACK; i >= 0 {
			if k := v.Marks[c].At(uint32(i)).Fate; k == FateLost || k == FateConsumed {
				return true
			}
		}
	}
	return false
}

// nearest holds the ends as the initiator's own point saw them; nil if the initiator's direction was nowhere seen.
func (v *Verdict) nearest(f *match.Flow, st *State) *Ends {
	if len(f.Path[0]) == 0 {
		return nil
	}
	return &st.Ends[f.Path[0][0]]
}

// closer is the first frame that closes a flow at a capture: FIN or RST, and its direction.
func (e *Ends) closer() (d int, rst bool, at int64) { return int(e.closeDir), e.closeRST, e.close }

// closedInBetween reports a conversation that the device which terminates it ended: each side saw the other close.
func (v *Verdict) closedInBetween(f *match.Flow, st *State) bool {
	for _, j := range f.Joints {
		if !j.Terminated {
			continue
		}
		near, far := j.A, j.B
		if j.Way < 0 {
			near, far = far, near
		}
		if st.Ends[near].missed[0] || st.Ends[far].missed[1] {
			continue // an end closed, or may have, and the recorder before it missed that
		}
		if j.Opaque && !v.gaveUp(f) {
			continue // a proxy that ends connections once their messages are through does its work
		}
		if d, _, i := st.Ends[far].closer(); j.Opaque && i >= 0 && d == 0 {
			if d, _, k := st.Ends[near].closer(); k >= 0 && d == 0 && v.earlier(near, k, far, i) {
				continue // the client left first
			}
			st.Outcome, st.ClosedBy = "closed-by-middlebox", "middlebox"
			st.Detail = "the proxy gave up waiting for the server's answer and answered itself"
			return true
		}
		dn, rn, n := st.Ends[near].closer()
		df, rf, m := st.Ends[far].closer()
		// Toward the initiator direction 1 comes from the device, toward the responder direction 0.
		if n >= 0 && m >= 0 && dn == 1 && df == 0 {
			if !sameHosts(f.Tuple(near), f.Tuple(far)) && v.through(f) {
				continue // so does a proxy that both ends know, once it has passed everything on
			}
			st.Outcome, st.ClosedBy = "closed-by-middlebox", "middlebox"
			if rn && rf {
				st.Outcome = "reset-by-middlebox"
			}
			st.Detail = "at either end it looks as if the other had closed"
			return true
		}
	}
	return false
}

// through reports whether all bytes of a flow that any point saw were passed on.
func (v *Verdict) through(f *match.Flow) bool {
	for c, s := range f.Sides {
		if s == nil {
			continue
		}
		for _, id := range s.Convs {
			for i := range flow.UpTo(s.Cap.Span(id)) {
				if m := v.Marks[c].At(i); v.At(c, i).Len() > 0 && (m.Fate == FateConsumed || m.Fate == FateLost) {
					return false
				}
			}
		}
	}
	return true
}

// passedBack lists the flows in which somebody asked who then gave an answer on, though none was captured: that a recorder
// missed it is no silence.
func (v *Verdict) passedBack() map[*match.Flow]bool {
	out := map[*match.Flow]bool{}
	for i := range v.Exchanges.Claims {
		if c := &v.Exchanges.Claims[i]; !c.Back.Answered && c.Front.Given() {
			out[v.FlowOf[c.Back.Conv.Capture][c.Back.Conv.ID]] = true
		}
	}
	return out
}

// gaveUp reports whether a request of a flow was passed on by a proxy and never answered behind it.
func (v *Verdict) gaveUp(f *match.Flow) bool {
	for i := range v.Exchanges.Claims {
		c := &v.Exchanges.Claims[i]
		if !c.Back.Answered && v.FlowOf[c.Front.Conv.Capture][c.Front.Conv.ID] == f && !v.answeredInPart(c.Back) {
			return true
		}
	}
	return false
}

// answeredInPart reports whether the end that a request went to sent anything after it: an answer whose head the recorder
// missed is one nevertheless.
func (v *Verdict) answeredInPart(x *exchange.Exchange) bool {
	if !x.Request.Seen() {
		return true // when it came is not known, so neither what followed
	}
	c := v.Caps[x.Conv.Capture]
	last := c.At(x.Request.Pieces[len(x.Request.Pieces)-1].Frame)
	for i := range flow.UpTo(c.Span(x.Conv.ID)) {
		if f := c.At(i); f.Dir() != last.Dir() && f.Len() > 0 && f.Time() >= last.Time() && f.Mark&(flow.MarkError|flow.MarkDuplicate) == 0 {
			return true
		}
	}
	return false
}

// earlier reports whether a frame of capture a comes before one of capture b.
func (v *Verdict) earlier(a int, i int64, b int, k int64) bool {
	t, ok := v.Time(a, uint32(i))
	u, ok2 := v.Time(b, uint32(k))
	return ok && ok2 && t < u
}

// resetInBetween reports a conversation that a device which does not terminate it broke with forged resets.
func (v *Verdict) resetInBetween(f *match.Flow, st *State) bool {
	if f.Alone() {
		return false // whoever resets it, no other point shows that its end did not
	}
	for c, s := range f.Sides {
		if s == nil {
			continue
		}
		for d := 0; d < 2; d++ {
			i := st.Ends[c].RST[d]
			if i < 0 || v.Marks[c].At(uint32(i)).Fate != FateInjected {
				continue
			}
			if v.terminatedAt(f, c) != nil || v.mayBeMissed(f, c, d) {
				continue
			}
			first := true
			for dir := 0; dir < 2; dir++ {
				for _, e := range [2]int64{st.Ends[c].FIN[dir], st.Ends[c].RST[dir]} {
					if e >= 0 && e != i && v.sooner(c, uint32(e), uint32(i)) {
						first = false
					}
				}
			}
			if first {
				st.Outcome, st.ClosedBy = "reset-by-middlebox", "middlebox"
				return true
			}
		}
	}
	return false
}

// mayBeMissed reports whether a point that holds nothing of a direction of a flow, but of the other one, has a recorder that is
// known to have missed frames: what c alone saw of it may have passed there.
func (v *Verdict) mayBeMissed(f *match.Flow, c, d int) bool {
	for o, s := range f.Sides {
		if s != nil && o != c && s.Carries(1-d) && !s.Carries(d) && v.misses[o]() > 0 {
			return true
		}
	}
	return false
}

func (v *Verdict) terminatedAt(f *match.Flow, c int) *match.Joint {
	for _, j := range f.Joints {
		if j.Terminated && (j.A == c || j.B == c) {
			return j
		}
	}
	return nil
}

// refused reports a SYN answered by RST, or by an ICMP error that says no (RFC 792, RFC 1812 §5.2.7.1): by the other end,
// or by a device on the way.
func (v *Verdict) refused(f *match.Flow, st *State) bool {
	for c := range f.Sides {
		i := st.Ends[c].RST[1]
		if i < 0 {
			if i = v.refusal(f, c); i >= 0 && v.At(c, uint32(i)).Window < 2 {
				i = -1 // no way to get there: nobody refused
			}
		}
		if i < 0 {
			continue
		}
		st.Outcome, st.ClosedBy = "refused", v.end(f, 1)
		x := v.At(c, uint32(i))
		if x.Is(flow.MarkError) && x.Opt != flow.ErrorByEnd || !x.Is(flow.MarkError) && v.Marks[c].At(uint32(i)).Fate == FateInjected && !v.mayBeMissed(f, c, 1) {
			st.ClosedBy = "middlebox"
		}
		return true
	}
	return false
}

// refusal is the first ICMP error toward a flow's initiator that says no: unreachable or prohibited; -1: none.
func (v *Verdict) refusal(f *match.Flow, c int) int64 {
	s := f.Sides[c]
	if s == nil {
		return -1
	}
	for _, id := range s.Convs {
		for i := range flow.UpTo(s.Cap.Span(id)) {
			x := s.Cap.At(i)
			if !x.Is(flow.MarkError) || x.Flags() != 3 || s.Dir(i) != 1 {
				continue
			}
			if refusals[x.Window] != "" {
				return int64(i)
			}
		}
	}
	return -1
}

// firstCloser is the end that closed first, by the point nearest to the side that did.
func (v *Verdict) firstCloser(f *match.Flow, st *State) string {
	best, at, dir := int64(-1), int64(0), 0
	for c, s := range f.Sides {
		if s == nil {
			continue
		}
		d, _, i := st.Ends[c].closer()
		if i < 0 {
			continue
		}
		t, ok := v.Time(c, uint32(i))
		if !ok {
			t = 0
		}
		if best < 0 || int64(t) < at {
			best, at, dir = i, int64(t), d
		}
	}
	if best < 0 {
		return "unknown"
	}
	return v.end(f, dir)
}

// ordinaryEnd judges a conversation that nothing between interfered with.
func (v *Verdict) ordinaryEnd(f *match.Flow, st *State) {
	fin, rst := false, false
	rstFirst := false
	for c, s := range f.Sides {
		if s == nil {
			continue
		}
		e := &st.Ends[c]
		fin = fin || e.FIN[0] >= 0 || e.FIN[1] >= 0
		rst = rst || e.RST[0] >= 0 || e.RST[1] >= 0
		if _, isRST, i := e.closer(); i >= 0 && isRST {
			rstFirst = true
		}
	}
	switch {
	case rstFirst && !fin:
		st.Outcome = "reset"
	case fin || rst:
		st.Outcome = "ok"
	default:
		st.Outcome = "open"
		return
	}
	st.ClosedBy = v.firstCloser(f, st)
}

// arrived is the size of the largest portion that a frame of n bytes came through in: what its card cut it into, of which the
// rest may have been lost.
func (v *Verdict) arrived(c int, i, n uint32) uint32 {
	most := uint32(0)
	for _, s := range v.Segments {
		l := s.Link
		if l == nil || l.A != c && l.B != c {
			continue
		}
		for _, p := range l.Peers(c, i, nil) {
			if c == l.A {
				most = max(most, v.At(l.B, p.B).Len())
			} else {
				most = max(most, v.At(l.A, p.A).Len())
			}
		}
	}
	if most == 0 {
		return n
	}
	return min(n, most)
}

// largeLeast is the number of lost segments from which their size may be the cause.
const largeLeast = 3

// largeLost reports whether large segments of a direction are lost again and again while small ones pass: the path's
// MTU is smaller than the ends believe and nobody tells them (RFC 2923 §2.1).
func (v *Verdict) largeLost(f *match.Flow, st *State) bool {
	for d := 0; d < 2; d++ {
		for c, s := range f.Sides {
			if s == nil || st.fates[c][d][FateLost] < largeLeast {
				continue
			}
			small, least, lost, passed := uint32(0), ^uint32(0), 0, 0
			silent := false // the loss begins with a silence, and nothing passes any more: the device forgot the conversation
			var before capture.LocalTime
			var acked, end uint32
			haveAck, haveEnd := false, false
			for _, id := range s.Convs {
				for i := range flow.UpTo(s.Cap.Span(id)) {
					x := s.Cap.At(i)
					since := x.Time() - before
					before = x.Time()
					silent = silent && v.Marks[c].At(i).Fate != FateDelivered
					if s.Dir(i) != d && x.Flags()&decode.ACK != 0 && x.Mark&(flow.MarkError|flow.MarkLater) == 0 && (!haveAck || int32(x.Ack-acked) > 0) {
						acked, haveAck = x.Ack, true
					}
					if s.Dir(i) != d || x.Mark&(flow.MarkError|flow.MarkDuplicate) != 0 {
						continue
					}
					switch v.Marks[c].At(i).Fate {
					case FateLost:
						if e := x.Seq + x.Len(); !haveEnd || int32(e-end) > 0 {
							end, haveEnd = e, true
						}
						silent = silent || lost == 0 && passed > 0 && since >= idleLeast
						lost++
						least = min(least, x.Len())
					case FateDelivered:
						passed++
						small = max(small, v.arrived(c, i, x.Len()))
					}
				}
			}
			if haveAck && int32(acked-end) >= 0 {
				continue // it came through in the end, in smaller portions
			}
			if lost >= largeLeast && passed > 0 && least > small && least >= 500 && !silent {
				return true
			}
		}
	}
	return false
}
