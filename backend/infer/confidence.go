package infer

import (
	"math"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// JointConfidence is the percentage that two captures' conversations are one: from the bits of evidence, and from how
// far the runner-up lies behind. A margin of m bits leaves a chance of 1 in 2^m that the runner-up is the right one.
func JointConfidence(j *match.Joint) int {
	bits := j.Score / 2
	if j.Rival.Capture >= 0 {
		bits = min(bits, j.Margin)
	}
	if bits <= 0 {
		return 50
	}
	return min(99, int(100*(1-math.Exp2(-bits-1))))
}

// FlowConfidence is the percentage of a flow's weakest joint between neighbours; 100 for a flow of one capture, where
// nothing is claimed.
func (v *Verdict) FlowConfidence(f *match.Flow) int {
	c := 100
	for _, p := range f.Path {
		for i := 0; i+1 < len(p); i++ {
			if j := f.Joint(p[i], p[i+1]); j != nil {
				c = min(c, JointConfidence(j))
			}
		}
	}
	return c
}

// PairConfidence is the percentage that two frames are counterparts: that of their conversations and of the way that
// the frames were paired.
func (v *Verdict) PairConfidence(f *match.Flow, a, b int, how match.How) int {
	c := how.Confidence()
	if j := f.Joint(a, b); j != nil {
		c = c * JointConfidence(j) / 99
	}
	return min(c, 100)
}

// FateConfidence is the percentage of what is said of a frame without counterpart.
func (v *Verdict) FateConfidence(f *match.Flow, m Mark) int {
	switch m.Fate {
	case FateLocal, FateDuplicate:
		return 99
	case FateOutside, FateConsumed, FateInjected:
		return 95
	case FateLost, FateDelivered:
		return 90
	case FateUnknown:
		return -1
	}
	return 80
}

// Toward reports whether packets of direction d of f travel from a to b; ok is false where that is not known.
func (v *Verdict) Toward(f *match.Flow, d, a, b int) (toB, ok bool) {
	at, to := -1, -1
	for k, c := range f.Path[d] {
		if c == a {
			at = k
		}
		if c == b {
			to = k
		}
	}
	if at >= 0 && to >= 0 {
		return at < to, true
	}
	if j := f.Joint(a, b); j != nil && j.Way != 0 {
		return way(j, a, d) > 0, true
	}
	return false, false
}

// PairError is the bound, in ns, of times that compare two captures; -1 where their clocks are not related.
func (v *Verdict) PairError(a, b int) int64 {
	x, y := &v.Clocks.Of[a], &v.Clocks.Of[b]
	if !x.Known || !y.Known {
		return -1
	}
	for k, l := range v.Links {
		if e := v.Clocks.Links[k]; e != nil && e.Known && (l.A == a && l.B == b || l.A == b && l.B == a) {
			return min(e.Error, x.Error+y.Error)
		}
	}
	return x.Error + y.Error
}

// HopsBetween is the number of routers between two points that a packet passed: the difference of its TTL, where
// nothing in between made it anew; Unknown otherwise.
func (v *Verdict) HopsBetween(f *match.Flow, a, b int, x, y *flow.Fact, how match.How) int {
	if how == match.HowRelayed || how == match.HowLogical {
		return Unknown
	}
	return abs(int(x.TTL) - int(y.TTL))
}
