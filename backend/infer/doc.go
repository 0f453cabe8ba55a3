// Package infer draws the conclusions: where packets went, what stands between the points, how conversations ended and
// who ended them, and the findings an expert would write on the flip chart, each with its proof.
//
// It takes flows and pairs of frames (package match) and the clocks (package clock) and gives a Verdict. Rules are small
// files, one a kind; each names the frames that it rests on and how sure it is. What can't be known is said to be
// unknown: a wrong statement is worse than none. It never reads a file.
package infer
