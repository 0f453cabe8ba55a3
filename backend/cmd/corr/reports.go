package main

import (
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/corr-dev/corr/backend/anonymise"
	"github.com/corr-dev/corr/backend/model"
	"github.com/corr-dev/corr/backend/report"
)

func reportCommand() *cli.Command {
	return &cli.Command{Name: "report", Usage: "the report for engineers or for everyone", ArgsUsage: "DIR [options]",
		Description: `DIR holds report.html already; this makes it again for another reader, or one conversation's ladder.

examples
  corr report out --audience everyone -o for-the-boss.html
  corr report out --flow 1 --format svg -o ladder.svg`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "audience", Value: "engineer", Usage: "`engineer` or everyone: the depth that shows first"},
			&cli.UintFlag{Name: "flow", Usage: "conversation `N` (corr.flow)"},
			&cli.StringFlag{Name: "format", Value: "html", Usage: "`html`, svg (with --flow), md, pdf-ready or txt"},
			&cli.BoolFlag{Name: "anonymise", Usage: "replace addresses, names and what logs say"},
			&cli.StringFlag{Name: "anonymise-key", Usage: "anonymise by this `PASSPHRASE`: the same replacements each time"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE` instead of standard output"},
		},
		Action: func(c *cli.Context) error {
			dir, err := directory(c)
			if err != nil {
				return err
			}
			doc, err := model.Load(dir)
			if err != nil {
				return err
			}
			key, err := anonymiseKey(c)
			if err != nil {
				return err
			}
			if key != nil {
				if err := anonymise.Document(doc, *key); err != nil {
					return err
				}
			}
			print, err := reportPrinter(c, doc, dir)
			if err != nil {
				return err
			}
			if path := c.String("output"); path != "" {
				return toFile(path, print)
			}
			return buffered(c, print)
		}}
}

// reportPrinter chooses what to print.
func reportPrinter(c *cli.Context, doc *model.Document, dir string) (func(io.Writer) error, error) {
	audience, flow := c.String("audience"), uint32(c.Uint("flow"))
	if audience != "engineer" && audience != "everyone" {
		return nil, wrong("--audience %q is neither engineer nor everyone", audience)
	}
	if c.IsSet("flow") && report.FlowOf(doc, flow) == nil {
		return nil, wrong("no conversation %d in this result; corr flows %s lists them", flow, dir)
	}
	switch f := c.String("format"); f {
	case "html", "pdf-ready":
		return func(w io.Writer) error {
			return report.HTML(w, doc, report.HTMLOptions{Audience: audience, Flow: flow, Print: f == "pdf-ready"})
		}, nil
	case "svg":
		if !c.IsSet("flow") {
			return nil, wrong("--format svg draws one conversation; name it with --flow N")
		}
		return func(w io.Writer) error { return report.LadderSVG(w, doc, flow) }, nil
	case "md":
		return func(w io.Writer) error { return report.Markdown(w, doc, audience) }, nil
	case "txt":
		if audience == "everyone" {
			return func(w io.Writer) error { return report.TextPlain(w, doc, textOptions(c.App.Writer, dir)) }, nil
		}
		return func(w io.Writer) error { return report.Text(w, doc, textOptions(c.App.Writer, dir)) }, nil
	default:
		return nil, wrong("--format %q is none of html, svg, md, pdf-ready, txt", f)
	}
}

// toFile writes beside the place and moves the finished file there.
func toFile(path string, print func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-")
	if err != nil {
		return err
	}
	fail := func(err error) error {
		_ = f.Close() // the first error tells more
		_ = os.Remove(f.Name())
		return err
	}
	if err := print(f); err != nil {
		return fail(err)
	}
	if err := f.Chmod(0o644); err != nil {
		return fail(err)
	}
	if err := f.Close(); err != nil {
		return fail(err)
	}
	return os.Rename(f.Name(), path)
}

func ladderCommand() *cli.Command {
	return &cli.Command{Name: "ladder", Usage: "a conversation packet by packet, in the terminal", ArgsUsage: "DIR --flow N",
		Description: `One line down for each point and device; lost packets end in a cross, made-up ones begin at the device.

examples
  corr ladder out --flow 1
  corr ladder out --flow 1 | less -R`,
		Flags: []cli.Flag{&cli.UintFlag{Name: "flow", Usage: "conversation `N` (corr.flow); default: the first that failed"}},
		Action: func(c *cli.Context) error {
			dir, err := directory(c)
			if err != nil {
				return err
			}
			doc, err := model.Load(dir)
			if err != nil {
				return err
			}
			flow := uint32(c.Uint("flow"))
			if flow == 0 {
				flow = report.Worst(doc)
			}
			if report.FlowOf(doc, flow) == nil {
				return wrong("no conversation %d in this result; corr flows %s lists them", flow, dir)
			}
			return buffered(c, func(w io.Writer) error { return report.LadderText(w, doc, flow, textOptions(c.App.Writer, dir)) })
		}}
}

func logsCommand() *cli.Command {
	return showCommand("logs", "records of logs that are tied to conversations", `Records come from corr correlate --log FILE.

examples
  corr logs out
  corr logs out --json | jq '.[] | select(.action == "drop")'`, report.TextLogs, func(d *model.Document) any { return d.Logs })
}
