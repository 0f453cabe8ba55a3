package main

import (
	"io"

	"github.com/urfave/cli/v2"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/model"
	"path/filepath"
)

// directory is the one argument of commands that read a result.
func directory(c *cli.Context) (string, error) {
	if c.NArg() != 1 {
		return "", wrong("corr %s takes one result folder, %d arguments given: corr %s DIR", c.Command.Name, c.NArg(), c.Command.Name)
	}
	dir := c.Args().First()
	return dir, model.CheckDir(dir)
}

// tableCommand prints corr.ann as a table.
func tableCommand(name, usage, description string, write func(io.Writer, *annotate.File) error) *cli.Command {
	return &cli.Command{Name: name, Usage: usage, ArgsUsage: "DIR", Description: description, Action: func(c *cli.Context) error {
		dir, err := directory(c)
		if err != nil {
			return err
		}
		f, err := annotate.Open(filepath.Join(dir, "corr.ann"))
		if err != nil {
			return err
		}
		defer f.Close() // only read from
		return buffered(c, func(w io.Writer) error { return write(w, f) })
	}}
}

func matchesCommand() *cli.Command {
	return tableCommand("matches", "every pair of frames that are one packet, as TSV", `Columns: capture, frame, peer_capture, peer_frame, match, confidence, delay_ns. A line for each pair, the capture
earlier on the path first. match: identical, rewritten, resegmented, relayed.

examples
  corr matches out | head
  corr matches out | awk -F'\t' '$5 == "rewritten"'`, annotate.WriteMatches)
}

func messagesCommand() *cli.Command {
	return tableCommand("messages", "application messages and their counterparts behind a proxy, as TSV", `Columns: capture, frame, peer_capture, peer_frame, kind, confidence. kind: request, response, query, answer.

examples
  corr messages out
  corr messages out | awk -F'\t' '$6 >= 90'`, annotate.WriteMessages)
}

func framesCommand() *cli.Command {
	return tableCommand("frames", "every frame's conversation, fate, origin, time and hops, as TSV", `Columns: capture, frame, flow, fate, origin, time_ns (reference clock), hops. An empty cell is not known.

examples
  corr frames out | awk -F'\t' '$4 == "lost"'
  corr frames out | cut -f4 | sort | uniq -c`, annotate.WriteFrames)
}
