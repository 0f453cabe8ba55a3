package infer

import (
	"fmt"
	"sort"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
)

var clockStep = rule{Doc{ID: "clock-step", weight: 35,
	Title:   "A recorder's clock jumped",
	Meaning: "Times before and after can't be compared within that capture: delays and gaps across the jump are wrong there. corr corrects for it.",
	Sign:    "The time differences of both directions jump at once, by the same amount in opposite directions.", Not: "Where a route change lengthens one direction, or both."},
	func(v *Verdict) (out []*Finding) {
		for c := range v.Clocks.Of {
			by := int64(0)
			for _, s := range v.Clocks.Of[c].Steps {
				step := s.By - by
				by = s.By
				out = append(out, &Finding{Severity: Note, Confidence: 95, Title: fmt.Sprintf("the clock of %s jumps by %s before frame %d", v.point(c), millis(step), s.From),
					Detail: "seen: the time differences to the other captures jump in both directions at once", Inferred: "the clock was set while the capture ran",
					Next: "trust corr.time, not frame.time, across this frame", Evidence: []Evidence{{c, int64(v.Caps[c].Place(s.From)), "frame.time_epoch", millis(step)}}})
			}
		}
		return out
	}}

var captureTruncated = rule{Doc{ID: "capture-truncated", weight: 34,
	Title:   "A capture ends in the middle of a frame, or is damaged",
	Meaning: "What lies behind the damage is missing: conversations seem to stop there.",
	Sign:    "The file ends inside of a record, or a record can't be one.", Not: "Frames cut by a snapshot length."},
	func(v *Verdict) (out []*Finding) {
		for c, src := range v.Caps {
			if src.Truncated == "" {
				continue
			}
			n := src.Len()
			out = append(out, &Finding{Severity: Warn, Confidence: 100, Title: fmt.Sprintf("%s is damaged or cut off behind frame %d", v.point(c), n), Detail: "seen: " + src.Truncated,
				Next: "copy the file again, or end the capture properly", Evidence: []Evidence{{c, int64(src.LastFrame()), "frame.number", fmt.Sprint(n)}}})
		}
		return out
	}}

var captureDrops = rule{Doc{ID: "capture-drops", weight: 36,
	Title:   "A recorder missed frames",
	Meaning: "Frames that are missing in a capture were not lost on the way: the recording host was too slow. Losses told of that capture may be its own.",
	Sign:    "Data is acknowledged that no frame of the capture carries, or the file's own statistics count drops.", Not: "Data behind the end or before the begin of the capture."},
	func(v *Verdict) (out []*Finding) {
		for c := range v.Caps {
			x := &Finding{Severity: Note, Confidence: 95}
			n, flows := 0, 0
			for _, f := range v.Flows {
				if f.Sides[c] == nil || f.Proto != flow.ProtoTCP {
					continue
				}
				had := false
				for d := 0; d < 2; d++ {
					holes := v.holes(f.Sides[c].Cap, f.Sides[c].Convs, func(x *flow.Fact) bool { return f.Sides[c].Dir(x) == d })
					for _, h := range holes {
						n++
						had = true
						if len(x.Evidence) < evidenceMost {
							x.Evidence = append(x.Evidence, Evidence{c, int64(h.ack), "tcp.ack_raw", fmt.Sprintf("acknowledges %d bytes that were not captured", h.n)})
						}
					}
				}
				if had {
					flows++
					if len(x.Flows) < 64 {
						x.Flows = append(x.Flows, f)
					}
				}
			}
			d := v.Caps[c].Dropped
			if n == 0 && d == 0 {
				continue
			}
			x.Title = fmt.Sprintf("the recorder of %s missed frames", v.point(c))
			switch {
			case n > 0 && d > 0:
				x.Detail = fmt.Sprintf("seen: %s of acknowledged data that no frame carries, in %s; the file counts %d drops", plural(n, "run", "runs"), plural(flows, "conversation", "conversations"), d)
			case n > 0:
				x.Detail = fmt.Sprintf("seen: %s of acknowledged data that no frame carries, in %s", plural(n, "run", "runs"), plural(flows, "conversation", "conversations"))
			default:
				x.Detail = fmt.Sprintf("seen: the file's own statistics count %d dropped packets", d)
			}
			x.Inferred = "these frames passed the point; the recording host did not keep them"
			x.Next = "capture with a larger buffer (dumpcap -B 64), a filter, or a shorter snapshot length (-s 128)"
			out = append(out, x)
		}
		return out
	}}

// hole is acknowledged data that no frame carries.
type hole struct {
	ack uint32 // frame that acknowledges it
	n   int64  // bytes
}

// holes finds runs of stream bytes between captured ones that the receiver acknowledged and no frame carries.
func (v *Verdict) holes(c *flow.Capture, convs []flow.ConvID, is func(*flow.Fact) bool) (out []hole) {
	type part struct{ off, end int64 }
	var parts []part
	type ack struct {
		at int64
		i  uint32
	}
	var acks []ack
	var base uint32
	have := false
	for _, id := range convs {
		for i := range c.Packets(id) {
			x := c.At(i)
			if x.Mark&(flow.MarkError|flow.MarkLater) != 0 {
				continue
			}
			if is(x) {
				n := x.Len
				if x.Flags&decode.SYN != 0 || x.Flags&decode.FIN != 0 {
					n++
				}
				if !have {
					base, have = x.Seq, true
				}
				if n > 0 && !x.Is(flow.MarkFragment) {
					o := int64(int32(x.Seq - base))
					parts = append(parts, part{o, o + int64(n)})
				} else if x.Is(flow.MarkFragment) {
					return nil
				}
			} else if have && x.Flags&decode.ACK != 0 && x.Flags&decode.RST == 0 {
				acks = append(acks, ack{int64(int32(x.Ack - base)), i})
			}
		}
		if have {
			break // a second conversation of one flow starts anew
		}
	}
	if len(parts) < 2 || len(acks) == 0 {
		return nil
	}
	sort.Slice(parts, func(i, j int) bool { return parts[i].off < parts[j].off })
	sort.SliceStable(acks, func(i, j int) bool { return acks[i].at < acks[j].at })
	end := parts[0].end
	for _, p := range parts[1:] {
		if p.off > end {
			k := sort.Search(len(acks), func(k int) bool { return acks[k].at >= p.off })
			if k < len(acks) {
				out = append(out, hole{acks[k].i, p.off - end})
			}
		}
		end = max(end, p.end)
	}
	return out
}
