// Package index seals captures: it turns one into a file that can be compared with others and holds no payload.
//
// It takes a flow.Capture and a key, has the other packages read of its payload what they want (package match keys and
// PROXY headers, package exchange requests and answers, package infer the names of messages), takes the payload away and
// writes the rest, compressed, as a .corridx (docs/formats.md). Reading gives the same back. What is compared between
// captures are keyed hashes: all files of a job must be sealed with one key.
package index
