package infer

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/corr-dev/corr/backend/clock"
	"github.com/corr-dev/corr/backend/exchange"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/logs"
	"github.com/corr-dev/corr/backend/match"
)

// Fate is what became of a frame, corr.fate.
type Fate uint8

const (
	FateUnknown Fate = iota
	FateDelivered
	FateLost
	FateInjected
	FateConsumed
	FateOutside
	FateFiltered
	FateDuplicate
	FateLocal
	FateElsewhere
)

var fateWords = [...]string{"unknown", "delivered", "lost", "injected", "consumed", "outside", "filtered", "duplicate", "local", "elsewhere"}

func (f Fate) String() string { return fateWords[f] }

// Mark is what is concluded of one frame.
type Mark struct {
	Fate   Fate
	Where  uint8 // index + 1 into Verdict.Segments: the stretch where it was lost, consumed or injected
	Origin Origin
}

// Marks holds the marks of a capture's frames by place, in two bytes each: fate and origin, four bits each, and Where.
type Marks [][2]uint8

// At is the mark of the frame in a place.
func (m Marks) At(i uint32) Mark {
	x := m[i]
	return Mark{Fate(x[0] & 15), x[1], Origin(x[0] >> 4)}
}

func (m Marks) set(i uint32, x Mark) { m[i] = [2]uint8{uint8(x.Fate) | uint8(x.Origin)<<4, x.Where} }

// Origin is who really made a frame, corr.origin.
type Origin uint8

const (
	OriginUnknown Origin = iota
	OriginClient
	OriginServer
	OriginMiddlebox
)

func (o Origin) String() string { return [...]string{"", "client", "server", "middlebox"}[o] }

// Verdict is everything concluded of some captures.
type Verdict struct {
	*match.Result
	Clocks    *clock.Model
	Order     []int // captures in path order
	Rank      []int // a capture's place in Order
	Segments  []*Segment
	Marks     []Marks // by capture
	Hops      *Hops
	Whole     [2]clock.RefTime       // when the first and the last frame of all captures were seen
	ran       [][2]clock.RefTime     // by capture: when its first and its last frame was seen
	inPieces  bool                   // some captures are pieces of what one recorder wrote
	untimed   map[[2]int]match.Apart // of two captures whose clocks are not known: what the pairs say
	State     []*State               // by flow, in Result.Flows' order
	Messages  []map[uint32]string    // by capture and place: the application message that ends in a frame, raw text
	Findings  []*Finding
	Logs      []logs.Tied      // records of logs that speak of conversations
	Unseen    []logs.Tied      // drops of what no capture holds, between hosts that it holds conversations of
	Exchanges *exchange.Result // messages tied across proxies

	shaken func() [][]*Finding  // compareHandshakes, once
	heard  map[*match.Flow]bool // whose answer was passed on, though none was captured
	misses []func() float64     // by capture: the share of frames that its recorder is known to have missed
	told   []func() errorsTo    // by capture: ICMP errors whose quote the snaplen cut
}

// LostBins is the number of parts that losses are counted by over time.
const LostBins = 60

// Segment is the stretch between two neighbouring points.
type Segment struct {
	A, B    int // captures; A is nearer to the client end
	Link    *match.Link
	Routers int // -1 unknown
	Index   int
	// Flows that pass both points, and how many of those are ended in between.
	Flows, Terminated int
	Boxes             []*Box
	Conditions        []string
	// Sent and Lost count packets of conversations that pass: toward B, toward A.
	Sent, Lost [2]int64
	// LostAt is Lost over time, by equal parts of Verdict.Whole, as far as clocks are related; nil for none.
	LostAt [2]*[LostBins]int64

	passing   []passing       // flows whose paths have it
	shown     map[ownKey]bool // addresses that a source translation shows
	stateful  bool            // a translation between IP versions keeps state,
	stateless bool            // or several hosts, or an address inside of the other, show that it has none
	slow      sync.Once
	slowest   [2]int64 // the longest delays, toward B and toward A, ns
	worked    tally    // packets of conversations that work
	expired   *expiry  // what a device there forgot; nil for nothing
	travel    [2]int   // directions of flows that pass both ends: toward B, toward A
}

