package infer

import (
	"slices"

	"github.com/corr-dev/corr/backend/match"
)

// sameRecorder reports whether two captures are pieces of what one recorder wrote.
func (v *Verdict) sameRecorder(a, b int) bool { return v.Pieces[a] == v.Pieces[b] }

// once is a path without the other pieces of what the recorder of c wrote.
func (v *Verdict) once(p []int, c int) []int {
	if !v.inPieces {
		return p
	}
	return slices.DeleteFunc(slices.Clone(p), func(x int) bool { return x != c && v.sameRecorder(x, c) })
}

// recorders is a path with one point for each recorder, whatever pieces it wrote.
func (v *Verdict) recorders(p []int) []int {
	out := make([]int, 0, len(p))
	for _, c := range p {
		if !slices.Contains(out, v.Pieces[c]) {
			out = append(out, v.Pieces[c])
		}
	}
	return out
}

// neighbours calls fn for each two points that follow each other on a path: of what one recorder wrote, each piece with each of the
// next one's.
func (v *Verdict) neighbours(p []int, fn func(a, b int)) {
	if !v.inPieces {
		for i := 0; i+1 < len(p); i++ {
			fn(p[i], p[i+1])
		}
		return
	}
	q := v.recorders(p)
	for i := 0; i+1 < len(q); i++ {
		for _, a := range p {
			for _, b := range p {
				if v.Pieces[a] == q[i] && v.Pieces[b] == q[i+1] {
					fn(a, b)
				}
			}
		}
	}
}

// next is the point behind place k of a path for a frame there, -1 for none.
func (v *Verdict) next(p []int, k int) int {
	for _, x := range p[k+1:] {
		if !v.sameRecorder(x, p[k]) {
			return x
		}
	}
	return -1
}

// pieceHas reports whether some piece of what the recorder of a capture wrote holds a flow.
func (v *Verdict) pieceHas(f *match.Flow, x int) bool {
	for y, s := range f.Sides {
		if s != nil && v.sameRecorder(x, y) {
			return true
		}
	}
	return false
}

// pieceMatches reports whether another piece of what the recorder of o wrote holds the counterpart of a frame of c.
func (v *Verdict) pieceMatches(c, o int, i uint32) bool {
	if !v.inPieces {
		return false
	}
	for y := range v.Caps {
		if y != o && v.sameRecorder(y, o) && v.matched(c, y, i) {
			return true
		}
	}
	return false
}

// piece is the piece of what the recorder of o wrote that a frame of c belongs in, as far as one of them was being written then.
func (v *Verdict) piece(o, c int, i uint32) int {
	for y := range v.Caps {
		if v.sameRecorder(y, o) && !v.outsideOf(y, c, i) {
			return y
		}
	}
	return o
}
