// Package flow turns one capture into facts: what every packet says, in a fixed 44 bytes, and the conversations they
// belong to, numbered as Wireshark numbers them.
//
// It takes a capture.Reader and gives a Capture. Memory is bounded by the number of packets and conversations plus a
// fixed budget of payload bytes kept for naming messages and comparing streams; payload beyond it is represented by
// hashes only. Facts lie in the order of conversations (arrange.go). A Capture can be sealed (sealed.go): its payload taken
// away, its hashes keyed; and a sealed one be written and read back (index.go). It never looks at a second capture: package
// match does.
package flow
