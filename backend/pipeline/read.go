package pipeline

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
)

// read turns all captures into facts, side by side.
func read(ctx context.Context, points []point, store *flow.Store, o Options) ([]*flow.Capture, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	readers := make([]*capture.Reader, len(points))
	total, known := int64(0), true
	for i, p := range points {
		r, err := open(p.path)
		if err != nil {
			closeAll(readers)
			return nil, openError(p.path, err)
		}
		readers[i] = r
		if n := r.Info().Size; n > 0 {
			total += n
		} else {
			known = false
		}
	}
	defer closeAll(readers)
	if !known {
		total = 0
	}
	o.Progress.Phase("reading", total)
	caps := make([]*flow.Capture, len(points))
	errs := make([]error, len(points))
	var wg sync.WaitGroup
	for i := range points {
		wg.Add(1)
		go func() {
			defer wg.Done()
			caps[i], errs[i] = flow.Build(ctx, readers[i], flow.Options{PayloadBudget: payloadBudget(o.Memory, len(points)), Store: store, Advance: o.Progress.Advance})
			if errs[i] != nil {
				cancel() // the others' work is in vain
			}
		}()
	}
	wg.Wait()
	if err := first(errs); err != nil {
		return nil, err
	}
	for i, c := range caps {
		c.Name, c.Path = points[i].name, points[i].path
		if c.Len() == 0 {
			why := ""
			if c.Truncated != "" {
				why = " (" + c.Truncated + ")"
			}
			return nil, failed(1, "%s: holds no packet%s; capture again, or leave it out", points[i].path, why)
		}
	}
	return caps, nil
}

func open(path string) (*capture.Reader, error) {
	if path == "-" {
		return capture.OpenReader("stdin", os.Stdin)
	}
	return capture.Open(path)
}

func closeAll(rs []*capture.Reader) {
	for _, r := range rs {
		if r != nil {
			_ = r.Close() // only read from
		}
	}
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
