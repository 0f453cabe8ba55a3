package lab

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// Case is a set of captures of the same traffic, and what is true of them.
type Case struct {
	Name     string
	Ref      int64      // true time that clocks are related to, ns since 1970
	Captures []*Capture // in path order, the client's end first
	Pairs    []*Pair    // neighbours, and points around one that missed frames
	Flows    []*Flow
	Applied  []string // transformations, in order

	rest map[string]any // what the truth says beside, kept as it is
}

// Capture is one point's recording.
type Capture struct {
	File  string // base name
	Where string

	Format    capturetest.Format
	BigEndian bool
	Compress  string // "", gzip, zstd, lz4
	Units     byte   // if_tsresol of pcapng; 0: µs
	Snaplen   uint32 // 0: no limit
	Link      capture.LinkType

	Clock                                Clock
	RoutersFromClient, RoutersFromServer *int // nil: a proxy ends the path, or branches differ

	Frames []*Frame    // in the file's order
	Copies [][2]*Frame // a frame and its SPAN copy

	loaded string // name when loaded
	rest   map[string]any
}

// Frame is one frame of a capture.
type Frame struct {
	True      int64 // ns; as exact as the recording's resolution
	Data      []byte
	OrigLen   uint32
	Direction capture.Direction
	Flow      *Flow // nil: of no conversation that the truth lists
	Dir       byte  // 'f' toward the server end, 'r' back, 0 unknown

	// Head is the first fragment of the datagram that this frame is a later fragment of; nil for all other frames.
	Head *Frame

	recorded int // number in the file that was loaded; 0: made later
	number   int // in the file that is written
}

// Link says that two frames of neighbours belong together, the one nearer to the client first.
type Link [2]*Frame

// Pair is what is true between two neighbours.
type Pair struct {
	A, B         *Capture // A is nearer to the client
	Around       string   // file of the point between them that missed these frames; "": true neighbours
	Routers      *int     // that decrement the TTL between them
	MaxTransitMS float64
	Middleboxes  []map[string]any

	Matches, Seg, Dups, Stream, Logical, Messages, Rewritten []Link

	// Only lists frames of A and of B without counterpart, by reason.
	Only [2]map[string][]*Frame

	rest map[string]any
}

// Flow is one conversation.
type Flow struct {
	ID        int
	Proto     string // tcp, udp, icmp, icmpv6, esp
	Initiator string // client, server: ends of the path
	Outcome   string

	at   map[*Capture]map[string]any // what the recording's truth says; counts and tuples are made anew
	rest map[string]any
}

// Dir is the direction of the initiator's packets.
func (f *Flow) Dir() byte {
	if f.Initiator == "server" {
		return 'r'
	}
	return 'f'
}

// dirAt is the same as one point takes it: where both ends send unasked, points may see another one first.
func (f *Flow) dirAt(p *Capture) byte {
	if d := text(f.at[p]["initiator_dir"]); d != "" {
		return d[0]
	}
	return f.Dir()
}

// Capture finds a capture by its file name, or by the name without extension; nil if there is none.
func (c *Case) Capture(name string) *Capture {
	for _, p := range c.Captures {
		if p.File == name || p.Label() == name {
			return p
		}
	}
	return nil
}

// Label is the file's name without extensions.
func (p *Capture) Label() string {
	name, _, _ := strings.Cut(filepath.Base(p.File), ".")
	return name
}

// pair finds the pair of a and b, in this order.
func (c *Case) pair(a, b *Capture) *Pair {
	for _, p := range c.Pairs {
		if p.A == a && p.B == b {
			return p
		}
	}
	return nil
}

