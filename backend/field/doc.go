// Package field is the one table of every field that corr gives Wireshark.
//
// Takes: nothing. Gives: name, type, unit, meaning, source and example of each corr.* field, in the order in which the
// packet tree shows them, and the table as text and as Markdown.
//
// Guarantees: every other list of fields (the Lua registration, docs/fields.md, `corr fields`, colour rules) is made
// from this one or checked against it. Never: knows captures or correlations.
package field
