// Package compose puts conclusions into the outputs' words.
//
// It takes a Verdict (package infer) with the points' names and gives the document (package model, correlation.json) and
// what package annotate writes of every frame. It concludes nothing: whatever it says stands in the Verdict.
//
// Same Verdict, same output, whatever the number of cores. Where there are more conversations than anyone reads, the
// document lists those that failed, then the others up to a limit, and says so; annotations cover all.
package compose
