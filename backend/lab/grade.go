package lab

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Score says how frame matches agree with the truth.
type Score struct {
	Pairs    []PairScore
	BadLines int // of captures that the case doesn't have, or of one with itself
}

// PairScore is the score of two captures.
type PairScore struct {
	A, B string
	// Required pairs (matches, seg), those of them that were claimed, claims that are wrong, and claims that are
	// neither required nor wrong.
	Required, Correct, Wrong, Allowed int
	// Frames that carry the same stream bytes through a proxy; counterparts of its handshakes and ends.
	Stream, StreamFound, Logical, LogicalFound int

	WrongList, MissingList [][2]int // frame numbers, ascending
}

// numberSet is a set of pairs of frame numbers.
type numberSet map[[2]int]bool

func setOf(lists ...[]Link) numberSet {
	s := numberSet{}
	for _, l := range lists {
		for _, x := range l {
			s[[2]int{x[0].number, x[1].number}] = true
		}
	}
	return s
}

func (s numberSet) add(t numberSet) numberSet {
	for k := range t {
		s[k] = true
	}
	return s
}

func (s numberSet) minus(t numberSet) numberSet {
	out := numberSet{}
	for k := range s {
		if !t[k] {
			out[k] = true
		}
	}
	return out
}

func (s numberSet) and(t numberSet) int {
	n := 0
	for k := range s {
		if t[k] {
			n++
		}
	}
	return n
}

// over composes two steps of a way.
func (s numberSet) over(t numberSet) numberSet {
	to := map[int][]int{}
	for k := range t {
		to[k[0]] = append(to[k[0]], k[1])
	}
	out := numberSet{}
	for k := range s {
		for _, z := range to[k[1]] {
			out[[2]int{k[0], z}] = true
		}
	}
	return out
}

func union(sets ...numberSet) numberSet {
	out := numberSet{}
	for _, s := range sets {
		out.add(s)
	}
	return out
}

// relation is what holds between the frames of two captures.
type relation struct{ required, allowed, stream, logical, seg numberSet }

func newRelation() *relation {
	return &relation{numberSet{}, numberSet{}, numberSet{}, numberSet{}, numberSet{}}
}

// relations relates all captures by index; edges are those that the truth lists.
func (c *Case) relations() (rel, edges map[[2]int]*relation) {
	rel, edges = map[[2]int]*relation{}, map[[2]int]*relation{}
	at := map[*Capture]int{}
	for i, p := range c.Captures {
		at[p] = i
	}
	for _, p := range c.Pairs {
		edges[[2]int{at[p.A], at[p.B]}] = &relation{setOf(p.Matches, p.Seg), setOf(p.Dups, p.Messages), setOf(p.Stream), setOf(p.Logical), setOf(p.Seg)}
	}
	n := len(c.Captures)
	for d := 1; d < n; d++ {
		for i := 0; i+d < n; i++ {
			j := i + d
			r := newRelation()
			for k := i + 1; k < j; k++ { // every last step k → j of a way from i to j
				if b := edges[[2]int{k, j}]; b != nil {
					r.way(rel[[2]int{i, k}], b)
				}
			}
			if e := edges[[2]int{i, j}]; e != nil {
				r = e.neighbour(r)
			} else {
				r.allowed, r.stream, r.logical = r.allowed.minus(r.required), r.stream.minus(r.required), r.logical.minus(r.required)
			}
			rel[[2]int{i, j}] = r
		}
	}
	return rel, edges
}

// way adds what goes over a and then b. Two resegmentations in a row need not overlap: allowed.
func (r *relation) way(a, b *relation) {
	required, both := a.required.over(b.required), a.seg.over(b.seg)
	allowed := union(union(a.required, a.allowed).over(union(b.required, b.allowed)), both)
	r.required.add(required.minus(both))
	r.allowed.add(allowed.minus(required.minus(both)))
	r.stream.add(union(a.required, a.stream).over(union(b.required, b.stream)).minus(required))
	r.logical.add(union(a.required, a.logical).over(union(b.required, b.logical)).minus(required))
	r.seg.add(union(a.seg.over(b.required), a.required.over(b.seg)))
}

// neighbour: what came by a third point is allowed between neighbours.
func (r *relation) neighbour(via *relation) *relation {
	return &relation{
		required: r.required,
		allowed:  union(r.allowed, union(via.required, via.allowed).minus(r.required)),
		stream:   union(r.stream, via.stream.minus(r.required)),
		logical:  union(r.logical, via.logical.minus(r.required)),
		seg:      r.seg,
	}
}

