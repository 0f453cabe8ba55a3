package compose

import (
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/match"
)

// boxes is a set of middleboxes, numbered over all stretches; more than it has room for are not shown on frames.
type boxes uint64

func (b boxes) has(segment, box int) bool {
	n := segment*boxesPerSegment + box
	return n < 64 && box < boxesPerSegment && b>>n&1 != 0
}

func (b *boxes) add(segment, box int) {
	if n := segment*boxesPerSegment + box; n < 64 && box < boxesPerSegment {
		*b |= 1 << n
	}
}

const boxesPerSegment = 8

// view is what all frames of a flow at one capture share.
type view struct {
	always boxes // devices that touch every packet of the flow
	// sometimes are devices that touch single packets: of a stretch, those it injected or dropped.
	dropping map[uint8]boxes // by Mark.Where
	clamp    boxes           // on SYN and SYN/ACK
}

func (p *pen) view(fl *match.Flow) *view {
	if p.views == nil {
		p.views, p.alike = make([]*view, len(p.in.Flows)), map[[2]boxes]*view{}
	}
	v := p.views[fl.ID-1]
	if v == nil {
		x := p.newView(fl)
		k := [2]boxes{x.always, x.clamp}
		if v = p.alike[k]; v == nil || x.dropping != nil { // few are unlike all others
			v = &view{x.always, x.dropping, x.clamp}
			if x.dropping == nil {
				p.alike[k] = v
			}
		}
		p.views[fl.ID-1] = v
	}
	return v
}

// newView looks at the stretches next to this capture on the flow's path.
func (p *pen) newView(fl *match.Flow) (v view) {
	for n, s := range p.in.Segments {
		if s.A != p.c && s.B != p.c {
			continue
		}
		for k, b := range s.Boxes {
			if !b.Flows.Has(fl) {
				continue
			}
			switch b.Kind {
			case infer.PacketFilter, infer.ResetInjector:
				if v.dropping == nil {
					v.dropping = map[uint8]boxes{}
				}
				x := v.dropping[uint8(n+1)]
				x.add(n, k)
				v.dropping[uint8(n+1)] = x
			case infer.MSSClamp:
				v.clamp.add(n, k)
			default:
				v.always.add(n, k)
			}
		}
	}
	return v
}

// boxesOf are the devices that touched a frame.
func (v *view) boxesOf(f *flow.Fact, m infer.Mark) boxes {
	b := v.always
	if f.Flags()&decode.SYN != 0 {
		b |= v.clamp
	}
	if v.dropping != nil && m.Where > 0 && (m.Fate == infer.FateLost || m.Fate == infer.FateInjected || m.Fate == infer.FateConsumed) {
		b |= v.dropping[m.Where]
	}
	return b
}
