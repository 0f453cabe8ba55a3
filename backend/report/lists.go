package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/corr-dev/corr/backend/field"
	"github.com/corr-dev/corr/backend/model"
)

// listedFlow is a conversation of the packet lists.
type listedFlow struct {
	ID    uint32 `json:"i"`
	Proto string `json:"p"`
	Tint  int    `json:"t"`
	// Ends are the sender and receiver of a packet toward the server, by point in the order of the path; empty where the
	// point did not see the conversation.
	Ends [][2]string `json:"e"`
}

// listedPacket is a row of the packet lists: the same packet wherever it was seen.
type listedPacket struct {
	Flow  int      `json:"f"`           // index of listedFlow
	Back  int      `json:"r,omitempty"` // 1: toward the client
	Label string   `json:"l"`
	Fate  string   `json:"o"` // what became of it, or how it was found again
	Seen  [][3]any `json:"s"` // point, frame numbers, seconds since the first packet listed
}

// packetLists gives what two Wireshark windows would list side by side: the packets of all conversations that have a
// ladder, in the order of time.
func packetLists(d *model.Document) ([]listedFlow, []listedPacket) {
	points := map[string]int{}
	for i, c := range byOrder(d) {
		points[c.Name] = i
	}
	type timed struct {
		listedPacket
		at int64
		e  *model.Event
	}
	flows, l := []listedFlow{}, []timed{}
	for i := range d.Flows {
		f := &d.Flows[i]
		if len(f.Ladder) == 0 {
			continue
		}
		lf := listedFlow{ID: f.ID, Proto: strings.ToUpper(f.Proto), Tint: field.TintOf(f.ID), Ends: make([][2]string, len(points))}
		for name, k := range points {
			if a := f.At[name]; a != nil {
				lf.Ends[k] = [2]string{endpoint(a.Tuple[0], a.Tuple[1]), endpoint(a.Tuple[2], a.Tuple[3])}
			}
		}
		for k := range f.Ladder {
			e := &f.Ladder[k]
			p := listedPacket{Flow: len(flows), Label: cut(e.Label, 80), Fate: e.Fate}
			if e.Match != "" {
				p.Fate = e.Match
			}
			if e.Dir == "r" {
				p.Back = 1
			}
			l = append(l, timed{p, earliest(e), e})
		}
		flows = append(flows, lf)
	}
	slices.SortStableFunc(l, func(x, y timed) int { return cmp.Compare(x.at, y.at) })
	packets := make([]listedPacket, len(l))
	for i := range l {
		packets[i] = l[i].listedPacket
		packets[i].Seen = seenAt(l[i].e, points, l[0].at)
	}
	return flows, packets
}

// seenAt gathers a packet's frames by point: more than one where it was cut anew or copied.
func seenAt(e *model.Event, points map[string]int, first int64) [][3]any {
	var out [][3]any
	for _, s := range e.Seen {
		k, n := points[s.Capture], fmt.Sprint(s.Frame)
		if i := slices.IndexFunc(out, func(o [3]any) bool { return o[0] == k }); i >= 0 {
			out[i][1] = out[i][1].(string) + ", " + n
			continue
		}
		out = append(out, [3]any{k, n, fmt.Sprintf("%.6f", float64(s.TimeNS-first)/1e9)})
	}
	return out
}

// endpoint prints one end of a conversation.
func endpoint(addr, port any) string { return fmt.Sprintf("%v:%v", addr, port) }
