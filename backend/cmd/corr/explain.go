package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/model"
	"github.com/corr-dev/corr/backend/report"
)

func explainCommand() *cli.Command {
	return &cli.Command{Name: "explain", Usage: "what is claimed of one frame, and why", ArgsUsage: "DIR CAPTURE:FRAME",
		Description: `CAPTURE is a point's label or its file's name; FRAME counts from 1 as in Wireshark.

examples
  corr explain out client:17
  corr explain out server.pcapng:6`,
		Action: explain}
}

func explain(c *cli.Context) error {
	if c.NArg() != 2 {
		return wrong("corr explain takes a result folder and a frame, %d arguments given: corr explain DIR CAPTURE:FRAME", c.NArg())
	}
	dir := c.Args().First()
	if err := model.CheckDir(dir); err != nil {
		return err
	}
	f, err := annotate.Open(filepath.Join(dir, "corr.ann"))
	if err != nil {
		return err
	}
	defer f.Close() // only read from
	doc, err := model.Load(dir)
	if err != nil {
		return err
	}
	point, n, err := frameArg(f, c.Args().Get(1))
	if err != nil {
		return err
	}
	fr, cl, err := f.Frame(point, n)
	if err != nil {
		return err
	}
	return buffered(c, func(w io.Writer) error { return writeExplanation(w, f, doc, point, n, &fr, &cl) })
}

// frameArg reads CAPTURE:FRAME.
func frameArg(f *annotate.File, arg string) (point int, n capture.FrameNo, err error) {
	at := strings.LastIndexByte(arg, ':')
	if at < 0 {
		return 0, 0, wrong("%q names no frame; write CAPTURE:FRAME, as in client:17", arg)
	}
	k, err := strconv.ParseUint(arg[at+1:], 10, 32)
	if err != nil || k == 0 {
		return 0, 0, wrong("%q is no frame number; frames count from 1", arg[at+1:])
	}
	var names []string
	for i := range f.Tables.Points {
		p := &f.Tables.Points[i]
		names = append(names, p.Name)
		if s := arg[:at]; s == p.Name || s == p.Cell || s == p.File || s == filepath.Base(p.File) {
			if uint32(k) > p.Frames {
				return 0, 0, wrong("%s has %d frames, there is no frame %d", p.Name, p.Frames, k)
			}
			return i, capture.FrameNo(k), nil
		}
	}
	return 0, 0, wrong("no capture %q in this result; there are %s", arg[:at], strings.Join(names, ", "))
}

// writeExplanation prints a frame's annotation as sentences.
func writeExplanation(w io.Writer, f *annotate.File, doc *model.Document, point int, n capture.FrameNo, fr *annotate.Frame, cl *annotate.Class) error {
	name := func(p int) string { return report.Escape(f.Tables.Points[p].Name) }
	var err error
	say := func(label, format string, args ...any) {
		if err == nil {
			_, err = fmt.Fprintf(w, "  %-12s %s\n", label, report.Escape(fmt.Sprintf(format, args...)))
		}
	}
	if _, err = fmt.Fprintf(w, "%s:%d\n", name(point), n); err != nil {
		return err
	}
	var fl *model.Flow
	for i := range doc.Flows {
		if doc.Flows[i].ID == fr.Flow {
			fl = &doc.Flows[i]
		}
	}
	x := fr.Extra
	if x == nil {
		x = &annotate.Extra{}
	}
	if x.Message != "" {
		say("message", "%s", x.Message)
	}
	if fr.Flow != 0 {
		say("flow", "%d%s", fr.Flow, flowText(fl))
	}
	fate := cl.Fate
	if cl.FateWhere != "" {
		fate += ", " + cl.FateWhere
	}
	if cl.Confidence >= 0 {
		fate += fmt.Sprintf(" (%d %%)", cl.Confidence)
	}
	say("fate", "%s", fate)
	if cl.Origin != "" {
		say("made by", "%s", cl.Origin)
	}
	if fr.Peer != 0 {
		say("peer", "%s:%d, %s%s", f.Tables.Points[cl.PeerPoint].Name, fr.Peer, cl.Match, delayText(fr.HasDelay, fr.Delay, cl.DelayError))
	}
	for _, p := range x.Peers {
		say("peer", "%s:%d, %s%s", f.Tables.Points[p.Point].Name, p.Frame, p.Match, delayText(p.HasDelay, p.Delay, -1))
	}
	if cl.Hops >= 0 {
		say("hops", "%d routers from the sender, initial TTL %d", cl.Hops, cl.TTLInitial)
	}
	if cl.Middlebox != "" {
		say("middlebox", "%s", cl.Middlebox)
	}
	for _, t := range f.ChangedText(point, fr, cl) {
		say("changed", "%s", t)
	}
	if fr.Peer == 0 || cl.Fate == "outside" || cl.Fate == "filtered" { // a point in between may not have it
		for _, t := range whyAlone(f, doc, point, n, fr, cl) {
			say("because", "%s", t)
		}
	}
	if fl != nil && fr.Peer != 0 {
		for _, e := range evidenceAt(fl.Evidence, f.Tables.Points[point].Name) {
			say("because", "%s", e)
		}
	}
	for _, k := range x.Findings {
		say("finding", "%s: %s", f.Tables.Findings[k].ID, f.Tables.Findings[k].Title)
	}
	for _, k := range x.Logs {
		say("log", "%s", f.Tables.Logs[k].Text)
	}
	return err
}

