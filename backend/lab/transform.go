package lab

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Transform changes a case and keeps its truth right.
type Transform struct {
	Name  string
	Usage string // value and place: "BYTES@CAPTURE"
	Doc   string
	apply func(*Case, args) error
}

// Transforms lists all of them by name.
func Transforms() []Transform {
	list := []Transform{
		clockTransform, driftTransform, stepTransform, unitsTransform, containerTransform, renameTransform,
		snaplenTransform, dropTransform, lateTransform, earlyTransform, filterTransform, removeTransform, mixTransform,
		spanTransform, anyTransform, disorderTransform,
		renumberTransform, ttlTransform, hopsTransform, isnTransform, ipidTransform, zerosumsTransform,
		natTransform, mssTransform,
		vlanTransform, qinqTransform, mplsTransform, greTransform, ipipTransform, vxlanTransform, geneveTransform,
		sllTransform, sll2Transform, rawTransform, nullTransform, loopTransform,
		fragmentTransform, groTransform,
		lossTransform, dupTransform, reorderTransform, idleTransform, outageTransform,
	}
	slices.SortFunc(list, func(x, y Transform) int { return strings.Compare(x.Name, y.Name) })
	return list
}

// Apply applies transformations in order: "snaplen=96@b,clock=3600s@b,vlan@b". The same specs and seed on the same case
// do the same.
func (c *Case) Apply(specs string, seed int64) error {
	err := c.apply(specs, seed)
	c.relax()
	return err
}

func (c *Case) apply(specs string, seed int64) error {
	all := map[string]Transform{}
	for _, t := range Transforms() {
		all[t.Name] = t
	}
	for _, spec := range strings.Split(specs, ",") {
		spec = strings.TrimSpace(spec)
		if spec == "" {
			continue
		}
		head, at, _ := strings.Cut(spec, "@")
		name, value, _ := strings.Cut(head, "=")
		t, ok := all[name]
		if !ok {
			return fmt.Errorf("lab: no transformation is called %q", name)
		}
		salt := strconv.Itoa(len(c.Applied)) + " " + spec
		if err := t.apply(c, args{c, spec, value, at, random(seed, salt)}); err != nil {
			return fmt.Errorf("lab: %s: %w", spec, err)
		}
		c.Applied = append(c.Applied, spec)
	}
	return nil
}

// args is what one transformation is called with.
type args struct {
	c         *Case
	spec      string
	value, at string
	*rand.Rand
}

// captures gives the captures named behind @: all without any.
func (a args) captures() ([]*Capture, error) {
	if a.at == "" || a.at == "*" {
		return a.c.Captures, nil
	}
	p := a.c.Capture(a.at)
	if p == nil {
		return nil, fmt.Errorf("no capture is called %q", a.at)
	}
	return []*Capture{p}, nil
}

// pair gives the neighbours named behind @ as a-b: the first ones without any.
func (a args) pair() (*Pair, error) {
	if a.at == "" && len(a.c.Pairs) > 0 {
		return a.c.Pairs[0], nil
	}
	x, y, _ := strings.Cut(a.at, "-")
	if p := a.c.pair(a.c.Capture(x), a.c.Capture(y)); p != nil && p.Around == "" {
		return p, nil
	}
	return nil, fmt.Errorf("%q are no neighbours; write a-b, the client's side first", a.at)
}

func (a args) float(otherwise float64) (float64, error) {
	if a.value == "" {
		return otherwise, nil
	}
	return strconv.ParseFloat(a.value, 64)
}

func (a args) integer(otherwise int) (int, error) {
	if a.value == "" {
		return otherwise, nil
	}
	return strconv.Atoi(a.value)
}

// duration reads "90s" or "-2ms", and "3y" as years of 365 days.
func duration(s string) (time.Duration, error) {
	if years, ok := strings.CutSuffix(s, "y"); ok {
		n, err := strconv.Atoi(years)
		return time.Duration(n) * 365 * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

// chance is true in so many per cent of the cases.
func (a args) chance(percent float64) bool { return a.Float64()*100 < percent }

// eachCapture applies f to the captures named.
func eachCapture(f func(*Case, *Capture, args) error) func(*Case, args) error {
	return func(c *Case, a args) error {
		l, err := a.captures()
		if err != nil {
			return err
		}
		for _, p := range l {
			if err := f(c, p, a); err != nil {
				return err
			}
		}
		return nil
	}
}
