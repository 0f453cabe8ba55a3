package lab

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// Write writes the captures and truth.json into dir, which it makes.
func (c *Case) Write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, p := range c.Captures {
		f, err := os.Create(filepath.Join(dir, p.File))
		if err != nil {
			return err
		}
		err = p.encode(f, c.Ref)
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.File, err)
		}
	}
	b, err := c.Truth()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "truth.json"), b, 0o644)
}

// Paths gives the captures' paths under dir, in path order.
func (c *Case) Paths(dir string) []string {
	var out []string
	for _, p := range c.Captures {
		out = append(out, filepath.Join(dir, p.File))
	}
	return out
}

func (p *Capture) encode(f *os.File, ref int64) error {
	out := bufio.NewWriter(f)
	w := capturetest.NewWriter(out, capturetest.Options{
		Format: p.Format, BigEndian: p.BigEndian, Compress: p.Compress,
		Interface: capturetest.Interface{Link: p.Link, Null: p.Link == capture.LinkNull, Snaplen: p.Snaplen, Resolution: p.Units},
	})
	for _, f := range p.Frames {
		w.Frame(capturetest.Frame{Time: p.Clock.local(f.True, ref), OrigLen: f.OrigLen, Data: f.Data, Direction: f.Direction})
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.Flush()
}

// Truth gives truth.json.
func (c *Case) Truth() ([]byte, error) {
	c.number()
	doc := copyMap(c.rest)
	doc["case"], doc["ref_true_ns"] = c.Name, c.Ref
	if len(c.Applied) > 0 {
		doc["applied"] = c.Applied
	}
	var captures, pairs, flows []any
	for i, p := range c.Captures {
		captures = append(captures, p.truth(i))
	}
	for _, p := range append(c.neighbours(), c.bypasses()...) {
		pairs = append(pairs, p.truth())
	}
	at := c.at()
	for _, f := range c.Flows {
		flows = append(flows, c.flowTruth(f, at[f]))
	}
	doc["captures"], doc["pairs"], doc["flows"] = captures, orEmpty(pairs), orEmpty(flows)
	c.references().apply(doc)
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(doc); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (c *Case) bypasses() []*Pair {
	return slices.DeleteFunc(slices.Clone(c.Pairs), func(p *Pair) bool { return p.Around == "" })
}

func orEmpty(l []any) []any {
	if l == nil {
		return []any{}
	}
	return l
}

var linkNamesOf = map[capture.LinkType]string{
	capture.LinkEthernet: "EN10MB", capture.LinkSLL: "LINUX_SLL", capture.LinkSLL2: "LINUX_SLL2", capture.LinkRaw: "RAW",
	capture.LinkNull: "NULL", capture.LinkLoop: "LOOP", capture.LinkIPv4: "IPV4", capture.LinkIPv6: "IPV6",
}

func (p *Capture) truth(order int) map[string]any {
	m := copyMap(p.rest)
	m["file"], m["order"], m["where"], m["frames"] = p.File, order, p.Where, len(p.Frames)
	m["format"] = p.formatName()
	m["linktype"] = linkNamesOf[p.Link]
	m["routers_from_client"], m["routers_from_server"] = p.RoutersFromClient, p.RoutersFromServer
	clock := map[string]any{"offset_s": float64(p.Clock.Offset) / 1e9, "drift_ppm": p.Clock.PPM}
	var steps []any
	for _, s := range p.Clock.Steps {
		steps = append(steps, map[string]any{"true_ns": s.True, "step_s": float64(s.By) / 1e9})
	}
	if steps != nil {
		clock["steps"] = steps
	}
	m["clock"] = clock
	if p.Compress != "" {
		m["compression"] = p.Compress
	}
	if m["snaplen"] = p.Snaplen; p.Snaplen == 0 {
		m["snaplen"] = 262144
	}
	var first, last int64
	dirs := map[byte]int{}
	for i, f := range p.Frames {
		if i == 0 || f.True < first {
			first = f.True
		}
		if i == 0 || f.True > last {
			last = f.True
		}
		dirs[f.Dir]++
	}
	m["first_true_ns"], m["last_true_ns"] = first, last
	m["frames_forward"], m["frames_reverse"] = dirs['f'], dirs['r']
	copies := []any{}
	for _, l := range p.Copies {
		copies = append(copies, [2]int{l[0].number, l[1].number})
	}
	m["span_copies"] = copies
	return m
}

func (p *Capture) formatName() string {
	switch {
	case p.Format == capturetest.NanoPcap:
		return "nspcap"
	case p.Format == capturetest.PcapNG && p.Units != 0:
		return "nspcapng"
	case p.Format == capturetest.PcapNG:
		return "pcapng"
	}
	return "pcap"
}

func (p *Pair) truth() map[string]any {
	m := copyMap(p.rest)
	m["a"], m["b"], m["routers_between"], m["max_transit_ms"] = p.A.File, p.B.File, p.Routers, p.MaxTransitMS
	if p.Around != "" {
		m["around"] = p.Around
	}
	boxes := []any{}
	for _, b := range p.Middleboxes {
		boxes = append(boxes, b)
	}
	m["middleboxes"] = boxes
	counts := map[string]any{}
	for i, l := range p.lists() {
		if len(*l) == 0 && i > 4 {
			continue // messages, rewritten: only where there are any
		}
		m[linkNames[i]] = pairNumbers(*l)
		counts[linkNames[i]] = len(*l)
	}
	for s, name := range []string{"only_a", "only_b"} {
		lists, sizes := map[string][]int{}, map[string]int{}
		for reason, frames := range p.Only[s] {
			if len(frames) > 0 {
				lists[reason], sizes[reason] = numbers(frames), len(frames)
			}
		}
		m[name], counts[name] = lists, sizes
	}
	m["counts"], m["observed"] = counts, p.observed()
	return m
}

func pairNumbers(l []Link) [][2]int {
	out := make([][2]int, 0, len(l))
	for _, x := range l {
		out = append(out, [2]int{x[0].number, x[1].number})
	}
	slices.SortFunc(out, func(x, y [2]int) int {
		if x[0] != y[0] {
			return x[0] - y[0]
		}
		return x[1] - y[1]
	})
	return slices.Compact(out)
}

func numbers(frames []*Frame) []int {
	var out []int
	for _, f := range frames {
		out = append(out, f.number)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
