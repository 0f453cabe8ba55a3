// Command corr correlates captures of the same traffic from several points, frame by frame, and gives the answer back
// inside Wireshark.
//
// It parses, calls and prints; what it knows of captures stands in the packages that it calls. Results go to standard
// output, progress and messages to standard error. Exit codes: 0 done; 1 failed; 2 wrong usage, or one file given twice;
// 3 the captures share no traffic.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/corr-dev/corr/backend/pipeline"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		time.Sleep(patience)
		pipeline.Abandon()
		fmt.Fprintln(os.Stderr, interrupted)
		os.Exit(1)
	}()
	code := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// patience is how long a job may take to stop by itself: some steps over large captures look at nothing but their work.
const patience = 700 * time.Millisecond

const interrupted = "corr: interrupted, nothing was written"

// run is the whole program but for its exit.
func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	app := newApp(in, out, errs)
	err := app.RunContext(ctx, reorder(app, args))
	return exitCode(err, errs)
}

// usage is a mistake in the command line.
type usage struct{ msg string }

func (u usage) Error() string { return u.msg }

func wrong(format string, args ...any) error { return usage{fmt.Sprintf(format, args...)} }

// exitCode says what went wrong in one line and gives the exit code.
func exitCode(err error, errs io.Writer) int {
	var u usage
	var p *pipeline.Error
	var x cli.ExitCoder
	switch {
	case err == nil:
		return 0
	case errors.Is(err, syscall.EPIPE):
		return 0 // the reader has seen enough: corr … | head
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(errs, interrupted)
		return 1
	case errors.As(err, &p):
		fmt.Fprintln(errs, "corr: "+oneLine(p.Msg))
		return p.Code
	case errors.As(err, &u):
		fmt.Fprintln(errs, "corr: "+oneLine(u.msg))
		return 2
	case errors.As(err, &x):
		return x.ExitCode()
	}
	fmt.Fprintln(errs, "corr: "+oneLine(err.Error()))
	return 1
}
