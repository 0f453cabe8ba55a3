package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/corr-dev/corr/backend/pipeline"
)

func indexCommand() *cli.Command {
	return &cli.Command{
		Name: "index", Usage: "write what corr needs of a capture, without its payload, to a small file that can be sent",
		ArgsUsage: "CAPTURE [-o FILE.corridx] [--key FILE]",
		Description: `Where a capture lies and must not leave, or is too large to, an index of it can: the facts of every packet, the
names of messages (SNI, request lines), and of the payload nothing but hashes by a key. corr correlate takes indexes and
captures alike, and gives the same result. All that is compared must be sealed with one key: without --key it is your own,
made at first use; take the file that is named along to where the other captures are. Who has no key can correlate indexes
all the same, but not test guesses at what was sent.

examples
  corr index server.pcapng -o server.corridx
  corr correlate client.pcapng server.corridx -o out`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE` (default: the capture's name with .corridx); an earlier index is replaced"},
			&cli.StringFlag{Name: "key", Usage: "key `FILE`: any secret of 16 bytes or more"},
			&cli.StringSliceFlag{Name: "keylog", Usage: "TLS key log `FILE`: what it opens is read now, the index holds neither keys nor plaintext; may be repeated"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing but errors"},
		},
		Action: indexCapture,
	}
}

func indexCapture(c *cli.Context) error {
	if c.NArg() != 1 {
		return wrong("corr index takes one capture: corr index CAPTURE -o FILE.corridx")
	}
	p := newProgress(c.App.ErrWriter, c.Bool("quiet"))
	out, key, err := pipeline.Index(c.Context, pipeline.IndexOptions{Path: c.Args().First(), Out: c.String("output"), Key: c.String("key"),
		Keylogs: c.StringSlice("keylog"), Progress: p})
	p.done()
	if err != nil || c.Bool("quiet") {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s\nsealed with %s: other captures must be indexed with the same key\n", oneLine(out), oneLine(key))
	return err
}
