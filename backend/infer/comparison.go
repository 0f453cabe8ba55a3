package infer

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/corr-dev/corr/backend/clock"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// Conversations with one service that end differently: what those that fail have in common, and no other has.

// byChance is how many ways there are to choose the failing ones of all, at least, for their place to be no chance.
const byChance = 50

// ways is the number of ways to choose k of n, 1<<30 at most.
func ways(n, k int) int {
	w := 1
	for i := range k {
		if w = w * (n - i) / (i + 1); w > 1<<30 {
			return 1 << 30
		}
	}
	return w
}

// attempt is a conversation with a service.
type attempt struct {
	flow *match.Flow
	bad  bool
	at   clock.RefTime
}

// service is what conversations are opened to, as the point nearest to their initiators sees it.
type service struct {
	proto   uint8
	version uint8
	addr    decode.Addr
	port    uint16
}

// attempts lists the conversations of each service of which any failed, services in order of their first one.
func (v *Verdict) attempts() (order []service, by map[service][]attempt) {
	failing := map[service]bool{}
	for n, f := range v.Flows {
		if bad, told := v.wentWrong(n); bad && told {
			failing[v.service(f)] = true
		}
	}
	by = map[service][]attempt{}
	if len(failing) == 0 {
		return nil, by
	}
	for n, f := range v.Flows {
		bad, told := v.wentWrong(n)
		if !told {
			continue
		}
		k := v.service(f)
		if !failing[k] {
			continue
		}
		c := v.anywhere(f)
		i := v.first(f, c, 0)
		if i < 0 {
			continue
		}
		at, _ := v.Time(c, uint32(i))
		a := attempt{flow: f, at: at, bad: bad}
		if by[k] == nil {
			order = append(order, k)
		}
		by[k] = append(by[k], a)
	}
	return order, by
}

// wentWrong reports whether a conversation failed; told is false for those that say neither: whoever reset one hung up.
func (v *Verdict) wentWrong(n int) (bad, told bool) {
	if p := v.Flows[n].Proto; p != flow.ProtoTCP && p != flow.ProtoUDP {
		return false, false
	}
	switch v.State[n].Outcome {
	case "ok", "open":
		return false, true
	case "reset":
		return false, false
	}
	return true, true
}

func (v *Verdict) service(f *match.Flow) service {
	t := f.Tuple(v.anywhere(f))
	return service{f.Proto, t.Version, t.Dst, t.Dport}
}

func (k service) String() string { return endpoint(k.version, k.addr, k.port, k.proto) }

// compared makes the finding of one service: bad conversations first.
func (v *Verdict) compared(bad, good []attempt) *Finding {
	x := &Finding{Severity: Note, Confidence: 85}
	for _, l := range [][]attempt{bad, good} {
		for _, a := range l {
			x.Flows = append(x.Flows, a.flow)
		}
		c := v.anywhere(l[0].flow)
		x.Evidence = append(x.Evidence, Evidence{c, v.first(l[0].flow, c, 0), "corr.flow", fmt.Sprint(l[0].flow.ID)})
	}
	for _, a := range bad {
		if v.failed(a.flow) {
			x.Severity = Warn
		}
	}
	return x
}

var failsSince = rule{Doc{ID: "fails-since", weight: 55,
	Title:   "A service works until a moment and fails from then on",
	Meaning: "Something changed at that moment: a rule, a route, a table that filled up, a server that stopped.",
	Sign:    "In the order of time all conversations with a service before a moment went well and all that began later did not (or the other way round); there are at least 50 ways in which the failing ones could lie otherwise.",
	Not:     "Where failing and working ones alternate, or are too few to tell."},
	func(v *Verdict) (out []*Finding) {
		order, by := v.attempts()
		for _, k := range order {
			l := by[k]
			slices.SortStableFunc(l, func(a, b attempt) int { return cmp.Compare(a.at, b.at) })
			turn := 0
			for i := 1; i < len(l); i++ {
				if l[i].bad != l[i-1].bad {
					if turn > 0 {
						turn = -1
						break
					}
					turn = i
				}
			}
			if turn <= 0 || ways(len(l), turn) < byChance {
				continue
			}
			before, later := l[:turn], l[turn:]
			x, words := v.compared(later, before), "works until then and fails from then on"
			if before[0].bad {
				x, words = v.compared(before, later), "fails until then and works from then on"
			}
			c := v.anywhere(later[0].flow)
			at := v.clockTime(c, v.first(later[0].flow, c, 0))
			x.Title = fmt.Sprintf("%s at %s UTC: %s", k, at, words)
			x.Detail = fmt.Sprintf("seen: %s before, %s from %s on", plural(len(before), "conversation", "conversations"), plural(len(later), "conversation", "conversations"), v.tuple(later[0].flow, c))
			x.Next = fmt.Sprintf("ask what was changed around %s UTC by the clock of %s", at, v.point(c))
			out = append(out, x)
		}
		return out
	}}

