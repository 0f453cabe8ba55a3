package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/corr-dev/corr/backend/clock"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/logs"
	"github.com/corr-dev/corr/backend/match"
)

// heard is what the logs said.
type heard struct {
	tied  []logs.Tied
	notes []string // how reading went, a line for each log
}

// hear reads the logs and ties their records to conversations.
func hear(ctx context.Context, o Options, r *match.Result, m *clock.Model) (*heard, error) {
	h := &heard{}
	if len(o.Logs) == 0 {
		return h, nil
	}
	if o.LogMap != "" {
		if err := logs.UseMap(o.LogMap); err != nil {
			return nil, failed(2, "%s", err)
		}
	}
	convs := conversations(r, m)
	o.Progress.Phase("logs", 0)
	for _, arg := range o.Logs {
		t := logs.NewTie(convs)
		st, err := logs.Read(ctx, logs.ParseSource(arg), t.Add)
		if err != nil {
			var pe *os.PathError
			if errors.As(err, &pe) {
				return nil, failed(1, "%s: %s", pe.Path, reason(err))
			}
			if cancelled(err) {
				return nil, err
			}
			return nil, failed(1, "%s", err)
		}
		tied, k := t.Done()
		h.tied = append(h.tied, tied...)
		note := fmt.Sprintf("%s: %s, %d lines, %d records of these conversations", arg, st.Format, st.Lines, len(tied))
		if k.Known {
			note += fmt.Sprintf(", clock %+.0f s ± %.0f s", float64(k.Offset)/1e9, float64(k.Error)/1e9)
		}
		if st.Bad > 0 {
			note += fmt.Sprintf("; %d lines could not be read, as %q", st.Bad, st.Samples[0])
		}
		h.notes = append(h.notes, note)
	}
	return h, nil
}

// conversations lists what records can be tied to.
func conversations(r *match.Result, m *clock.Model) []logs.Conversation {
	var out []logs.Conversation
	for _, f := range r.Flows {
		c := logs.Conversation{ID: f.ID, Proto: infer.ProtoName(f.Proto)}
		for k, s := range f.Sides {
			if s == nil {
				continue
			}
			for n, id := range s.Convs {
				t := s.Cap.Tuple(id, s.Forward[n])
				c.Ends = append(c.Ends, [2]netip.AddrPort{netip.AddrPortFrom(t.Src.Netip(t.Version).Unmap(), t.Sport), netip.AddrPortFrom(t.Dst.Netip(t.Version).Unmap(), t.Dport)})
				pk := s.Cap.Packets(id)
				if len(pk) == 0 {
					continue
				}
				first, last := at(m, r, k, pk[0]), at(m, r, k, pk[len(pk)-1])
				if c.First.IsZero() || first.Before(c.First) {
					c.First = first
				}
				if last.After(c.Last) {
					c.Last = last
				}
			}
		}
		out = append(out, c)
	}
	return out
}

// at is a frame's time on the reference clock, or its capture's own.
func at(m *clock.Model, r *match.Result, c int, i uint32) time.Time {
	t := r.Caps[c].At(i).Time
	if x, ok := m.Time(c, i, t); ok {
		return time.Unix(0, int64(x)).UTC()
	}
	return time.Unix(0, int64(t)).UTC()
}
