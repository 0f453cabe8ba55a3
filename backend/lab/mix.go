package lab

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
)

var mixTransform = Transform{"mix", "CASEDIR[/CAPTURE]", "adds the captures of an unrelated case: strangers", mix}

func mix(c *Case, a args) error {
	dir, only := a.value, ""
	if _, err := os.Stat(filepath.Join(dir, "truth.json")); err != nil {
		dir, only = filepath.Split(dir)
	}
	d, err := Load(dir)
	if err != nil {
		return err
	}
	keep := d.Captures
	if only != "" {
		p := d.Capture(only)
		if p == nil {
			return fmt.Errorf("%s has no capture %s", dir, only)
		}
		keep = []*Capture{p}
		d.Pairs = nil
	}
	for _, f := range d.Flows {
		f.ID += 100_000
		f.rest = without(f.rest, "first_close", "related", "connection", "alike", "requests")
	}
	at := d.at()
	for _, p := range keep {
		// Its clock is now related to this case's reference instant.
		p.Clock.Offset += int64(math.Round(float64(c.Ref-d.Ref) * p.Clock.PPM * 1e-6))
		p.File, p.loaded = d.Name+"-"+p.File, ""
		for _, f := range p.Frames {
			f.recorded = 0
		}
		c.Captures = append(c.Captures, p)
	}
	for _, f := range d.Flows {
		for _, p := range keep {
			if len(at[f][p]) > 0 {
				c.Flows = append(c.Flows, f)
				break
			}
		}
	}
	c.Pairs = append(c.Pairs, d.Pairs...)
	return nil
}