var failsThrough = rule{Doc{ID: "fails-through", weight: 56,
	Title:   "Only conversations through one address fail",
	Meaning: "One server behind a balancer, or one address of a translation's pool, is the one that does not work.",
	Sign:    "All conversations with a service that have one address behind a device fail, all with another one work; there are at least 20 ways in which the failing ones could be spread otherwise.",
	Not:     "Where some through that address work, or others fail too."},
	func(v *Verdict) (out []*Finding) {
		order, by := v.attempts()
		for _, k := range order {
			for end, words := range []string{"served by", "shown as"} {
				if x := v.apart(k, by[k], end, words); x != nil {
					out = append(out, x)
				}
			}
		}
		return out
	}}

// throughWays is byChance for addresses: which ones there are is no matter of time, so fewer tell.
const throughWays = 20

// behind is the responder's (end 0) or the initiator's address behind what translates it; ok is false where nothing does.
func (v *Verdict) behind(f *match.Flow, end int) (is decode.Addr, ok bool) {
	near, far := v.anywhere(f), -1
	for c, s := range f.Sides {
		if s != nil && c != near && (far < 0 || v.near(near, c) > v.near(near, far)) {
			far = c
		}
	}
	if far < 0 {
		return is, false
	}
	t, u := f.Tuple(near), f.Tuple(far)
	if end == 1 {
		return u.Src, t.Src != u.Src
	}
	return u.Dst, t.Dst != u.Dst
}

// apart compares the conversations of a service by the responder's (end 0) or the initiator's address behind whatever
// translates it.
func (v *Verdict) apart(k service, l []attempt, end int, words string) *Finding {
	// Those that failed first: unless they have one address in common, the rest tells nothing.
	var worst decode.Addr
	var bad, good []attempt
	all := 0
	each := func(failed bool, fn func(a attempt, is decode.Addr) bool) bool {
		for _, a := range l {
			if a.bad != failed {
				continue
			}
			if is, ok := v.behind(a.flow, end); ok && !fn(a, is) {
				return false
			}
		}
		return true
	}
	if !each(true, func(a attempt, is decode.Addr) bool {
		if len(bad) > 0 && is != worst {
			return false
		}
		worst, bad = is, append(bad, a)
		return true
	}) || len(bad) == 0 {
		return nil
	}
	byAddr := map[decode.Addr][]attempt{}
	var order []decode.Addr
	if !each(false, func(a attempt, is decode.Addr) bool {
		if byAddr[is] == nil {
			order = append(order, is)
		}
		byAddr[is] = append(byAddr[is], a)
		all++
		return is != worst
	}) {
		return nil
	}
	for _, a := range order {
		good = append(good, byAddr[a]...)
	}
	if len(good) == 0 || ways(all+len(bad), len(bad)) < throughWays {
		return nil
	}
	x := v.compared(bad, good)
	who := addr(k.version, worst)
	x.Title = fmt.Sprintf("of the conversations with %s only those %s %s fail", k, words, who)
	x.Detail = fmt.Sprintf("seen: %d %s %s, none of them went well; %d by others, all of them did", len(bad), words, who, len(good))
	x.Next = fmt.Sprintf("look at %s: its service, its routes, and the rules for it", who)
	return x
}
