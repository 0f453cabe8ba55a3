package lab

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// Ordered makes the truth of captures that scripts/record left in dir: a.pcap, b.pcap, … in path order, of a path that
// loses, makes and reorders nothing. The n-th packet of a direction at one point is the n-th at the next, whatever became
// of its addresses; the direction is told by MAC addresses that grow toward the server. between says what stands
// between neighbours: the number of routers and the kinds of middleboxes, "5:nat64" or "2:softwire+source-nat".
//
// closed lists the ports that the box refuses, on the first stretch, in the server's place.
//
// It gives an error where payloads, sequence numbers or counts show that the path was not such a one.
func Ordered(dir string, between []string, closed []uint16) (*Case, error) {
	c := &Case{Name: filepath.Base(filepath.Clean(dir)), rest: map[string]any{"schema": 1, "path": "client - r1 - box - r2 - server",
		"clock_model": "local_ns = true_ns + offset_s*1e9 + (true_ns - ref_true_ns)*drift_ppm*1e-6 (then cut to the file's resolution)"}}
	for i := range len(between) + 1 {
		p := &Capture{File: string(rune('a'+i)) + ".pcap", Where: "between", Format: capturetest.Pcap, rest: map[string]any{}}
		if err := p.loadFrames(filepath.Join(dir, p.File), 500, 0); err != nil {
			return nil, err
		}
		if err := p.directions(); err != nil {
			return nil, err
		}
		c.Captures = append(c.Captures, p)
	}
	c.Captures[0].Where, c.Captures[len(between)].Where = "client host", "server host"
	c.Ref = c.Captures[0].Frames[0].True
	for i, words := range between {
		q := &Pair{A: c.Captures[i], B: c.Captures[i+1], MaxTransitMS: 60, Only: newOnly(), rest: map[string]any{}}
		routers, kinds, _ := strings.Cut(words, ":")
		n, err := strconv.Atoi(routers)
		if err != nil {
			return nil, fmt.Errorf("%q: routers first, then a colon and kinds", words)
		}
		q.Routers = &n
		for _, kind := range strings.FieldsFunc(kinds, func(r rune) bool { return r == '+' }) {
			q.Middleboxes = append(q.Middleboxes, map[string]any{"kind": kind, "at": "box"})
		}
		if err := q.count(closed); err != nil {
			return nil, err
		}
		c.Pairs = append(c.Pairs, q)
	}
	for _, q := range c.Pairs {
		q.tieCopies()
	}
	c.countRouters()
	return c, c.conversations(closed)
}

// directions tells the frames' directions by MAC addresses. A capture on all interfaces of the box holds each packet
// twice, as it came and as it went on.
func (p *Capture) directions() error {
	const box = 3 // in its MAC addresses
	var in, out [2][]*Frame
	for _, f := range p.Frames {
		f.recorded = 0 // nothing refers to numbers
		f.Dir = 'r'
		if p.Link == capture.LinkEthernet {
			if f.Data[10] < f.Data[4] {
				f.Dir = 'f'
			}
			continue
		}
		// Cooked (SLL): 4 is what went out; the address is the sender's.
		sent, from := f.Data[1] == 4, [2]byte{f.Data[10], f.Data[11]}
		if sent && from == [2]byte{box, 2} || !sent && from[0] < box {
			f.Dir = 'f'
		}
		if read(p.Link, f).local() {
			continue
		}
		if l := &in[dirIndex(f.Dir)]; !sent {
			*l = append(*l, f)
		} else {
			out[dirIndex(f.Dir)] = append(out[dirIndex(f.Dir)], f)
		}
	}
	for d := range in {
		if len(in[d]) != len(out[d]) {
			return fmt.Errorf("%s: %d packets came in and %d went out in one direction", p.File, len(in[d]), len(out[d]))
		}
		for i := range in[d] {
			p.Copies = append(p.Copies, [2]*Frame{in[d][i], out[d][i]})
		}
	}
	return nil
}

