package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// Load reads a case: a folder with truth.json and the captures that it names.
func Load(dir string) (*Case, error) {
	data, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // times in ns don't fit a float64
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%s: truth.json: %w", dir, err)
	}
	c := &Case{Name: filepath.Base(filepath.Clean(dir)), Ref: integer(doc["ref_true_ns"])}
	for _, m := range objects(doc["captures"]) {
		p, err := loadCapture(dir, m, c.Ref)
		if err != nil {
			return nil, err
		}
		c.Captures = append(c.Captures, p)
	}
	for _, m := range objects(doc["pairs"]) {
		p, err := c.loadPair(m)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		c.Pairs = append(c.Pairs, p)
	}
	for _, m := range objects(doc["flows"]) {
		c.Flows = append(c.Flows, c.loadFlow(m))
	}
	for _, a := range list(doc["applied"]) {
		c.Applied = append(c.Applied, text(a))
	}
	c.rest = without(doc, "captures", "pairs", "flows", "case", "ref_true_ns", "applied")
	c.member()
	return c, nil
}

func loadCapture(dir string, m map[string]any, ref int64) (*Capture, error) {
	p := &Capture{
		File: text(m["file"]), loaded: text(m["file"]), Where: text(m["where"]),
		RoutersFromClient: count(m["routers_from_client"]), RoutersFromServer: count(m["routers_from_server"]),
		rest: without(m, "file", "order", "where", "format", "linktype", "frames", "routers_from_client", "routers_from_server",
			"clock", "first_true_ns", "last_true_ns", "span_copies", "snaplen", "frames_forward", "frames_reverse"),
	}
	clock := object(m["clock"])
	p.Clock = Clock{Offset: int64(math.Round(number(clock["offset_s"]) * 1e9)), PPM: number(clock["drift_ppm"])}
	for _, s := range objects(clock["steps"]) {
		p.Clock.Steps = append(p.Clock.Steps, Step{integer(s["true_ns"]), int64(math.Round(number(s["step_s"]) * 1e9))})
	}
	if n := integer(m["snaplen"]); n < 262144 {
		p.Snaplen = uint32(n)
	}
	p.Compress = text(m["compression"])
	half := capture.LocalTime(500) // recorders cut to the µs: the middle is the best guess, and writes back the same
	switch text(m["format"]) {
	case "nspcap":
		p.Format, half = capturetest.NanoPcap, 0
	case "pcapng":
		p.Format = capturetest.PcapNG
	case "nspcapng":
		p.Format, p.Units, half = capturetest.PcapNG, capturetest.Nanoseconds, 0
	}
	if err := p.loadFrames(filepath.Join(dir, p.File), half, ref); err != nil {
		return nil, err
	}
	for _, l := range list(m["span_copies"]) {
		two := list(l)
		p.Copies = append(p.Copies, [2]*Frame{p.Frames[integer(two[0])-1], p.Frames[integer(two[1])-1]})
	}
	return p, nil
}

func (p *Capture) loadFrames(path string, half capture.LocalTime, ref int64) error {
	r, err := capture.Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	var k capture.Packet
	for {
		if err := r.Next(&k); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		p.Link = k.Link
		p.Frames = append(p.Frames, &Frame{
			True: p.Clock.truth(k.Time+half, ref), Data: slices.Clone(k.Data), OrigLen: k.OrigLen,
			Direction: k.Direction, recorded: int(k.Number),
		})
	}
}

func (c *Case) loadPair(m map[string]any) (*Pair, error) {
	p := &Pair{
		A: c.Capture(text(m["a"])), B: c.Capture(text(m["b"])), Around: text(m["around"]),
		Routers: count(m["routers_between"]), MaxTransitMS: number(m["max_transit_ms"]),
		Middleboxes: objects(m["middleboxes"]), Only: newOnly(),
		rest: without(m, "a", "b", "around", "routers_between", "max_transit_ms", "middleboxes", "counts", "observed", "matches", "seg",
			"dups", "stream", "logical", "messages", "rewritten", "only_a", "only_b"),
	}
	if p.A == nil || p.B == nil {
		return nil, fmt.Errorf("truth.json: a pair of %v and %v, which it doesn't list", m["a"], m["b"])
	}
	ends := [2]*Capture{p.A, p.B}
	for i, name := range linkNames {
		for _, l := range list(m[name]) {
			two := list(l)
			x, y := integer(two[0]), integer(two[1])
			if x < 1 || y < 1 || x > int64(len(p.A.Frames)) || y > int64(len(p.B.Frames)) {
				return nil, fmt.Errorf("truth.json: %s of %s and %s: no frames %d and %d", name, p.A.File, p.B.File, x, y)
			}
			links := p.lists()[i]
			*links = append(*links, Link{p.A.Frames[x-1], p.B.Frames[y-1]})
		}
	}
	for s, name := range []string{"only_a", "only_b"} {
		for reason, l := range object(m[name]) {
			for _, n := range list(l) {
				p.Only[s][reason] = append(p.Only[s][reason], ends[s].Frames[integer(n)-1])
			}
		}
	}
	return p, nil
}

// linkNames are the names of Pair.lists in truth.json.
var linkNames = []string{"matches", "seg", "dups", "stream", "logical", "messages", "rewritten"}

func (c *Case) loadFlow(m map[string]any) *Flow {
	f := &Flow{
		ID: int(integer(m["id"])), Proto: text(m["proto"]), Initiator: text(m["initiator"]), Outcome: text(m["outcome"]),
		at: map[*Capture]map[string]any{}, rest: without(m, "id", "proto", "initiator", "outcome", "at"),
	}
	for name, a := range object(m["at"]) {
		if p := c.Capture(name); p != nil && a != nil {
			f.at[p] = object(a)
		}
	}
	return f
}

func without(m map[string]any, names ...string) map[string]any {
	m = maps.Clone(m)
	for _, n := range names {
		delete(m, n)
	}
	return m
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func objects(v any) []map[string]any {
	var out []map[string]any
	for _, x := range list(v) {
		out = append(out, object(x))
	}
	return out
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func integer(v any) int64 {
	n, _ := v.(json.Number)
	i, err := n.Int64()
	if err != nil {
		return int64(number(v))
	}
	return i
}

func number(v any) float64 {
	n, _ := v.(json.Number)
	f, _ := n.Float64()
	return f
}

// count is a number that may be null.
func count(v any) *int {
	if v == nil {
		return nil
	}
	n := int(integer(v))
	return &n
}
