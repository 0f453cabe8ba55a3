package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// completionCommand prints a completion script made from the table of commands.
func completionCommand() *cli.Command {
	return &cli.Command{Name: "completion", Usage: "completion of commands and flags for bash, zsh or fish", ArgsUsage: "bash|zsh|fish", Hidden: true,
		Description: `examples
  corr completion bash > /etc/bash_completion.d/corr
  corr completion fish > ~/.config/fish/completions/corr.fish`,
		Action: func(c *cli.Context) error {
			return buffered(c, func(w io.Writer) error {
				switch s := c.Args().First(); s {
				case "bash":
					return writeBash(w, c.App)
				case "zsh":
					if _, err := io.WriteString(w, "#compdef corr\nautoload -U +X bashcompinit && bashcompinit\n"); err != nil {
						return err
					}
					return writeBash(w, c.App)
				case "fish":
					text, err := c.App.ToFishCompletion()
					if err != nil {
						return err
					}
					_, err = io.WriteString(w, text)
					return err
				default:
					return wrong("no completion for %q; there are bash, zsh and fish", s)
				}
			})
		}}
}

func writeBash(w io.Writer, app *cli.App) error {
	var names []string
	var flags strings.Builder
	for _, c := range app.Commands {
		if c.Hidden {
			continue
		}
		names = append(names, c.Name)
		var fs []string
		for _, f := range c.VisibleFlags() {
			for _, n := range f.Names() {
				fs = append(fs, strings.Repeat("-", min(2, len(n)))+n)
			}
		}
		fmt.Fprintf(&flags, "    %s) words=%q ;;\n", c.Name, strings.Join(fs, " "))
	}
	_, err := fmt.Fprintf(w, `_corr() {
  local cur=${COMP_WORDS[COMP_CWORD]} words=""
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W %q -- "$cur"))
    return
  fi
  case ${COMP_WORDS[1]} in
%s  esac
  case $cur in
    -*) COMPREPLY=($(compgen -W "$words" -- "$cur")) ;;
    *) COMPREPLY=($(compgen -f -- "$cur")) ;;
  esac
}
complete -o filenames -F _corr corr
`, strings.Join(names, " "), flags.String())
	return err
}

// manCommand prints the manual page made from the table of commands.
func manCommand() *cli.Command {
	return &cli.Command{Name: "man", Usage: "the manual page, in troff", Hidden: true, Description: "examples\n  corr man | man -l -\n  corr man > corr.1",
		Action: func(c *cli.Context) error {
			text, err := c.App.ToManWithSection(1)
			if err != nil {
				return err
			}
			return buffered(c, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
		}}
}