// count ties the frames of each direction in order.
func (q *Pair) count(closed []uint16) error {
	var by [2]map[byte][]*Frame
	for s, p := range []*Capture{q.A, q.B} {
		by[s] = map[byte][]*Frame{}
		copies := map[*Frame]bool{}
		for _, l := range p.Copies {
			copies[l[1]] = true
		}
		for _, f := range p.Frames {
			if read(p.Link, f).local() {
				q.Only[s]["local"] = append(q.Only[s]["local"], f)
				continue
			}
			if h := read(p.Link, f); s == 0 && h.refused(closed) {
				reason := "middlebox_generated"
				if f.Dir == 'f' {
					reason = "dropped_by_middlebox"
				}
				q.Only[s][reason] = append(q.Only[s][reason], f)
				continue
			}
			if copies[f] {
				q.Only[s]["span_copy"] = append(q.Only[s]["span_copy"], f)
				continue
			}
			by[s][f.Dir] = append(by[s][f.Dir], f)
		}
	}
	for _, dir := range []byte("fr") {
		x, y := by[0][dir], by[1][dir]
		for i := range min(len(x), len(y)) {
			if a, b := read(q.A.Link, x[i]), read(q.B.Link, y[i]); !sameCargo(a, b) {
				return fmt.Errorf("packet %d of direction %c is %v at %s and %v at %s: the path was not in order", i+1, dir, a.tuple, q.A.File, b.tuple, q.B.File)
			}
			q.Matches = append(q.Matches, Link{x[i], y[i]})
		}
		if len(x) != len(y) {
			return fmt.Errorf("direction %c has %d packets at %s and %d at %s: the path lost or made some", dir, len(x), q.A.File, len(y), q.B.File)
		}
	}
	return nil
}

// tieCopies ties the later copies too: allowed, not required.
func (q *Pair) tieCopies() {
	for s, p := range []*Capture{q.A, q.B} {
		again := map[*Frame]*Frame{}
		for _, l := range p.Copies {
			again[l[0]] = l[1]
		}
		for _, l := range q.Matches {
			if x := again[l[s]]; x != nil {
				l[s] = x
				q.Dups = append(q.Dups, l)
			}
		}
	}
}

// refused reports whether a packet, or what it quotes, goes to or comes from one of some ports.
func (h *header) refused(closed []uint16) bool {
	t := h.tuple
	if h.quoted {
		t = h.inner
	}
	return slices.Contains(closed, t.dport) || slices.Contains(closed, t.sport)
}

// sameCargo reports what no device of such a path changes: payloads of TCP and UDP, sequence numbers.
func sameCargo(a, b *header) bool {
	if a.tcp() != b.tcp() || a.tcp() && (a.seq() != b.seq() || a.ack() != b.ack() || a.flags() != b.flags()) {
		return false
	}
	return a.proto != b.proto || a.l4 < 0 || bytes.Equal(a.body(), b.body())
}

func (c *Case) countRouters() {
	total := 0
	for _, q := range c.Pairs {
		total += *q.Routers
	}
	n := 0
	for i, p := range c.Captures {
		if i > 0 {
			n += *c.Pairs[i-1].Routers
		}
		p.RoutersFromClient, p.RoutersFromServer = new(n), new(total-n)
	}
}

// conversations collects them by the tuples at the first point and follows them along the links.
func (c *Case) conversations(closed []uint16) error {
	flows := map[tuple]*Flow{}
	first := c.Captures[0]
	for _, f := range first.Frames {
		h := read(first.Link, f)
		if h.local() || h.quoted || h.l4 < 0 {
			continue
		}
		k := canon(h.tuple)
		w := flows[k]
		if w == nil {
			w = &Flow{ID: len(c.Flows), Proto: protoName(h.proto), Initiator: "client", Outcome: "ok", at: map[*Capture]map[string]any{}, rest: map[string]any{"instance": 1}}
			if f.Dir == 'r' {
				w.Initiator = "server"
			}
			if h.tcp() && h.refused(closed) {
				w.Outcome = "refused"
				w.rest["by"] = "box"
			}
			flows[k] = w
			c.Flows = append(c.Flows, w)
		} else if h.tcp() && h.flags()&(flagSYN|flagACK) == flagSYN {
			return fmt.Errorf("%v begins twice: ports used again are not foreseen", h.tuple)
		}
		f.Flow = w
		if h.tcp() && h.flags()&flagRST != 0 {
			w.rest["outcome_also"] = []any{"reset"} // by a client that had its answer
		}
	}
	for _, q := range c.Pairs {
		for _, l := range q.Matches {
			l[1].Flow = l[0].Flow
		}
		for _, l := range q.B.Copies {
			l[1].Flow = l[0].Flow
		}
	}
	if slices.ContainsFunc(c.Flows, func(f *Flow) bool { return f.Proto == "" }) {
		return fmt.Errorf("a conversation of a protocol that the truth has no name for")
	}
	return nil
}

func protoName(n byte) string {
	for name, p := range protoNumber {
		if p == n {
			return name
		}
	}
	return ""
}
