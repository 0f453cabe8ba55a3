// Package pipeline runs the stages in order: capture, decode, flow, match, clock, infer, annotate, report.
//
// It takes the captures' paths and options and gives a result directory (corr.ann, corr.lua, correlation.json,
// report.html, profile/) and the document it holds. It knows the order of the stages and nothing of their insides; the
// directory appears whole or not at all.
package pipeline
