package compose

import (
	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/model"
)

// messagePeers lists, for each capture and frame, the frames behind or in front of a proxy that carry the same part of a
// message.
func (in *Input) messagePeers() []map[uint32][]annotate.Peer {
	out := make([]map[uint32][]annotate.Peer, len(in.Caps))
	for c := range out {
		out[c] = map[uint32][]annotate.Peer{}
	}
	for _, m := range in.Exchanges.Messages {
		for _, down := range []bool{true, false} {
			at, to := m.A, m.B
			if !down {
				at, to = m.B, m.A
			}
			stream := int64(-1)
			if id := in.Caps[to.Capture].ID(to.Frame); id != flow.NoConv {
				stream = int64(in.Caps[to.Capture].Conv(id).Stream)
			}
			out[at.Capture][at.Frame] = append(out[at.Capture][at.Frame], annotate.Peer{Point: to.Capture, Frame: in.Caps[to.Capture].Frame(to.Frame), Stream: stream,
				Down: down, Match: m.Kind, Confidence: m.Confidence})
		}
	}
	return out
}

func (in *Input) relations(d *model.Document) {
	for _, r := range in.Exchanges.Relations {
		f, b := in.FlowOf[r.Front.Capture][r.Front.ID], in.FlowOf[r.Back.Capture][r.Back.ID]
		if f != nil && b != nil && f != b {
			d.Relations = append(d.Relations, model.Relation{Flows: [2]uint32{f.ID, b.ID}, Kind: r.Kind, Messages: r.Messages})
		}
	}
}
