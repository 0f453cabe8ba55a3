package pipeline

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/index"
)

// source is an input that was opened: a capture, or an index of one.
type source struct {
	capture *capture.Reader
	index   *os.File
	size    int64 // bytes, 0 if unknown
}

func (s *source) close() {
	if s.capture != nil {
		_ = s.capture.Close() // only read from
	}
	if s.index != nil {
		_ = s.index.Close()
	}
}

// read turns all inputs into facts, side by side.
func read(ctx context.Context, points []point, store *flow.Store, o Options) ([]*index.Sealed, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sources := make([]source, len(points))
	defer func() {
		for i := range sources {
			sources[i].close()
		}
	}()
	total, known := int64(0), true
	for i, p := range points {
		s, err := open(p.path)
		if err != nil {
			return nil, openError(p.path, err)
		}
		sources[i] = s
		total += s.size
		known = known && s.size > 0
	}
	if !known {
		total = 0
	}
	o.Progress.Phase("reading", total)
	in := make([]*index.Sealed, len(points))
	errs := make([]error, len(points))
	var wg sync.WaitGroup
	for i := range points {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if in[i], errs[i] = sources[i].read(ctx, points[i].path, store, o, len(points)); errs[i] != nil {
				cancel() // the others' work is in vain
			}
		}()
	}
	wg.Wait()
	if err := first(errs); err != nil {
		return nil, err
	}
	for i, x := range in {
		c := x.Capture
		c.Name, c.Path = points[i].name, points[i].path
		if c.Len() == 0 {
			why := ""
			if c.Truncated != "" {
				why = " (" + c.Truncated + ")"
			}
			return nil, failed(1, "%s: holds no packet%s; capture again, or leave it out", points[i].path, why)
		}
	}
	return in, nil
}

func (s *source) read(ctx context.Context, path string, store *flow.Store, o Options, inputs int) (*index.Sealed, error) {
	if s.index != nil {
		x, err := index.Read(&counted{ctx, s.index, o.Progress.Advance}, s.size, store)
		if err != nil && !cancelled(err) {
			err = failed(1, "%s: %s; index the capture again", path, err)
		}
		return x, err
	}
	c, err := flow.Build(ctx, s.capture, flow.Options{PayloadBudget: payloadBudget(o.Memory, inputs), Store: store, Advance: o.Progress.Advance})
	return &index.Sealed{Capture: c}, err
}

// counted tells how much was read, and ends when the job does.
type counted struct {
	ctx     context.Context
	r       io.Reader
	advance func(int64)
}

func (c *counted) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(b)
	c.advance(int64(n))
	return n, err
}

func open(path string) (source, error) {
	if path == "-" {
		r, err := capture.OpenReader("stdin", os.Stdin)
		return source{capture: r}, err
	}
	if indexed(path) != "" {
		f, err := os.Open(path)
		if err != nil {
			return source{}, err
		}
		fi, err := f.Stat()
		if err != nil {
			return source{}, errors.Join(err, f.Close())
		}
		return source{index: f, size: fi.Size()}, nil
	}
	r, err := capture.Open(path)
	if err != nil {
		return source{}, err
	}
	return source{capture: r, size: max(r.Info().Size, 0)}, nil
}

// openError words a file that can't be opened. The reader's own messages name the file and what to do.
func openError(path string, err error) error {
	var oe *capture.OpenError
	var te *capture.TruncatedError
	if errors.As(err, &oe) || errors.As(err, &te) {
		return failed(1, "%s", err)
	}
	return failed(1, "%s: %s", path, reason(err))
}

// first is the failure that made the others stop.
func first(errs []error) error {
	var stopped error
	for _, err := range errs {
		switch {
		case err == nil:
		case cancelled(err):
			stopped = err
		default:
			return failed(1, "%s", err)
		}
	}
	return stopped
}