// Grade scores what `corr matches` prints, as shared/tools/grade.py does: neighbours always, other captures where
// something is claimed. It numbers the frames of c.
func Grade(c *Case, matches io.Reader) (Score, error) {
	c.number()
	claims, bad, err := c.claims(matches)
	if err != nil {
		return Score{}, err
	}
	s := Score{BadLines: bad}
	rel, edges := c.relations()
	for i := range c.Captures {
		for j := i + 1; j < len(c.Captures); j++ {
			k := [2]int{i, j}
			if edges[k] != nil || len(edges) == 0 || len(claims[k]) > 0 {
				s.Pairs = append(s.Pairs, score(c.Captures[i].File, c.Captures[j].File, rel[k], claims[k]))
			}
		}
	}
	return s, nil
}

func score(a, b string, r *relation, got numberSet) PairScore {
	allowed := union(r.allowed, r.stream, r.logical)
	wrong := got.minus(r.required).minus(allowed)
	missing := r.required.minus(got)
	return PairScore{
		A: a, B: b, Required: len(r.required), Correct: got.and(r.required), Wrong: len(wrong), Allowed: got.minus(r.required).and(allowed),
		Stream: len(r.stream), StreamFound: got.and(r.stream), Logical: len(r.logical), LogicalFound: got.and(r.logical),
		WrongList: wrong.sorted(), MissingList: missing.sorted(),
	}
}

func (s numberSet) sorted() [][2]int {
	out := make([][2]int, 0, len(s))
	for k := range s {
		out = append(out, k)
	}
	slices.SortFunc(out, func(x, y [2]int) int { return slices.Compare(x[:], y[:]) })
	return out
}

// claims reads TSV: capture, frame, peer_capture, peer_frame; the order of the ends doesn't matter.
func (c *Case) claims(r io.Reader) (map[[2]int]numberSet, int, error) {
	at := map[string]int{}
	for i, p := range c.Captures {
		at[p.File] = i
	}
	got, bad := map[[2]int]numberSet{}, 0
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		w := strings.Split(lines.Text(), "\t")
		if len(w) < 4 || strings.HasPrefix(w[0], "#") {
			continue
		}
		x, errX := strconv.Atoi(w[1])
		y, errY := strconv.Atoi(w[3])
		i, okI := at[filepath.Base(w[0])]
		j, okJ := at[filepath.Base(w[2])]
		if errX != nil || errY != nil || !okI || !okJ || i == j {
			bad++
			continue
		}
		if i > j {
			i, j, x, y = j, i, y, x
		}
		k := [2]int{i, j}
		if got[k] == nil {
			got[k] = numberSet{}
		}
		got[k][[2]int{x, y}] = true
	}
	return got, bad, lines.Err()
}

// Perfect reports whether every required pair was claimed and nothing wrong.
func (s Score) Perfect() bool {
	for _, p := range s.Pairs {
		if p.Wrong > 0 || p.Correct < p.Required {
			return false
		}
	}
	return s.BadLines == 0
}

// String is one line for each pair of captures, with the first mistakes.
func (s Score) String() string {
	var b strings.Builder
	for _, p := range s.Pairs {
		fmt.Fprintf(&b, "%s %s: required %d, correct %d, wrong %d, allowed %d, stream %d/%d, logical %d/%d", p.A, p.B,
			p.Required, p.Correct, p.Wrong, p.Allowed, p.StreamFound, p.Stream, p.LogicalFound, p.Logical)
		if len(p.WrongList) > 0 {
			fmt.Fprintf(&b, "; wrong %v", p.WrongList[:min(5, len(p.WrongList))])
		}
		if len(p.MissingList) > 0 {
			fmt.Fprintf(&b, "; missing %v", p.MissingList[:min(5, len(p.MissingList))])
		}
		b.WriteByte('\n')
	}
	if s.BadLines > 0 {
		fmt.Fprintf(&b, "%d lines name unknown captures\n", s.BadLines)
	}
	return b.String()
}

// Oracle writes the required pairs of all captures as `corr matches` would.
func (c *Case) Oracle(w io.Writer) error {
	c.number()
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, "#capture\tframe\tpeer_capture\tpeer_frame")
	rel, _ := c.relations()
	for i := range c.Captures {
		for j := i + 1; j < len(c.Captures); j++ {
			for _, x := range rel[[2]int{i, j}].required.sorted() {
				fmt.Fprintf(out, "%s\t%d\t%s\t%d\n", c.Captures[i].File, x[0], c.Captures[j].File, x[1])
			}
		}
	}
	return out.Flush()
}
