package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/corr-dev/corr/backend/model"
	"github.com/corr-dev/corr/backend/pipeline"
	"github.com/corr-dev/corr/backend/report"
	"github.com/corr-dev/corr/backend/wireshark"
)

func openCommand() *cli.Command {
	return &cli.Command{Name: "open", Usage: "open the captures in Wireshark with plugin and profile", ArgsUsage: "DIR [LABEL]",
		Description: `One window for each point, or for LABEL only, on the first conversation that failed. Nothing is installed.

examples
  corr open out
  corr open out server`,
		Action: func(c *cli.Context) error {
			if c.NArg() < 1 || c.NArg() > 2 {
				return wrong("corr open takes a result folder and maybe a point, %d arguments given: corr open DIR [LABEL]", c.NArg())
			}
			dir, label := c.Args().Get(0), c.Args().Get(1)
			doc, err := model.Load(dir)
			if err != nil {
				return err
			}
			ws, err := windows(doc, label)
			if err != nil {
				return err
			}
			_, err = wireshark.Open(dir, ws)
			return err
		}}
}

// windows lists what to open: every point on the first conversation that failed.
func windows(doc *model.Document, label string) ([]wireshark.Window, error) {
	var bad *model.Flow
	for i := range doc.Flows {
		if o := doc.Flows[i].Outcome; o != "ok" && o != "open" {
			bad = &doc.Flows[i]
			break
		}
	}
	var out []wireshark.Window
	var names []string
	for i := range doc.Captures {
		p := &doc.Captures[i]
		names = append(names, p.Name)
		if label != "" && label != p.Name {
			continue
		}
		if _, err := os.Stat(p.File); err != nil {
			return nil, fmt.Errorf("%s: is no longer there; open it by hand with -X lua_script", p.File)
		}
		if pipeline.IsIndex(p.File) {
			if label != "" || i+1 == len(doc.Captures) && len(out) == 0 {
				return nil, fmt.Errorf("%s: is an index; open the capture that it was made of, where that lies, with -X lua_script:corr.lua", p.File)
			}
			continue
		}
		w := wireshark.Window{Capture: p.File}
		if bad != nil && bad.At[p.Name] != nil {
			w.Frame = bad.At[p.Name].First
		}
		out = append(out, w)
	}
	if len(out) == 0 {
		return nil, wrong("no point %q in this result; there are %s", label, strings.Join(names, ", "))
	}
	return out, nil
}

func installCommand() *cli.Command {
	return &cli.Command{Name: "install", Usage: "put plugin and profile into your Wireshark folders", ArgsUsage: "DIR",
		Description: `Several results may be installed: each is found by the frames of the file that is opened.

examples
  corr install out
  corr install out && wireshark -C corr client.pcapng`,
		Action: func(c *cli.Context) error {
			dir, err := directory(c)
			if err != nil {
				return err
			}
			f := wireshark.Here()
			name, err := wireshark.Install(dir, f)
			if err != nil {
				return err
			}
			return buffered(c, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "installed as %s in %s, profile corr in %s\nnext: wireshark -C corr CAPTURE\n", name, f.Plugins, f.Config)
				return err
			})
		}}
}

func uninstallCommand() *cli.Command {
	return &cli.Command{Name: "uninstall", Usage: "remove what corr install put there, and nothing else", Description: "examples\n  corr uninstall\n  corr uninstall && corr doctor",
		Action: func(c *cli.Context) error {
			n, err := wireshark.Uninstall(wireshark.Here())
			if err != nil {
				return err
			}
			return buffered(c, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%d files removed\n", n)
				return err
			})
		}}
}

func doctorCommand() *cli.Command {
	return &cli.Command{Name: "doctor", Usage: "find what keeps corr.* fields from showing", ArgsUsage: "[DIR]",
		Description: `Looks for Wireshark, its version and Lua, its folders, whether it runs as root (from 4.4 on no Lua is loaded then),
and whether the plugin of DIR loads. Exit code 1 if something must be mended.

examples
  corr doctor
  corr doctor out`,
		Action: func(c *cli.Context) error {
			bad := 0
			err := buffered(c, func(w io.Writer) error {
				for _, x := range wireshark.Doctor(wireshark.Here(), c.Args().First()) {
					mark := "ok  "
					if !x.OK {
						mark = "MEND"
						bad++
					}
					line := mark + "  " + report.Escape(x.What)
					if x.Mend != "" {
						line += "; " + report.Escape(x.Mend)
					}
					if _, err := fmt.Fprintln(w, line); err != nil {
						return err
					}
				}
				return nil
			})
			if err == nil && bad > 0 {
				return cli.Exit("", 1)
			}
			return err
		}}
}
