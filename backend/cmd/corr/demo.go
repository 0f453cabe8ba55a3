package main

import (
	"embed"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/corr-dev/corr/backend/pipeline"
	"github.com/corr-dev/corr/backend/report"
)

// The demo's captures: a recorded case, a connection that a firewall ended.
//
//go:embed demo/*
var demoFiles embed.FS

func demoCommand() *cli.Command {
	return &cli.Command{Name: "demo", Usage: "the whole on a case that is built in, without any file of yours", ArgsUsage: "[-o DIR]",
		Description: `Writes two captures of one broken connection and their correlation to DIR (default corr-demo).

examples
  corr demo
  corr demo -o /tmp/demo && tshark -r /tmp/demo/client.pcap -X lua_script:/tmp/demo/out/corr.lua -Y corr.finding`,
		Flags: []cli.Flag{&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Value: "corr-demo", Usage: "write to `DIR` (default corr-demo)"}},
		Action: func(c *cli.Context) error {
			dir := c.String("output")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			o := pipeline.Options{Out: filepath.Join(dir, "out"), Version: version()}
			for _, x := range []struct{ label, file string }{{"client", "client.pcap"}, {"server", "server.pcapng"}} {
				b, err := demoFiles.ReadFile("demo/" + x.file)
				if err != nil {
					return err
				}
				path := filepath.Join(dir, x.file)
				if err := os.WriteFile(path, b, 0o644); err != nil {
					return err
				}
				o.Inputs = append(o.Inputs, pipeline.Input{Label: x.label, Path: path})
			}
			doc, err := pipeline.Correlate(c.Context, o)
			if err != nil {
				return err
			}
			return buffered(c, func(w io.Writer) error {
				if err := report.Text(w, doc, textOptions(c.App.Writer, o.Out)); err != nil {
					return err
				}
				_, err := fmt.Fprintf(w, "\nin tshark: tshark -r %s -X lua_script:%s -Y corr.middlebox\n", filepath.Join(dir, "client.pcap"), filepath.Join(o.Out, "corr.lua"))
				return err
			})
		}}
}
