package exchange

import (
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// amount is how many bytes the client's direction of a TCP conversation carries, and the server's. What a recorder missed
// counts where it was acknowledged. ok is false where the conversation's beginning was not seen.
func amount(c *flow.Capture, id flow.ConvID) (n [2]int64, ok bool) {
	client := c.ClientDir(id)
	var base [2]uint32
	var have [2]bool
	for i := range flow.UpTo(c.Span(id)) {
		x := c.At(i)
		if x.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate) != 0 {
			continue
		}
		d := x.Dir() ^ client
		if x.Flags()&decode.SYN != 0 {
			if !have[d] {
				base[d], have[d] = x.Seq+1, true
			}
			if x.Flags()&decode.ACK != 0 && !have[1-d] {
				base[1-d], have[1-d] = x.Ack, true
			}
			continue
		}
		if have[d] {
			n[d] = max(n[d], int64(int32(x.Seq+uint32(x.Len())-base[d])))
		}
		if have[1-d] && x.Flags()&decode.ACK != 0 {
			n[1-d] = max(n[1-d], int64(int32(x.Ack-base[1-d])))
		}
	}
	return n, have[0] && have[1]
}

// alone is how many ties of one server it takes to say what is usual.
const alone = 3

// carriesMore takes away the ties of which one conversation carries what the other can't account for: nearly as much again
// as the other carries, both ways, beyond what is usual in front of that server (what TLS needs to begin, header lines). It
// carries other conversations' messages, too.
func carriesMore(r *match.Result, ts []match.Tie) []match.Tie {
	type server struct {
		capture int
		of      flow.Tuple
	}
	type sum struct {
		front, back [2]int64
		known       bool
		server      server
	}
	sums := make([]sum, len(ts))
	over := map[server]*[2][]int64{}
	for k, t := range ts {
		f, b := r.Caps[t.Front.Capture], r.Caps[t.Back.Capture]
		if f.Conv(t.Front.ID).Proto != flow.ProtoTCP || b.Conv(t.Back.ID).Proto != flow.ProtoTCP {
			continue
		}
		s := &sums[k]
		var ok bool
		if s.front, s.known = amount(f, t.Front.ID); !s.known {
			continue
		}
		if s.back, ok = amount(b, t.Back.ID); !ok {
			s.known = false
			continue
		}
		to := f.Tuple(t.Front.ID, f.ClientDir(t.Front.ID))
		to.Src, to.Sport = decode.Addr{}, 0
		s.server = server{t.Front.Capture, to}
		o := over[s.server]
		if o == nil {
			o = &[2][]int64{}
			over[s.server] = o
		}
		for d := range o {
			o[d] = append(o[d], s.front[d]-s.back[d])
		}
	}
	usual := map[server][2]int64{}
	for k, o := range over {
		if len(o[0]) < alone {
			continue
		}
		var m [2]int64
		for d := range o {
			slices.Sort(o[d])
			m[d] = o[d][len(o[d])/2]
		}
		usual[k] = m
	}
	out := ts[:0]
	for k, t := range ts {
		s := &sums[k]
		if u, ok := usual[s.server]; ok && s.known {
			front, back := true, true
			for d := range u {
				more := s.front[d] - s.back[d] - u[d]
				front = front && 4*more > 3*s.back[d]
				back = back && 4*-more > 3*max(s.front[d]-u[d], 0)
			}
			if front || back {
				continue
			}
		}
		out = append(out, t)
	}
	return out
}

// spoken reports whether anything was said in a conversation, captured or not.
func spoken(c *flow.Capture, id flow.ConvID) bool {
	n, _ := amount(c, id)
	return n[0] > 1 || n[1] > 1 // one is a FIN's
}
