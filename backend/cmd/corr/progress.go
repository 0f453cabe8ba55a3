package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far the job is, on a terminal only.
type progress struct {
	out io.Writer // nil: nobody looks
	mu  sync.Mutex
	bar *progressbar.ProgressBar
}

func newProgress(errs io.Writer, quiet bool) *progress {
	f, ok := errs.(*os.File)
	if quiet || !ok || !term.IsTerminal(int(f.Fd())) {
		return &progress{}
	}
	return &progress{out: errs}
}

// Phase begins a part of the job; total in bytes, 0 for unknown.
func (p *progress) Phase(name string, total int64) {
	if p.out == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	if total <= 0 {
		total = -1
	}
	p.bar = progressbar.NewOptions64(total, progressbar.OptionSetDescription(name), progressbar.OptionSetWriter(p.out), progressbar.OptionShowBytes(total > 0),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(total > 0))
}

// Advance counts bytes of the phase.
func (p *progress) Advance(n int64) {
	if p.out == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Add64(n) // a bar that can't be drawn is no reason to fail
	}
}

func (p *progress) done() {
	if p.out != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.clear()
	}
}

func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}
