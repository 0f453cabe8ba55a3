package main

import (
	"bufio"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/corr-dev/corr/backend/report"
)

// The rules of the terminal: results to standard output, everything else to standard error. Colour and progress only
// where a person looks: a terminal, and NO_COLOR not set (no-color.org). Width from the terminal, else 80. A reader that
// goes away (head) ends corr quietly.

// textOptions says how to print for whoever reads out.
func textOptions(out io.Writer, dir string) report.TextOptions {
	o := report.TextOptions{Dir: dir, Width: 80}
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return o
	}
	o.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w >= 40 {
		o.Width = w
	}
	return o
}

// buffered prints through a buffer and flushes it.
func buffered(c *cli.Context, print func(w io.Writer) error) error {
	w := bufio.NewWriterSize(c.App.Writer, 1<<16)
	if err := print(w); err != nil {
		return err
	}
	return w.Flush()
}

// oneLine joins a message to one line without control characters: it may quote names from the user or a file.
func oneLine(s string) string {
	return report.Escape(strings.Join(strings.Fields(strings.ReplaceAll(s, "\n", "; ")), " "))
}
