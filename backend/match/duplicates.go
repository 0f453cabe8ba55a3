package match

import (
	"cmp"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
)

// copyWithin is how far behind its original a copy may lie: a SPAN port or a second interface sees a packet within
// microseconds, seldom more than some milliseconds; TCP repeats nothing so soon with the same identification.
const copyWithin = 20_000_000 // ns

// copyAhead is how many packets of its conversation may lie between a copy and its original, this one counted.
const copyAhead = 16

// latestBits is how many bits of a packet's sum tell whether there may be a like one among the last copyAhead: some 6 % have by chance.
const latestBits = 8

// systematic is the share of packets with an exact copy from which a capture is taken to double everything, so that
// copies without an IP identification are copies too.
const systematic = 0.25

// MarkDuplicates marks frames that are copies of an earlier frame of the same capture. It reports whether a router
// recorded itself: it sees most packets before and after it decrements their TTL.
func MarkDuplicates(c *flow.Capture) (router bool) {
	var exact []uint32
	var unsure []likeness
	var gaps []capture.LocalTime // between copies and originals
	seen, stepped := 0, 0
	// By a few bits of sum: the latest packet, as place + 1, that had them. Most packets are like none of those before them.
	var latest [1 << latestBits]uint32
	for id := range c.Convs {
		from, to := c.Span(flow.ConvID(id))
		var lately [copyAhead]uint32
		for i := from; i < to; i++ {
			seen++
			f := c.At(i)
			if f.IPID == 0 && (f.Short() && f.Ack == 0 || f.Is(flow.MarkCut) && f.Seq|f.Ack|f.Full|f.Head == 0) {
				continue // nothing is there that tells it from the next one
			}
			sum := f.Seq ^ f.Ack<<7 ^ f.Full ^ uint32(f.IPID)<<16
			slot := i % copyAhead
			older := &latest[sum*0x9e3779b1>>(32-latestBits)]
			before := *older
			*older = i + 1
			if before <= from || i+1-before > copyAhead {
				lately[slot] = sum
				continue
			}
			for k := uint32(1); k <= min(copyAhead, i-from); k++ {
				if lately[(slot-k)%copyAhead] != sum {
					continue
				}
				g := c.At(i - k)
				if f.Time()-g.Time() > 10*copyWithin {
					break // even where records stand a little out of order, none further back is near
				}
				if g.Is(flow.MarkDuplicate) || !sameFrame(f, g) || abs(int64(f.Time()-g.Time())) > copyWithin {
					continue
				}
				later := i
				if f.Time() < g.Time() { // records may stand out of the order of time
					later = i - k
				}
				if f.TTL != g.TTL {
					stepped++
				}
				if f.IPID != 0 {
					exact = append(exact, later)
					c.MarkCopy(later)
				} else {
					unsure = append(unsure, likeness{i, i - k})
				}
				if len(gaps) < gapsMost {
					gaps = append(gaps, max(f.Time()-g.Time(), g.Time()-f.Time()))
				}
				break
			}
			lately[slot] = sum
		}
	}
	if float64(len(exact)+len(unsure)) > systematic*float64(seen) {
		markUnnamed(c, unsure, usualGap(gaps))
	}
	return float64(stepped) > systematic*float64(seen)
}

const (
	gapsMost  = 1 << 12 // copies whose distance is looked at
	gapsLeast = 8       // of them that tell what is usual
	// gapTimes is by how much a copy may be later than usual, with gapLeast, ns, at least: recorders are no better.
	gapTimes = 4
	gapLeast = 100_000
)

// usualGap is how far behind its original a copy lies at most in a capture that holds all twice, by what nine in ten of them do.
func usualGap(l []capture.LocalTime) capture.LocalTime {
	if len(l) < gapsLeast {
		return copyWithin
	}
	slices.Sort(l)
	return min(copyWithin, max(gapLeast, gapTimes*l[len(l)*9/10]))
}

// likeness says that a packet without identification is the same as one before it.
type likeness struct{ later, earlier uint32 }

// markUnnamed marks the copies among packets that bear no identification, where a capture holds all twice. l ascends in what is
// later; within is how far behind its original a copy lies.
func markUnnamed(c *flow.Capture, l []likeness, within capture.LocalTime) {
	var open [][]uint32 // packets that are all the same, by group; none lies further back than copyAhead
	for _, k := range l {
		at := -1
		for i := len(open) - 1; i >= 0; i-- {
			switch g := open[i]; {
			case slices.Contains(g[max(0, len(g)-copyAhead):], k.earlier):
				at = i
			case g[len(g)-1]+copyAhead < k.later:
				markGroup(c, g, within)
				open = slices.Delete(open, i, i+1)
				if at > i {
					at--
				}
			}
		}
		if at < 0 {
			open = append(open, []uint32{k.earlier, k.later})
		} else {
			open[at] = append(open[at], k.later)
		}
	}
	for _, g := range open {
		markGroup(c, g, within)
	}
}

// markGroup marks the copies among packets that are all the same. What came on a second interface, or on its way out, is a copy
// of what came on the first, or in; without such a difference each but the first is taken for one, and what comes later than a copy
// does for sent once more.
func markGroup(c *flow.Capture, g []uint32, within capture.LocalTime) {
	slices.SortStableFunc(g, func(x, y uint32) int { return cmp.Compare(c.At(x).Time(), c.At(y).Time()) })
	first := c.LinkID(g[0])
	on := 0
	for _, i := range g {
		if c.LinkID(i) == first {
			on++
		}
	}
	var last capture.LocalTime // the last one that is no copy
	for k, i := range g {
		f := c.At(i)
		switch again := k == 0 || f.Time()-last > within; {
		case on*2 == len(g) && c.LinkID(i) != first, on*2 != len(g) && !again:
			c.MarkCopy(i)
		case again:
			last = f.Time()
		}
	}
}

// sameFrame reports whether two facts of a conversation are one packet seen twice. The TTL may differ: a router that
// records all its interfaces sees a packet before and after it decrements.
func sameFrame(f, g *flow.Fact) bool {
	return f.Dir() == g.Dir() && f.IPID == g.IPID && f.Seq == g.Seq && f.Ack == g.Ack && f.Flags() == g.Flags() && f.Len() == g.Len() &&
		f.Window == g.Window && f.TSval == g.TSval && f.Opt == g.Opt && f.Full == g.Full && f.Mark|flow.MarkDuplicate == g.Mark|flow.MarkDuplicate
}
