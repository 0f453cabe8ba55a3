package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/corr-dev/corr/backend/anonymise"
	"github.com/corr-dev/corr/backend/pipeline"
	"github.com/corr-dev/corr/backend/report"
)

func correlateCommand() *cli.Command {
	return &cli.Command{
		Name: "correlate", Usage: "match captures of the same traffic frame by frame and write what Wireshark needs to show it",
		ArgsUsage: "[LABEL=]CAPTURE [LABEL=]CAPTURE ... [options]",
		Description: `Captures may be pcap or pcapng, plain or compressed (gzip, zstd, lz4), or indexes of such (corr index), in
any order; - reads standard input. Labels name the points; without one the file's name does.

examples
  corr correlate client.pcapng server.pcapng -o out
  corr correlate client=a.pcap fw-in=b.pcapng fw-out=c.pcapng server=d.pcap.gz -o out --log firewall.log`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "corr-out", Usage: "write the result to `DIR` (default corr-out); an earlier result of corr is replaced"},
			&cli.StringSliceFlag{Name: "log", Usage: "tie the records of log `FILE` (or FORMAT=FILE) to frames; may be repeated"},
			&cli.StringFlag{Name: "log-map", Usage: "names of a generic log's fields: `src=…,dst=…,time=…`"},
			&cli.StringSliceFlag{Name: "keylog", Usage: "TLS key log `FILE` (SSLKEYLOGFILE format); may be repeated"},
			&cli.BoolFlag{Name: "anonymise", Usage: "replace addresses, names and what logs say in correlation.json and report.html; corr.ann, which serves beside the captures, keeps them"},
			&cli.StringFlag{Name: "anonymise-key", Usage: "anonymise by this `PASSPHRASE`: the same replacements each time; without one they differ each time"},
			&cli.StringFlag{Name: "key", Usage: "key `FILE` that the indexes among the captures were made with (corr index), where it isn't your own"},
			&cli.StringFlag{Name: "memory", Usage: "stay below `SIZE` of memory, e.g. 512M or 4G; what is more lies in a temporary file (TMPDIR) and takes longer"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing but errors"},
		},
		Action: correlate,
	}
}

func correlate(c *cli.Context) error {
	o := pipeline.Options{Out: c.String("output"), Logs: c.StringSlice("log"), LogMap: c.String("log-map"), Keylogs: c.StringSlice("keylog"), IndexKey: c.String("key"), Version: version()}
	for _, a := range c.Args().Slice() {
		o.Inputs = append(o.Inputs, input(a))
	}
	if m := c.String("memory"); m != "" {
		n, ok := size(m)
		if !ok {
			return wrong("--memory %q is no size; write 512M or 4G", m)
		}
		o.Memory = n
	}
	key, err := anonymiseKey(c)
	if err != nil {
		return err
	}
	o.Anonymise = key
	p := newProgress(c.App.ErrWriter, c.Bool("quiet"))
	o.Progress = p
	doc, err := pipeline.Correlate(c.Context, o)
	p.done()
	if err != nil || c.Bool("quiet") {
		return err
	}
	for _, n := range doc.Summary.Notes {
		if _, err := fmt.Fprintln(c.App.ErrWriter, "corr: "+oneLine(n)); err != nil {
			return err
		}
	}
	return buffered(c, func(w io.Writer) error { return report.Text(w, doc, textOptions(c.App.Writer, o.Out)) })
}

// input splits LABEL=CAPTURE. A file whose name holds a = is a file all the same.
func input(arg string) pipeline.Input {
	if _, err := os.Stat(arg); err == nil {
		return pipeline.Input{Path: arg}
	}
	label, path, ok := strings.Cut(arg, "=")
	if !ok || label == "" || strings.ContainsAny(label, "/\\") {
		return pipeline.Input{Path: arg}
	}
	return pipeline.Input{Label: label, Path: path}
}

// size reads 512M, 4G, 1024K, 100000.
func size(s string) (int64, bool) {
	unit := int64(1)
	t := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s), "B"), "I")
	if n := len(t); n > 0 {
		if k := strings.IndexByte("KMGT", t[n-1]); k >= 0 {
			unit <<= 10 * (k + 1)
			t = t[:n-1]
		}
	}
	n, err := strconv.ParseFloat(t, 64)
	if err != nil || n <= 0 || n*float64(unit) > 1<<60 {
		return 0, false
	}
	return int64(n * float64(unit)), true
}

// anonymiseKey is the key that the options ask for, nil for none.
func anonymiseKey(c *cli.Context) (*[anonymise.KeySize]byte, error) {
	if !c.Bool("anonymise") && !c.IsSet("anonymise-key") {
		return nil, nil
	}
	pass := c.String("anonymise-key")
	if c.IsSet("anonymise-key") && pass == "" {
		return nil, wrong("--anonymise-key needs a passphrase")
	}
	if pass == "" {
		pass = rand.Text()
	}
	key := anonymise.Key(pass)
	return &key, nil
}
