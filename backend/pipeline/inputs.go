package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// point is a capture point of this job.
type point struct {
	path string
	name string // label: given, or made from the file's name
	cell string // what tables print: the file's base name, or what tells it apart
}

// resolve checks the inputs and names the points.
func resolve(inputs []Input) ([]point, error) {
	if len(inputs) < 2 {
		return nil, failed(2, "two or more captures are needed, %d given: corr correlate CLIENT SERVER", len(inputs))
	}
	var infos []os.FileInfo
	pipes := 0
	for _, in := range inputs {
		if in.Path == "-" {
			if pipes++; pipes > 1 {
				return nil, failed(2, "standard input (-) can be one capture only")
			}
			infos = append(infos, nil)
			continue
		}
		fi, err := os.Stat(in.Path)
		if err != nil {
			return nil, failed(1, "%s: %s", in.Path, reason(err))
		}
		if fi.IsDir() {
			return nil, failed(1, "%s: is a directory; name the capture file in it", in.Path)
		}
		for k, o := range infos {
			if o != nil && os.SameFile(o, fi) {
				return nil, failed(2, "%s and %s are the same file; give the captures of two points", inputs[k].Path, in.Path)
			}
		}
		infos = append(infos, fi)
	}
	// An index goes by the name of the capture that it was made of.
	shown := slices.Clone(inputs)
	for i := range shown {
		if file := indexed(shown[i].Path); file != "" {
			shown[i].Path = filepath.Join(filepath.Dir(shown[i].Path), file)
		}
	}
	ps, err := name(shown)
	for i := range ps {
		ps[i].path = inputs[i].Path
	}
	return ps, err
}

// reason is the cause of a file error without the operation and path that Go puts before it.
func reason(err error) string {
	switch {
	case os.IsNotExist(err):
		return "no such file"
	case os.IsPermission(err):
		return "permission denied; it can't be read by this user"
	}
	if pe := (*os.PathError)(nil); errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// name gives every point a label of its own and a cell of its own.
func name(inputs []Input) ([]point, error) {
	ps := make([]point, len(inputs))
	labels := map[string]int{}
	for i, in := range inputs {
		ps[i].path = in.Path
		ps[i].name = in.Label
		if in.Label != "" {
			if k, used := labels[in.Label]; used {
				return nil, failed(2, "label %q is given twice, for %s and %s", in.Label, inputs[k].Path, in.Path)
			}
			labels[in.Label] = i
		}
	}
	auto := distinct(inputs, func(in Input) string { return stem(base(in.Path)) })
	for i := range ps {
		if ps[i].name == "" {
			n := auto[i]
			for k := 2; ; k++ {
				if j, used := labels[n]; !used || j == i {
					break
				}
				n = auto[i] + "-" + strconv.Itoa(k)
			}
			ps[i].name = n
			labels[n] = i
		}
	}
	cells := distinct(inputs, func(in Input) string { return base(in.Path) })
	count := map[string]int{}
	for _, in := range inputs {
		count[base(in.Path)]++
	}
	for i, in := range inputs {
		ps[i].cell = cells[i]
		if count[base(in.Path)] > 1 && in.Label != "" {
			ps[i].cell = in.Label
		}
	}
	return ps, nil
}

func base(path string) string {
	if path == "-" {
		return "stdin"
	}
	return filepath.Base(path)
}

// stem is a file's name without the endings of captures and compression.
func stem(s string) string {
	for {
		switch e := filepath.Ext(s); strings.ToLower(e) {
		case ".gz", ".zst", ".lz4", ".pcap", ".pcapng", ".cap", ".ntar", ".dmp", ".corridx":
			if s == e {
				return s
			}
			s = strings.TrimSuffix(s, e)
		default:
			return s
		}
	}
}

// distinct shortens every path to short(path), with as many folders before it as are needed to tell those that are
// shortened alike apart.
func distinct(inputs []Input, short func(Input) string) []string {
	out := make([]string, len(inputs))
	folders := make([][]string, len(inputs))
	for i, in := range inputs {
		out[i] = short(in)
		if abs, err := filepath.Abs(in.Path); err == nil && in.Path != "-" {
			folders[i] = strings.Split(filepath.ToSlash(filepath.Dir(abs)), "/")
		}
	}
	for depth := 1; depth < 64; depth++ {
		seen := map[string]int{}
		for _, s := range out {
			seen[s]++
		}
		again := false
		for i := range out {
			if seen[out[i]] > 1 && len(folders[i]) >= depth {
				out[i] = strings.Join(folders[i][len(folders[i])-depth:], "/") + "/" + short(inputs[i])
				again = true
			}
		}
		if !again {
			break
		}
	}
	// Whatever is still alike is one name through different links, or standard input beside a file of that name.
	seen := map[string]int{}
	for i, s := range out {
		if seen[s]++; seen[s] > 1 {
			out[i] = s + "#" + strconv.Itoa(seen[s])
		}
	}
	return out
}