// evidenceAt are the lines of a conversation's evidence that speak of a point, all if none does: of many points, those on the other
// side of the path tell nothing of its frame.
func evidenceAt(all []string, point string) []string {
	var out []string
	for _, e := range all {
		if strings.HasPrefix(e, point+" and ") || strings.Contains(e, " and "+point+": ") {
			out = append(out, e)
		}
	}
	if out == nil {
		return all
	}
	return out
}

func flowText(f *model.Flow) string {
	if f == nil {
		return ""
	}
	s := ", " + f.Proto + ", " + f.Outcome
	if f.App != "" {
		s += ", " + f.App
	}
	return s
}

func delayText(has bool, ns, bound int64) string {
	if !has {
		return ""
	}
	s := fmt.Sprintf(", %.3f ms", float64(ns)/1e6)
	if bound >= 0 {
		s += fmt.Sprintf(" ± %.3f ms", float64(bound)/1e6)
	}
	return s
}

// whyAlone says why a frame without counterpart has the fate it has.
func whyAlone(f *annotate.File, doc *model.Document, point int, n capture.FrameNo, fr *annotate.Frame, cl *annotate.Class) []string {
	from, to, ok := strings.Cut(cl.FateWhere, " > ")
	agree := "agrees with this one in what the path keeps (numbers, identification, payload)"
	switch {
	case cl.Fate == "lost" && ok:
		return []string{fmt.Sprintf("its conversation passes %s, which was recording, and no packet there %s", to, agree)}
	case cl.Fate == "injected" && ok:
		return []string{fmt.Sprintf("its conversation passes %s, which was recording, and no packet there %s: it was made in between", from, agree)}
	case cl.Fate == "consumed" && ok:
		return []string{fmt.Sprintf("it ends between %s and %s: what stands there answers or drops such packets", from, to)}
	case cl.Fate == "outside":
		return notRecording(f, doc, point, n, fr)
	}
	if s := map[string]string{
		"filtered":  "the other captures hold no frame of its kind: their capture filters hide it",
		"elsewhere": "no packet of its conversation in this direction passes another point",
		"duplicate": "an earlier frame of this capture is the same packet, recorded twice (mirror port, interface any)",
		"local":     "frames of its kind never leave the link",
		"unknown":   "nothing tells whether it reached another point: packets there may be this one or another that is equal to it, the recorder there missed frames, or a snapshot length took what would tell",
	}[cl.Fate]; s != "" {
		return []string{s}
	}
	return nil
}

// notRecording lists the points that were not recording when a frame passed.
func notRecording(f *annotate.File, doc *model.Document, point int, n capture.FrameNo, fr *annotate.Frame) []string {
	at, ok := f.Tables.Points[point].Ref(n, fr.Time)
	if !ok {
		return nil
	}
	var out []string
	for i := range doc.Captures {
		c := &doc.Captures[i]
		if c.Name == f.Tables.Points[point].Name || c.Clock.OffsetS == nil || c.FirstNS == nil || c.LastNS == nil {
			continue
		}
		offset, jumped := int64(*c.Clock.OffsetS*1e9), int64(0)
		for _, s := range c.Clock.Steps {
			jumped += int64(s.StepS * 1e9)
		}
		if before := *c.FirstNS - offset - at; before > 0 {
			out = append(out, fmt.Sprintf("%s starts to record %s later", c.Name, span(before)))
		} else if after := at - (*c.LastNS - offset - jumped); after > 0 {
			out = append(out, fmt.Sprintf("the last frame of %s is %s earlier", c.Name, span(after)))
		}
	}
	return out
}

func span(ns int64) string {
	return time.Duration(ns).Round(time.Microsecond).String()
}