// passing is a flow on a stretch, with what is known of it there.
type passing struct {
	n int // in Verdict.Flows
	f *match.Flow
	j *match.Joint
}

// New runs all inferences.
func New(r *match.Result, m *clock.Model, order []int, x *exchange.Result, records, unseen []logs.Tied) *Verdict {
	v := &Verdict{Result: r, Exchanges: x, Logs: records, Unseen: unseen, Clocks: m, Order: order, Rank: make([]int, len(order))}
	for k, c := range order {
		v.Rank[c] = k
	}
	v.Marks = make([]Marks, len(r.Caps))
	for k, c := range r.Caps {
		v.Marks[k] = flow.Column[[2]uint8](c.Store, c.Len())
	}
	for k := range r.Caps {
		first, last := m.Span(k)
		v.ran = append(v.ran, [2]clock.RefTime{first, last})
		if m.Of[k].Known {
			if v.Whole == [2]clock.RefTime{} {
				v.Whole = v.ran[k]
			}
			v.Whole = [2]clock.RefTime{min(v.Whole[0], first), max(v.Whole[1], last)}
		}
	}
	v.untimed = map[[2]int]match.Apart{}
	for p, rel := range r.Relations {
		if a, ok := rel.Time.Apart(); ok && !(m.Of[p[0]].Known && m.Of[p[1]].Known) {
			v.untimed[p] = a
		}
	}
	for c := range r.Caps {
		v.misses = append(v.misses, sync.OnceValue(func() float64 { return v.missRate(c) }))
	}
	v.shaken = sync.OnceValue(v.compareHandshakes)
	v.Hops = newHops(r)
	for c, first := range v.Pieces {
		v.inPieces = v.inPieces || first != c
	}
	v.segments()
	v.fates()
	v.outcomes()
	v.messages()
	v.losses()
	v.excuse()
	v.boxes()
	v.findings()
	return v
}

// parallel calls a function for every flow, on all cores; each worker gets one from make, for a space of its own.
func (v *Verdict) parallel(make func() func(n int, f *match.Flow)) {
	const chunk = 64
	var next atomic.Int64
	var wg sync.WaitGroup
	for k := 0; k < max(1, runtime.GOMAXPROCS(0)); k++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			do := make()
			for {
				from := int(next.Add(chunk)) - chunk
				if from >= len(v.Flows) {
					return
				}
				for n := from; n < min(from+chunk, len(v.Flows)); n++ {
					do(n, v.Flows[n])
				}
			}
		}()
	}
	wg.Wait()
}

// atOnce does some tasks on all cores; one after the other where memory is bounded, for what each brings in adds up.
func (v *Verdict) atOnce(tasks []func()) {
	workers := runtime.GOMAXPROCS(0)
	if len(v.Caps) > 0 && v.Caps[0].Store != nil {
		workers = 1
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for k := next.Add(1) - 1; k < int64(len(tasks)); k = next.Add(1) - 1 {
				tasks[k]()
			}
		})
	}
	wg.Wait()
}

// At is the fact of a frame.
func (v *Verdict) At(capture int, i uint32) *flow.Fact { return v.Caps[capture].At(i) }

// Time is a frame's time on the reference clock.
func (v *Verdict) Time(capture int, i uint32) (clock.RefTime, bool) {
	return v.Clocks.Time(capture, i, v.At(capture, i).Time())
}

// Segment is the stretch between two captures, in either order; nil if they are no neighbours.
func (v *Verdict) Segment(a, b int) *Segment {
	for _, s := range v.Segments {
		if s.A == a && s.B == b || s.A == b && s.B == a {
			return s
		}
	}
	return nil
}
