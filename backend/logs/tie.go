package logs

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Conversation is what records are tied to.
type Conversation struct {
	ID    uint32
	Proto string
	// Ends are the conversation's tuples at all points, initiator first.
	Ends        [][2]netip.AddrPort
	First, Last time.Time // on the reference clock
}

// Tied is a record with the conversations that it may speak of.
type Tied struct {
	Record
	Flows    []uint32
	Turned   bool      // the record's tuple runs against the initiator's direction
	At       time.Time // on the reference clock, zero if unknown
	Exactly  bool      // both ends agree, ports included
	FlowText []string
}

// Tie collects records while a log is read.
type Tie struct {
	by    map[[2]netip.AddrPort][]tieTo
	half  map[netip.AddrPort][]tieTo
	convs []Conversation
	got   []Tied
	hosts map[[2]netip.Addr]int // conversations by their hosts, either way round
	lost  []Tied                // drops between such hosts, of no conversation
	most  int
	clock Clock
}

type tieTo struct {
	conv   int
	turned bool
}

// tiedMost bounds the records kept.
const tiedMost = 200_000

// lostMost bounds the drops kept that are of no conversation.
const lostMost = 1000

// Unseen gives drops between hosts that the captures hold conversations of, while they ran, of which no capture has a
// frame; Flows holds one of these hosts' conversations. Call it after Done.
func (t *Tie) Unseen() (out []Tied) {
	if !t.clock.Known || len(t.convs) == 0 {
		return nil
	}
	var first, last time.Time
	for i := range t.convs {
		if c := &t.convs[i]; i == 0 || c.First.Before(first) {
			first = c.First
		}
		if c := &t.convs[i]; c.Last.After(last) {
			last = c.Last
		}
	}
	slack := time.Duration(t.clock.Error)
	for _, x := range t.lost {
		if x.Time.IsZero() {
			continue
		}
		if x.Time.Year() == 0 {
			x.Time = x.Time.AddDate(first.Year(), 0, 0)
		}
		if x.At = x.Time.Add(-time.Duration(t.clock.Offset)); !x.At.Before(first.Add(-slack)) && !x.At.After(last.Add(slack)) {
			out = append(out, x)
		}
	}
	return out
}

// NewTie makes the index of conversations.
func NewTie(convs []Conversation) *Tie {
	t := &Tie{by: map[[2]netip.AddrPort][]tieTo{}, half: map[netip.AddrPort][]tieTo{}, hosts: map[[2]netip.Addr]int{}, convs: convs, most: tiedMost}
	for i, c := range convs {
		seen := map[[2]netip.AddrPort]bool{}
		for _, e := range c.Ends {
			if seen[e] {
				continue
			}
			seen[e] = true
			t.by[e] = append(t.by[e], tieTo{i, false})
			back := [2]netip.AddrPort{e[1], e[0]}
			t.by[back] = append(t.by[back], tieTo{i, true})
			t.half[e[0]] = append(t.half[e[0]], tieTo{i, false})
			t.hosts[[2]netip.Addr{e[0].Addr(), e[1].Addr()}], t.hosts[[2]netip.Addr{e[1].Addr(), e[0].Addr()}] = i, i
		}
	}
	return t
}

// Add looks at a record and keeps it if it speaks of a conversation, on either side of a translation.
func (t *Tie) Add(r *Record) {
	if len(t.got) >= t.most {
		return
	}
	var hits []tieTo
	note := func(a, b netip.AddrPort) {
		if !a.IsValid() || !b.IsValid() {
			return
		}
		for _, h := range t.by[[2]netip.AddrPort{a, b}] {
			if c := &t.convs[h.conv]; (r.Proto == "" || c.Proto == r.Proto) && !slices.ContainsFunc(hits, func(x tieTo) bool { return x.conv == h.conv }) {
				hits = append(hits, h)
			}
		}
	}
	xf, xt := r.XFrom, r.XTo
	if xf.IsValid() && xf.Port() == 0 {
		xf = netip.AddrPortFrom(xf.Addr(), r.From.Port())
	}
	if xt.IsValid() && xt.Port() == 0 {
		xt = netip.AddrPortFrom(xt.Addr(), r.To.Port())
	}
	note(r.From, r.To)
	note(xf, r.To)
	note(r.From, xt)
	note(xf, xt)
	exactly := len(hits) > 0
	if !exactly && r.To.Port() == 0 && r.From.Port() != 0 {
		hits = t.half[r.From] // one end only
	}
	if len(hits) == 0 {
		if i, known := t.hosts[[2]netip.Addr{r.From.Addr(), r.To.Addr()}]; known && Dropped(r.Action) && len(t.lost) < lostMost {
			t.lost = append(t.lost, Tied{Record: *r, Flows: []uint32{t.convs[i].ID}})
		}
		return
	}
	x := Tied{Record: *r, Turned: hits[0].turned, Exactly: exactly}
	for _, h := range hits {
		x.Flows = append(x.Flows, t.convs[h.conv].ID)
	}
	t.got = append(t.got, x)
}

// Clock is a log's clock against the reference: offset, and the bound of it, ns.
type Clock struct {
	Known         bool
	Offset, Error int64
	Records       int // that it comes from
}

// Done relates the log's clock and gives its records in order. What could be several conversations is narrowed by time;
// what still could is left to all of them.
func (t *Tie) Done() ([]Tied, Clock) {
	byID := map[uint32]*Conversation{}
	for i := range t.convs {
		byID[t.convs[i].ID] = &t.convs[i]
	}
	var ds []int64
	for i := range t.got {
		x := &t.got[i]
		t.year(x, byID)
		if c := byID[x.Flows[0]]; len(x.Flows) == 1 && x.Exactly && !x.Time.IsZero() {
			ds = append(ds, int64(x.Time.Sub(c.First)))
		}
	}
	var k Clock
	if len(ds) > 0 {
		slices.Sort(ds)
		k = Clock{Known: true, Offset: ds[len(ds)/2], Records: len(ds)}
		// Half of the records lie this near; a log with whole seconds errs by one at least.
		k.Error = max((ds[len(ds)*3/4]-ds[len(ds)/4])/2, int64(time.Second))
	}
	for i := range t.got {
		x := &t.got[i]
		if x.Time.IsZero() || !k.Known {
			continue
		}
		x.At = x.Time.Add(-time.Duration(k.Offset))
		if len(x.Flows) > 1 {
			x.narrow(byID, k)
		}
	}
	t.clock = k
	slices.SortStableFunc(t.got, func(a, b Tied) int { return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line) })
	return t.got, k
}

// year gives syslog times the year that their conversation ran in.
func (t *Tie) year(x *Tied, byID map[uint32]*Conversation) {
	if x.Time.IsZero() || x.Time.Year() != 0 {
		return
	}
	c := byID[x.Flows[0]]
	x.Time = x.Time.AddDate(c.First.Year(), 0, 0)
}

// narrow keeps the conversations that ran when the record was written.
func (x *Tied) narrow(byID map[uint32]*Conversation, k Clock) {
	var in []uint32
	slack := time.Duration(k.Error) + 2*time.Second
	for _, id := range x.Flows {
		if c := byID[id]; !x.At.Before(c.First.Add(-slack)) && !x.At.After(c.Last.Add(slack)) {
			in = append(in, id)
		}
	}
	if len(in) > 0 {
		x.Flows = in
	}
}
