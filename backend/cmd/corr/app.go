package main

import (
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// newApp is the table of commands.
func newApp(in io.Reader, out, errs io.Writer) *cli.App {
	app := &cli.App{
		Name: "corr", HelpName: "corr", Usage: "correlates captures of the same traffic from several points, frame by frame",
		Version: version(), HideVersion: true, HideHelpCommand: true, Suggest: true,
		Reader: in, Writer: out, ErrWriter: errs,
		ExitErrHandler: func(*cli.Context, error) {},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return unknown(c.App, c.Args().First())
			}
			return buffered(c, func(w io.Writer) error { _, err := io.WriteString(w, overview); return err })
		},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error { return wrong("%s; see corr --help", err) },
	}
	cli.HelpPrinter = printHelp
	app.Commands = []*cli.Command{correlateCommand(), indexCommand(), matchesCommand(), messagesCommand(), requestsCommand(), framesCommand(), flowsCommand(), findingsCommand(),
		topologyCommand(), explainCommand(), logsCommand(), reportCommand(), ladderCommand(),
		openCommand(), installCommand(), uninstallCommand(), doctorCommand(), demoCommand(), fieldsCommand(), versionCommand(), completionCommand(), manCommand()}
	for _, c := range app.Commands {
		c.OnUsageError = func(cc *cli.Context, err error, _ bool) error {
			return wrong("%s; see corr %s --help", err, cc.Command.Name)
		}
		c.HideHelpCommand = true
	}
	return app
}

// unknown suggests the command that was meant.
func unknown(app *cli.App, name string) error {
	var names []string
	for _, c := range app.Commands {
		names = append(names, c.Name)
	}
	if s := nearest(name, names); s != "" {
		return wrong("no command %q; did you mean corr %s?", name, s)
	}
	return wrong("no command %q; corr --help lists them: %s", name, strings.Join(names, ", "))
}

// nearest is the name with the least edit distance, if that is small.
func nearest(s string, names []string) string {
	best, at := 3, ""
	for _, n := range names {
		if d := distance(s, n); d < best {
			best, at = d, n
		}
	}
	return at
}

// distance is the edit distance of Levenshtein (1965).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		prev := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			prev, row[j] = row[j], min(row[j]+1, row[j-1]+1, prev+cost)
		}
	}
	return row[len(b)]
}
