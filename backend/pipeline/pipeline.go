package pipeline

import (
	"context"

	"github.com/corr-dev/corr/backend/model"
)

// Input is one capture as the user names it.
type Input struct {
	Label string // "": taken from the file's name
	Path  string // "-": standard input
}

// Options is one job.
type Options struct {
	Inputs   []Input
	Out      string   // the result directory
	Logs     []string // logs of what stands between: FILE or FORMAT=FILE
	LogMap   string   // field names of a generic log: "src=…,dst=…"
	Keylogs  []string // TLS key logs (SSLKEYLOGFILE format)
	Memory   int64    // bytes that facts may take; 0: half of what is free
	Progress Progress // nil: none
	Version  string   // of the program, for the document
}

// Progress hears how far the job is; calls come from several goroutines.
type Progress interface {
	Phase(name string, total int64) // total: bytes to read, 0 if unknown
	Advance(n int64)
}

// Error is a failure that the user can do something about.
type Error struct {
	Code int    // exit code: 1 failed, 2 wrong usage, 3 the captures share no traffic
	Msg  string // one line, lower case: what, and what to do
}

func (e *Error) Error() string { return e.Msg }

// Correlate runs the whole job and writes the result directory, whole or not at all.
func Correlate(ctx context.Context, o Options) (*model.Document, error) {
	return nil, &Error{Code: 1, Msg: "not built yet"}
}
