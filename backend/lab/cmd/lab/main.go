// Command lab writes a case of test traffic with its truth.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/corr-dev/corr/backend/lab"
)

const usage = `usage: lab [-from CASE | -ordered BETWEEN | -bulk KIND:FRAMES] [-apply SPECS] [-seed N] -o DIR

Without -from a case is made up from the seed. BETWEEN: DIR holds what scripts/record recorded, and this stands between
its points, routers and kinds: 5:nat64, or 1:softwire,2:softwire+source-nat. SPECS: transformations in order, separated by commas.

  lab -from testdata/snat-basic -apply 'snaplen=96@b,clock=3600s@b,vlan@b' -seed 7 -o /tmp/x
  lab -seed 42 -o /tmp/y
  lab -bulk mixed:1000000 -o /tmp/z     large captures, for measuring: mixed, short, one, alike, 16

`

func main() {
	from := flag.String("from", "", "recorded case to derive from")
	ordered := flag.String("ordered", "", "what stands between the points of a recording in DIR")
	closed := flag.String("closed", "", "ports that what stands there refuses in the server's place")
	bulk := flag.String("bulk", "", "kind and number of frames of large captures")
	apply := flag.String("apply", "", "transformations")
	seed := flag.Int64("seed", 1, "what is drawn by chance follows from this")
	out := flag.String("o", "", "folder to write")
	flag.Usage = func() {
		fmt.Fprint(os.Stderr, usage)
		flag.PrintDefaults()
		fmt.Fprintln(os.Stderr, "\ntransformations:")
		for _, t := range lab.Transforms() {
			head := t.Name
			if value, _, _ := strings.Cut(t.Usage, "@"); value != "" {
				head += "="
			}
			fmt.Fprintf(os.Stderr, "  %-60s %s\n", head+t.Usage, t.Doc)
		}
	}
	flag.Parse()
	if *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if *bulk != "" {
		if err := writeBulk(*bulk, *out); err != nil {
			fmt.Fprintln(os.Stderr, "lab:", err)
			os.Exit(1)
		}
		return
	}
	if err := write(*from, *ordered, *closed, *apply, *seed, *out); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func write(from, ordered, closed, apply string, seed int64, out string) error {
	c, err := source(from, ordered, closed, out, seed)
	if err != nil {
		return err
	}
	if err := c.Apply(apply, seed); err != nil {
		return err
	}
	if err := c.Write(out); err != nil {
		return err
	}
	fmt.Println(strings.Join(c.Paths(out), "\n"))
	return nil
}

func writeBulk(spec, out string) error {
	kind, frames, _ := strings.Cut(spec, ":")
	b, ok := lab.Bulks[kind]
	n, err := strconv.Atoi(frames)
	if !ok || err != nil || n < 1 {
		return fmt.Errorf("-bulk %q: write KIND:FRAMES, like mixed:1000000", spec)
	}
	b.Frames = n
	pairs, err := b.Write(out)
	if err == nil {
		fmt.Printf("%d packets are in both of the first two captures\n", pairs)
	}
	return err
}

func source(from, ordered, closed, out string, seed int64) (*lab.Case, error) {
	if ordered != "" {
		var ports []uint16
		for _, s := range strings.FieldsFunc(closed, func(r rune) bool { return r == ',' }) {
			n, err := strconv.ParseUint(s, 10, 16)
			if err != nil {
				return nil, err
			}
			ports = append(ports, uint16(n))
		}
		return lab.Ordered(out, strings.Split(ordered, ","), ports)
	}
	if from == "" {
		return lab.Random(seed, lab.Options{}), nil
	}
	return lab.Load(from)
}
