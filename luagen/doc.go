// Package luagen makes corr.lua and the Wireshark profile.
//
// Takes: the field table (backend/field) and the Lua files of package plugin. Gives: one Lua file that registers the
// fields and shows what the corr.ann beside it says, and a folder with a profile. Before the Lua file is written, an
// interpreter with a mock of Wireshark's API loads it and asks it about frames that a corr.ann made for the purpose holds.
//
// Guarantees: the file depends on no capture, and parses as Lua 5.1, 5.2 and 5.4. Never: writes a plugin that does not
// load and answer.
package luagen
