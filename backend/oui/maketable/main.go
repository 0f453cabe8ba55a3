// Command maketable makes package oui's table from the registries' CSV files; scripts/oui runs it.
//
//	maketable OUT oui.csv mam.csv oui36.csv
package main

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: maketable OUT CSV...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "maketable:", err)
		os.Exit(1)
	}
}

func run(out string, in []string) error {
	var lines []string
	for _, path := range in {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		r := csv.NewReader(f)
		r.FieldsPerRecord = -1
		for {
			rec, err := r.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if len(rec) < 3 || rec[0] == "Registry" || rec[2] == "IEEE Registration Authority" || rec[2] == "Private" {
				continue
			}
			lines = append(lines, strings.ToLower(rec[1])+"\t"+strings.Join(strings.Fields(rec[2]), " ")+"\n")
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	slices.Sort(lines)
	o, err := os.Create(out)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(o, gzip.BestCompression)
	if err != nil {
		return err
	}
	for _, l := range slices.Compact(lines) {
		if _, err := io.WriteString(z, l); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	return o.Close()
}
