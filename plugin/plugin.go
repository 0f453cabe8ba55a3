// Package plugin holds the Lua that runs inside Wireshark: small files that share one table, corr. Package luagen puts
// them together in this order, after the field table.
package plugin

import "embed"

// Files are the Lua files.
//
//go:embed *.lua
var Files embed.FS

// Order is the order in which the files build upon each other.
var Order = []string{"bytes.lua", "clock.lua", "store.lua", "records.lua", "recognise.lua", "values.lua", "menus.lua", "dissector.lua"}