// around finds or makes the pair of two points that saw what the point between missed.
func (c *Case) around(a, missed, b *Capture) *Pair {
	if p := c.pair(a, b); p != nil {
		return p
	}
	p := &Pair{A: a, B: b, Around: missed.File, Only: newOnly(), rest: map[string]any{}}
	if x, y := c.pair(a, missed), c.pair(missed, b); x != nil && y != nil {
		p.Routers = sum(x.Routers, y.Routers)
		p.MaxTransitMS = x.MaxTransitMS + y.MaxTransitMS
		p.Middleboxes = slices.Concat(x.Middleboxes, y.Middleboxes)
	}
	c.Pairs = append(c.Pairs, p)
	return p
}

func newOnly() [2]map[string][]*Frame {
	return [2]map[string][]*Frame{{}, {}}
}

// lists gives all lists of links, the required ones first.
func (p *Pair) lists() []*[]Link {
	return []*[]Link{&p.Matches, &p.Seg, &p.Dups, &p.Stream, &p.Logical, &p.Messages, &p.Rewritten}
}

// side gives the index of a capture in the pair's links, -1 if it isn't one of its ends.
func (p *Pair) side(at *Capture) int {
	switch at {
	case p.A:
		return 0
	case p.B:
		return 1
	}
	return -1
}

// downstream gives the captures behind the pair, seen from the client: p.B and whatever follows it.
func (c *Case) downstream(p *Pair) []*Capture { return c.reach(p.B, 0) }

// upstream gives the captures in front of the pair: p.A and whatever leads to it.
func (c *Case) upstream(p *Pair) []*Capture { return c.reach(p.A, 1) }

func (c *Case) reach(from *Capture, side int) []*Capture {
	seen := map[*Capture]bool{from: true}
	for again := true; again; {
		again = false
		for _, q := range c.Pairs {
			ends := [2]*Capture{q.A, q.B}
			if seen[ends[side]] && !seen[ends[1-side]] {
				seen[ends[1-side]], again = true, true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(c.Captures), func(p *Capture) bool { return !seen[p] })
}

// line reports whether the captures form a line, and an error for transformations that need one.
func (c *Case) line() error {
	for i, p := range c.neighbours() {
		if i+1 >= len(c.Captures) || p.A != c.Captures[i] || p.B != c.Captures[i+1] {
			return fmt.Errorf("%s: its captures don't form a line", c.Name)
		}
	}
	if len(c.neighbours()) != len(c.Captures)-1 {
		return fmt.Errorf("%s: its captures don't form a line", c.Name)
	}
	return nil
}

// neighbours gives the pairs of true neighbours.
func (c *Case) neighbours() []*Pair {
	return slices.DeleteFunc(slices.Clone(c.Pairs), func(p *Pair) bool { return p.Around != "" })
}

// sortByTime puts the frames into the order of their true time; equal times keep their order.
func (p *Capture) sortByTime() {
	slices.SortStableFunc(p.Frames, func(x, y *Frame) int {
		switch {
		case x.True < y.True:
			return -1
		case x.True > y.True:
			return 1
		}
		return 0
	})
}

// clone copies a frame with its bytes.
func (f *Frame) clone() *Frame {
	g := *f
	g.Data = slices.Clone(f.Data)
	g.recorded, g.number = 0, 0
	return &g
}

// number gives every frame its number in its file.
func (c *Case) number() {
	for _, p := range c.Captures {
		for i, f := range p.Frames {
			f.number = i + 1
		}
	}
}

// counterparts lists, for every frame of the pair's given side, the frames of the other side in a list.
func counterparts(list []Link, side int) map[*Frame][]*Frame {
	m := make(map[*Frame][]*Frame, len(list))
	for _, l := range list {
		m[l[side]] = append(m[l[side]], l[1-side])
	}
	return m
}

// random makes the generator of one transformation: independent of those before it.
func random(seed int64, salt string) *rand.Rand {
	h := uint64(14695981039346656037) // FNV-1a
	for _, b := range []byte(salt) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(uint64(seed), h))
}

func sum(a, b *int) *int {
	if a == nil || b == nil {
		return nil
	}
	n := *a + *b
	return &n
}

func plus(a *int, n int) *int { return sum(a, &n) }

func copyMap(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return maps.Clone(m)
}
