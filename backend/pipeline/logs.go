package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/corr-dev/corr/backend/clock"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/logs"
	"github.com/corr-dev/corr/backend/match"
)

// heard is what the logs said.
type heard struct {
	logs  []heardLog
	tied  []logs.Tied
	lost  []logs.Tied // drops of what no capture holds
	notes []string    // how reading went, a line for each log
}

// heardLog is one log: the records that may speak of conversations that were captured.
type heardLog struct {
	arg     string
	stats   logs.Stats
	records []logs.Record
	more    int // that there was no room for
}

// recordsMost bounds the records kept of one log.
const recordsMost = 200_000

// listen reads the logs, before anything is matched: what they say of translations is evidence.
func listen(ctx context.Context, o Options, caps []*flow.Capture) (*heard, error) {
	h := &heard{}
	if len(o.Logs) == 0 {
		return h, nil
	}
	if o.LogMap != "" {
		if err := logs.UseMap(o.LogMap); err != nil {
			return nil, failed(2, "%s", err)
		}
	}
	o.Progress.Phase("logs", 0)
	ends := logs.NewEnds()
	for _, c := range caps {
		for id := range c.Convs {
			t := c.Tuple(flow.ConvID(id), c.ClientDir(flow.ConvID(id)))
			ends.Add(addrPort(t.Src, t.Version, t.Sport))
			ends.AddPeer(t.Dst.Netip(t.Version))
			if in := &c.Convs[id]; in.SYN < 0 && in.SYNACK < 0 {
				ends.Add(addrPort(t.Dst, t.Version, t.Dport)) // who opened it is a guess
			}
		}
	}
	for _, arg := range o.Logs {
		l := heardLog{arg: arg}
		var err error
		l.stats, err = logs.Read(ctx, logs.ParseSource(arg), ends, func(r *logs.Record) {
			if len(l.records) == recordsMost {
				l.more++
				return
			}
			l.records = append(l.records, *r)
		})
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
		h.logs = append(h.logs, l)
	}
	return h, nil
}

// translations lists what the logs say of addresses before and behind a device.
func (h *heard) translations() (out []match.Translation) {
	for i := range h.logs {
		for k := range h.logs[i].records {
			r := &h.logs[i].records[k]
			if r.XFrom.IsValid() || r.XTo.IsValid() {
				out = append(out, match.Translation{Proto: r.Proto, From: r.From, To: r.To, XFrom: r.XFrom, XTo: r.XTo})
			}
		}
	}
	return out
}

// tie relates the records to conversations and the logs' clocks to the captures'.
func (h *heard) tie(r *match.Result, m *clock.Model) {
	if len(h.logs) == 0 {
		return
	}
	convs := conversations(r, m)
	for i := range h.logs {
		l := &h.logs[i]
		t := logs.NewTie(convs)
		for k := range l.records {
			t.Add(&l.records[k])
		}
		l.records = nil
		tied, k := t.Done()
		h.tied, h.lost = append(h.tied, tied...), append(h.lost, t.Unseen()...)
		note := fmt.Sprintf("%s: %s, %d lines, %d records of these conversations", l.arg, l.stats.Format, l.stats.Lines, len(tied))
		if k.Known {
			note += fmt.Sprintf(", clock %+.0f s ± %.0f s", float64(k.Offset)/1e9, float64(k.Error)/1e9)
		}
		if l.stats.Bad > 0 {
			note += fmt.Sprintf("; %d lines could not be read, as %q", l.stats.Bad, l.stats.Samples[0])
		}
		if l.more > 0 {
			note += fmt.Sprintf("; %d more records were left out", l.more)
		}
		h.notes = append(h.notes, note)
	}
}

func addrPort(a decode.Addr, version uint8, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(a.Netip(version).Unmap(), port)
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
				c.Ends = append(c.Ends, [2]netip.AddrPort{addrPort(t.Src, t.Version, t.Sport), addrPort(t.Dst, t.Version, t.Dport)})
				from, to := s.Cap.Span(id)
				if from == to {
					continue
				}
				first, last := at(m, r, k, from), at(m, r, k, to-1)
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
	t := r.Caps[c].At(i).Time()
	if x, ok := m.Time(c, i, t); ok {
		return time.Unix(0, int64(x)).UTC()
	}
	return time.Unix(0, int64(t)).UTC()
}
