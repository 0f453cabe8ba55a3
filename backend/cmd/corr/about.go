package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"github.com/corr-dev/corr/backend/field"
)

func fieldsCommand() *cli.Command {
	return &cli.Command{Name: "fields", Usage: "the corr.* fields that Wireshark shows", ArgsUsage: "[--json | --markdown]",
		Description: `examples
  corr fields
  corr fields --markdown > fields.md
  corr fields --json`,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print JSON"}, &cli.BoolFlag{Name: "markdown", Usage: "print a reference page"}},
		Action: func(c *cli.Context) error {
			return buffered(c, func(w io.Writer) error {
				switch {
				case c.Bool("json"):
					return field.WriteJSON(w)
				case c.Bool("markdown"):
					return field.WriteMarkdown(w)
				}
				return field.WriteText(w, textOptions(c.App.Writer, "").Width)
			})
		}}
}

// release is set when a release is built: -ldflags "-X main.release=v1.2.3".
var release string

// version is the release, else what the Go tool knows of the source.
func version() string {
	if release != "" {
		return release
	}
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v, dirty := "", ""
	for _, s := range b.Settings {
		switch s.Key {
		case "vcs.revision":
			v = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "+"
			}
		}
	}
	if v != "" {
		return v + dirty
	}
	if m := b.Main.Version; m != "" && m != "(devel)" {
		return m
	}
	return "development"
}

func versionCommand() *cli.Command {
	return &cli.Command{Name: "version", Usage: "version and build", Description: "examples\n  corr version\n  corr version | cut -d' ' -f2", Action: func(c *cli.Context) error {
		return buffered(c, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "corr %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		})
	}}
}
