// Package clock relates the clocks of captures to each other.
//
// It takes paired frames (package match) and gives, for each capture, the offset and drift of its clock against that of
// the first point, each with a bound. A packet can't arrive before it was sent, so every pair bounds the offset from one
// side (Paxson 1998); the lower envelopes of both directions give drift and offset (Moon, Skelly, Towsley 1999; Zhang,
// Liu, Xia 2002). Relayed pairs bound causally in the same way. No time leaves this package without its error; clocks that
// no link relates directly are related over several, at one instant (local.go); where traffic went one way only, there is
// no bound and so no offset. Pairs that the clocks speak against are taken out again.
package clock
