package main

import (
	"encoding/json"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/corr-dev/corr/backend/model"
	"github.com/corr-dev/corr/backend/report"
)

// showCommand prints a part of the document, for people or (--json) for programs.
func showCommand(name, usage, description string, text func(io.Writer, *model.Document, report.TextOptions) error, part func(*model.Document) any) *cli.Command {
	return &cli.Command{Name: name, Usage: usage, ArgsUsage: "DIR [--json]", Description: description,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "print it as in correlation.json"}},
		Action: func(c *cli.Context) error {
			dir, err := directory(c)
			if err != nil {
				return err
			}
			doc, err := model.Load(dir)
			if err != nil {
				return err
			}
			return buffered(c, func(w io.Writer) error {
				if !c.Bool("json") {
					return text(w, doc, textOptions(c.App.Writer, dir))
				}
				e := json.NewEncoder(w)
				e.SetIndent("", " ")
				return e.Encode(part(doc))
			})
		}}
}

func flowsCommand() *cli.Command {
	return showCommand("flows", "conversations: addresses at every point, outcome, who closed", `Those that failed come first.

examples
  corr flows out
  corr flows out --json | jq '.[] | select(.outcome != "ok")'`, report.TextFlows, func(d *model.Document) any { return d.Flows })
}

func findingsCommand() *cli.Command {
	return showCommand("findings", "what stands out, by weight, with the frames that prove it", `What explains a failure best comes first; consequences are folded under their cause.

examples
  corr findings out
  corr findings out --json | jq '.[0]'`, report.TextFindings, func(d *model.Document) any { return d.Findings })
}

func requestsCommand() *cli.Command {
	return showCommand("requests", "requests through a proxy, and where each one's time went", `For proxies that end TLS, pool connections or forward queries: the request in front and behind, the time from its first
frame to the answer's last in front of the proxy, and its parts: what the client's network took, the way through the
proxy to the point behind, what the backend took, the way back. The two ways between the captures hold the network
there and the proxy's own wait, and are exact to the clocks' bound; the rest is exact.

examples
  corr requests out
  corr requests out --json | jq 'sort_by(-.total_s)[0]'`, report.TextRequests, func(d *model.Document) any { return d.Requests })
}

func topologyCommand() *cli.Command {
	return showCommand("topology", "the points, what stands between them, delays and losses", `Routers are counted, devices named with what they change.

examples
  corr topology out
  corr topology out --json | jq '.segments[].middleboxes'`, report.TextTopology, func(d *model.Document) any {
		return struct {
			Captures []model.Capture `json:"captures"`
			Segments []model.Segment `json:"segments"`
		}{d.Captures, d.Segments}
	})
}
