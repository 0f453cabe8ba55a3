package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/corr-dev/corr/backend/anonymise"
	"github.com/corr-dev/corr/backend/clock"
	"github.com/corr-dev/corr/backend/compose"
	"github.com/corr-dev/corr/backend/exchange"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/index"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/match"
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
	IndexKey string   // key file for what is compared with indexes; "": the user's own
	Memory   int64    // bytes to stay below, 0: no bound; what is more lies in a temporary file (Linux)
	Progress Progress // nil: none
	// Anonymise replaces addresses, names and what logs say in the document and the report by this key; nil: not. corr.ann
	// keeps them.
	Anonymise *[anonymise.KeySize]byte
	Version   string // of the program, for the document
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

func failed(code int, format string, args ...any) error {
	return &Error{Code: code, Msg: fmt.Sprintf(format, args...)}
}

type silent struct{}

func (silent) Phase(string, int64) {}
func (silent) Advance(int64)       {}

// Correlate runs the whole job and writes the result directory, whole or not at all. An error is an *Error, or
// context.Canceled and the like.
func Correlate(ctx context.Context, o Options) (*model.Document, error) {
	if o.Progress == nil {
		o.Progress = silent{}
	}
	store, done, err := bound(o.Memory)
	if err != nil {
		return nil, err
	}
	defer done()
	points, err := resolve(o.Inputs)
	if err != nil {
		return nil, err
	}
	out, err := prepare(o.Out, o.Inputs)
	if err != nil {
		return nil, err
	}
	caps, err := read(ctx, points, store, o)
	if err = full(store, err); err != nil {
		return nil, err
	}
	conversations, packets := 0, 0
	for _, c := range caps {
		conversations += len(c.Capture.Convs)
		packets += c.Capture.Len()
	}
	if err := roomFor(conversations, available()); err != nil {
		return nil, err
	}
	tidy := func() {
		if store == nil {
			collectFor(packets)
		}
	}
	tidy()
	v, heard, err := correlate(ctx, caps, o, tidy)
	if err = full(store, err); err != nil {
		return nil, err
	}
	for _, c := range caps {
		c.Capture.DropPayload() // what is in it was read
	}
	tidy()
	in := &compose.Input{Verdict: v, Generator: "corr " + o.Version, Notes: heard.notes}
	for _, p := range points {
		in.Points = append(in.Points, compose.Point{Name: p.name, File: p.path, Cell: p.cell})
	}
	o.Progress.Phase("writing", 0)
	doc, err := write(ctx, out, in, o.Anonymise)
	if err != nil {
		return nil, explainWrite(out.path, err)
	}
	return doc, nil
}

// correlate runs what lies between facts and conclusions; it calls tidy where much that was made is not needed any more.
func correlate(ctx context.Context, in []*index.Sealed, o Options, tidy func()) (*infer.Verdict, *heard, error) {
	p := o.Progress
	var caps []*flow.Capture
	var sealed []*exchange.Sealed
	for _, x := range in {
		caps = append(caps, x.Capture)
	}
	keys, err := keyLogs(o, caps)
	if err != nil {
		return nil, nil, err
	}
	if err := sealAll(in, keys, o); err != nil {
		return nil, nil, err
	}
	for _, x := range in {
		sealed = append(sealed, x.Exchanges)
	}
	h, err := listen(ctx, o, caps)
	if err != nil {
		return nil, nil, err
	}
	p.Phase("matching", 0)
	r, err := match.Run(ctx, caps, h.translations())
	if err != nil {
		return nil, nil, err
	}
	x, err := exchange.Tie(ctx, r, keys, sealed)
	if err != nil {
		return nil, nil, err
	}
	if len(r.Relations) == 0 {
		return nil, nil, failed(3, "the captures share no traffic: %s; %s", compared(caps), askAgain(caps))
	}
	if err := match.Packets(ctx, r); err != nil {
		return nil, nil, err
	}
	order := r.Order()
	p.Phase("clocks", 0)
	m := clock.New(r, order)
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	h.tie(r, m)
	tidy()
	p.Phase("conclusions", 0)
	if n := len(o.Keylogs); n > 0 && x.Opened == 0 {
		h.notes = append(h.notes, fmt.Sprintf("%d secrets of the key logs fit no conversation that needs them: are they of another leg of the path, or of another hour?", keys.Lines))
	}
	v := infer.New(r, m, order, x, h.tied, h.lost)
	return v, h, ctx.Err()
}

// compared says what was looked for in vain.
func compared(caps []*flow.Capture) string {
	var parts []string
	for _, c := range caps {
		parts = append(parts, fmt.Sprintf("%d conversations of %s", len(c.Convs), c.Name))
	}
	return strings.Join(parts, ", ") + " compared by addresses, sequence numbers, identifications and payload, none agree"
}

// askAgain says what to do about captures that seem to share nothing.
func askAgain(caps []*flow.Capture) string {
	var bare []string
	for _, c := range caps {
		if in := sealedIn(c); in != "" {
			return fmt.Sprintf("most of %s is inside of %s, which encrypts what it carries: capture where the tunnel has ended, or on its interface (tun0, wg0, ipsec0)", c.Name, in)
		}
		if c.HeadersCut || c.AnyCut[0] && !c.MinHead[0] || c.AnyCut[1] && !c.MinHead[1] {
			bare = append(bare, c.Name)
		}
	}
	if len(bare) == 0 {
		return "were they taken on the same path, at the same time?"
	}
	return fmt.Sprintf("the snapshot length of %s leaves little or no payload to compare, which a proxy or a translator makes necessary: capture again with 128 bytes or more (tcpdump -s 128)", strings.Join(bare, " and "))
}

// cancelled reports whether an error is the user's own wish.
func cancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
