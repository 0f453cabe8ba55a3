package logs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Source is one log.
type Source struct {
	Path   string // "-": standard input
	Format string // "": recognised
}

// ParseSource reads FILE or FORMAT=FILE.
func ParseSource(arg string) Source {
	if name, path, ok := strings.Cut(arg, "="); ok && formatNamed(name) != nil {
		return Source{path, name}
	}
	return Source{Path: arg}
}

// Stats says how reading went.
type Stats struct {
	Format  string
	Lines   int
	Bad     int      // lines that could not be read
	Samples []string // of these, at most three, raw
}

// UseMap adds names of a generic log's fields: "src=clientAddress,dst=…".
func UseMap(m string) error {
	for _, p := range strings.Split(m, ",") {
		k, v, ok := strings.Cut(strings.TrimSpace(p), "=")
		switch k {
		case "src", "dst", "sport", "dport", "proto", "time", "action", "reason", "xsrc", "xdst", "xsport", "xdport":
		default:
			ok = false
		}
		if !ok || v == "" {
			return fmt.Errorf("--log-map %q: write src=NAME,dst=NAME,sport=NAME,dport=NAME,time=NAME,action=NAME", p)
		}
		names[lower(v)] = k
	}
	return nil
}

// lineMost bounds a line; the rest of a longer one is skipped.
const lineMost = 64 << 10

// Read gives the records of a log to yield, in order: all of them, or (of not nil) those that may speak of some ends.
func Read(ctx context.Context, s Source, of *Ends, yield func(*Record)) (Stats, error) {
	in := io.Reader(os.Stdin)
	if s.Path != "-" {
		f, err := os.Open(s.Path)
		if err != nil {
			return Stats{}, err
		}
		defer f.Close() // only read from
		in = f
	}
	return ReadFrom(ctx, s, in, of, yield)
}

// ReadFrom is Read from an open log.
func ReadFrom(ctx context.Context, s Source, in io.Reader, of *Ends, yield func(*Record)) (Stats, error) {
	in, err := unpack(in)
	if err != nil {
		return Stats{}, fmt.Errorf("%s: %w", s.Path, err)
	}
	b := bufio.NewReaderSize(in, 1<<20)
	kind := formatNamed(s.Format)
	if kind == nil {
		head, _ := b.Peek(64 << 10) // a shorter log is fine
		kind = recognise(strings.Split(string(head), "\n"))
		if kind == nil {
			return Stats{}, fmt.Errorf("%s: is no log of a known format; name it (FORMAT=FILE, one of %s) or its fields (--log-map)", s.Path, strings.Join(Formats(), ", "))
		}
	}
	st := Stats{Format: kind.name}
	p := kind.make()
	var found scan
	var long []byte
	for {
		line, err := nextLine(b, &long)
		if err != nil && !errors.Is(err, io.EOF) {
			return st, fmt.Errorf("%s: line %d: %w", s.Path, st.Lines+1, err)
		}
		if len(line) > 0 {
			st.Lines++
			if st.Lines&0xfff == 0 && ctx.Err() != nil {
				return st, ctx.Err()
			}
			if of != nil && !of.speaks(line, &found) {
				continue
			}
			text := strings.TrimRight(string(line), "\r\n")
			if r, ok, skip := p.parse(text); ok {
				r.File, r.Line, r.Format, r.Text = s.Path, st.Lines, kind.name, text
				yield(&r)
			} else if !skip && strings.TrimSpace(text) != "" {
				if st.Bad++; len(st.Samples) < 3 {
					st.Samples = append(st.Samples, text[:min(len(text), 200)])
				}
			}
		}
		if err != nil {
			return st, nil
		}
	}
}

// nextLine reads a line, valid until the next call; of a longer one than lineMost the rest is passed over. long is the room
// for lines that the reader's buffer does not hold in one piece.
func nextLine(b *bufio.Reader, long *[]byte) ([]byte, error) {
	out := (*long)[:0]
	defer func() { *long = out[:0] }()
	for {
		part, err := b.ReadSlice('\n')
		if len(out) == 0 && len(part) <= lineMost && !errors.Is(err, bufio.ErrBufferFull) {
			return part, err
		}
		if room := lineMost - len(out); room > 0 {
			out = append(out, part[:min(len(part), room)]...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return out, err
		}
	}
}

// unpack undoes compression that the first bytes show.
func unpack(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	head, _ := b.Peek(4) // a shorter log is not compressed
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(b)
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case bytes.Equal(head, []byte{0x04, 0x22, 0x4d, 0x18}):
		return lz4.NewReader(b), nil
	}
	return b, nil
}
