// Package model is a correlation as a document: the Go form of correlation.json.
//
// It takes nothing and computes nothing. The engine fills a Document, package report and the commands that read a
// result directory work from it alone, so that a correlation can be looked at without its captures. Names in the JSON
// are a promise (docs/formats.md): fields may be added, never renamed.
//
// Absent is not zero: a number that may be unknown is a pointer, and null in the JSON.
package model
