package infer

import (
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// RTT is a handshake's round trip as one point sees it, ns; -1 unknown: to the responder's side (SYN to SYN/ACK) and to
// the initiator's side (SYN/ACK to its acknowledgement).
type RTT struct{ Total, Client, Server int64 }

// RTTAt is the handshake's round trip at a capture.
func (v *Verdict) RTTAt(f *match.Flow, c int) RTT {
	r := RTT{-1, -1, -1}
	s := f.Sides[c]
	if f.Proto != flow.ProtoTCP || s == nil {
		return r
	}
	id, fwd := s.Convs[0], s.Forward[0]
	in := &s.Cap.Convs[id]
	if in.SYN < 0 || in.SYNACK < 0 {
		return r
	}
	syn := s.Cap.At(s.Cap.Handshakes[in.SYN].Fact)
	answer := s.Cap.Handshakes[in.SYNACK].Fact
	back := s.Cap.At(answer)
	again := 0
	for i := range flow.UpTo(s.Cap.Span(id)) {
		x := s.Cap.At(i)
		if x.Mark&(flow.MarkError|flow.MarkDuplicate|flow.MarkLater) != 0 {
			continue
		}
		forward := x.Dir() == fwd
		if i < answer {
			if forward && x.Flags()&decode.SYN != 0 {
				again++
			}
			continue
		}
		if forward && x.Flags()&(decode.SYN|decode.ACK) == decode.ACK && x.Ack == back.Seq+1 {
			r.Client = int64(x.Time() - back.Time())
			break
		}
	}
	// Which of several SYNs was answered can't be told (Karn & Partridge 1987).
	if again == 1 && back.Ack == syn.Seq+1 {
		r.Server = int64(back.Time() - syn.Time())
	}
	if r.Client < 0 || r.Server < 0 {
		return r
	}
	r.Total = r.Client + r.Server
	return r
}

// RTT is the handshake's round trip as the point nearest to the initiator sees it.
func (v *Verdict) RTT(f *match.Flow) RTT {
	if len(f.Path[0]) == 0 {
		return RTT{-1, -1, -1}
	}
	return v.RTTAt(f, f.Path[0][0])
}
