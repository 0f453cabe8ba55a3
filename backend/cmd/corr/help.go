package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

const overview = `corr correlates captures of the same traffic from several points, frame by frame.

  corr correlate client.pcapng server.pcapng -o out
  tshark -r client.pcapng -X lua_script:out/corr.lua -Y corr.middlebox

No synchronised clocks, no NAT table, no order of files is needed.

Correlate
  correlate   match captures, write the Wireshark plugin and the report
  index       a capture without its payload, to be correlated elsewhere
Read a result
  findings    what went wrong and why, with frames as proof
  flows       conversations with both sides' addresses and their outcome
  topology    points, routers and devices between them
  explain     what is claimed of one frame, and why
  matches     every pair of frames, as TSV
  messages    application messages and their counterparts, as TSV
  requests    requests through a proxy, and where their time went
  frames      every frame's fate, time and hops, as TSV
  logs        records of logs that are tied to conversations
  ladder      one conversation packet by packet, in the terminal
  report      the report again, for engineers or for everyone
Wireshark
  open        one window a point, with plugin and profile
  install     plugin and profile into your Wireshark folders
  uninstall   remove them without a trace
  doctor      find what keeps corr.* fields from showing
Help
  demo        the whole on a case that is built in
  fields      the corr.* fields that Wireshark shows
  version     version and build

corr COMMAND --help shows a command's options and examples.
`

// printHelp prints hand-written help: purpose, usage and examples stand in Description, options follow.
func printHelp(w io.Writer, _ string, data any) {
	c, ok := data.(*cli.Command)
	if !ok {
		fmt.Fprint(w, overview)
		return
	}
	fmt.Fprintf(w, "%s\n\nusage: corr %s %s\n\n%s\n", c.Usage, c.Name, c.ArgsUsage, strings.TrimSpace(c.Description))
	if len(c.VisibleFlags()) > 0 {
		fmt.Fprint(w, "\noptions\n")
	}
	for _, f := range c.VisibleFlags() {
		names := ""
		for i, n := range f.Names() {
			if i > 0 {
				names += ", "
			}
			names += strings.Repeat("-", min(2, len(n))) + n
		}
		d, ok := f.(cli.DocGenerationFlag)
		if !ok {
			continue
		}
		value, text := placeholder(d.GetUsage())
		if d.TakesValue() {
			names += " " + value
		}
		fmt.Fprintf(w, "  %-20s %s\n", names, text)
	}
}

// placeholder takes the value's name, in backquotes, out of a flag's text.
func placeholder(s string) (name, text string) {
	a := strings.IndexByte(s, '`')
	b := strings.LastIndexByte(s, '`')
	if a < 0 || b <= a {
		return "VALUE", s
	}
	return s[a+1 : b], s[:a] + s[a+1:b] + s[b+1:]
}
