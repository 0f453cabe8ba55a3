// Package match finds each conversation's counterparts in other captures and each packet's counterparts in those.
//
// It takes the facts of two or more captures (package flow) and gives flows (conversations joined across captures) and,
// for each two neighbouring capture points, pairs of frames. It works in three steps that are separate functions:
//
//	Conversations   evidence keys → candidates → one-to-one assignment with a margin
//	Neighbours      which points a flow passes, in which order, in each direction
//	Packets         pairs of frames inside a pair of conversations
//
// No step uses the captures' clocks before package clock has related them; two conversations are joined by what they
// carry. What could be either of two is neither: ambiguity is reported, never resolved by guessing. Same input, same
// output, whatever the number of cores.
package match
