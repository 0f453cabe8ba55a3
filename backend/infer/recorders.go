package infer

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
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
			for k, f := range v.Flows {
				if f.Sides[c] == nil || f.Proto != flow.ProtoTCP {
					continue
				}
				had := false
				for d := 0; d < 2; d++ {
					if v.State[k].Ends[c].straight[d] {
						continue
					}
					for _, h := range v.holes(f.Sides[c], d) {
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

// missRate is the share of frames that a recorder missed, as far as acknowledgements or the file's own statistics tell.
func (v *Verdict) missRate(c int) float64 {
	missed := float64(v.Caps[c].Dropped)
	if missed == 0 {
		for _, f := range v.Flows {
			if f.Sides[c] != nil && f.Proto == flow.ProtoTCP {
				missed += float64(len(v.holes(f.Sides[c], 0)) + len(v.holes(f.Sides[c], 1)))
			}
		}
	}
	if missed == 0 {
		return 0
	}
	return missed / (missed + float64(v.Caps[c].Len()))
}

// hole is acknowledged data that no frame carries.
type hole struct {
	ack uint32 // frame that acknowledges it
	n   int64  // bytes
}

// holes finds runs of stream bytes between captured ones that the receiver acknowledged and no frame carries; d is the
// direction of the bytes.
func (v *Verdict) holes(side *match.Side, d int) (out []hole) {
	for _, id := range side.Convs {
		gaps, base, have := gapsOf(side, id, d)
		if len(gaps) > 0 {
			for k, i := range acknowledged(side, id, d, base, gaps) {
				if i != 0 {
					out = append(out, hole{i - 1, gaps[k].to - gaps[k].from})
				}
			}
		}
		if have {
			break // a second conversation of one flow starts anew
		}
	}
	return out
}

// gapsOf lists the bytes that no frame of a direction carries, between the first and the last that one does. Offsets count
// from base, the first frame's sequence number; have is false without any frame.
func gapsOf(side *match.Side, id flow.ConvID, d int) (gaps []extent, base uint32, have bool) {
	dir := 0
	for dir < 2 && side.DirOf(id, dir) != d {
		dir++
	}
	lo, hi := int64(0), int64(-1)
	for i := range flow.UpTo(side.Cap.Span(id)) {
		x := side.Cap.At(i)
		if x.Dir() != dir || x.Mark&(flow.MarkError|flow.MarkLater) != 0 {
			continue
		}
		if x.Is(flow.MarkFragment) {
			return nil, base, true
		}
		if !have {
			base, have = x.Seq, true
		}
		n := int64(x.Len())
		if x.Flags()&(decode.SYN|decode.FIN) != 0 {
			n++
		}
		if n == 0 {
			continue
		}
		e := extent{unwrapped(x.Seq, base, hi), 0}
		switch e.to = e.from + n; {
		case hi < lo: // the first one
			lo, hi = e.from, e.to
		case e.from > hi:
			gaps = append(gaps, extent{hi, e.from})
			hi = e.to
		case e.to < lo:
			gaps = slices.Insert(gaps, 0, extent{e.to, lo})
			lo = e.from
		default:
			if e.from < hi && len(gaps) > 0 {
				gaps = without(gaps, e)
			}
			lo, hi = min(lo, e.from), max(hi, e.to)
		}
	}
	return gaps, base, have
}

// unwrapped is a sequence number's offset from base: of all that it may be (RFC 9293 §3.4: modulo 2^32), the one nearest to another.
func unwrapped(seq, base uint32, near int64) int64 {
	return near + int64(int32(seq-base-uint32(near)))
}

// without takes an extent out of ascending ones.
func without(gaps []extent, e extent) []extent {
	k, found := slices.BinarySearchFunc(gaps, e.from, func(g extent, at int64) int { return cmp.Compare(g.to, at) })
	if found {
		k++
	}
	for ; k < len(gaps) && gaps[k].from < e.to; k++ {
		g := gaps[k]
		before, after := extent{g.from, min(g.to, e.from)}, extent{max(g.from, e.to), g.to}
		switch {
		case before.from < before.to && after.from < after.to:
			gaps[k] = before
			gaps = slices.Insert(gaps, k+1, after)
			k++
		case before.from < before.to:
			gaps[k] = before
		case after.from < after.to:
			gaps[k] = after
		default:
			gaps = slices.Delete(gaps, k, k+1)
			k--
		}
	}
	return gaps
}

// acknowledged finds, for each gap, the frame that acknowledges the least beyond it, index + 1; 0 for none.
func acknowledged(side *match.Side, id flow.ConvID, d int, base uint32, gaps []extent) []uint32 {
	type ack struct {
		at int64
		i  uint32 // index + 1
	}
	best := make([]ack, len(gaps)) // of those that reach up to this gap and not beyond the next
	began := false                 // what comes before the first byte's frame acknowledges something else
	last := int64(0)
	for i := range flow.UpTo(side.Cap.Span(id)) {
		x := side.Cap.At(i)
		if x.Mark&(flow.MarkError|flow.MarkLater) != 0 {
			continue
		}
		if side.Dir(i) == d {
			began = true
			continue
		}
		if !began || x.Flags()&(decode.ACK|decode.RST) != decode.ACK {
			continue
		}
		at := unwrapped(x.Ack, base, last)
		last = at
		k, found := slices.BinarySearchFunc(gaps, at, func(g extent, at int64) int { return cmp.Compare(g.to, at) })
		if !found {
			k--
		}
		if k >= 0 && (best[k].i == 0 || at < best[k].at) {
			best[k] = ack{at, i + 1}
		}
	}
	out := make([]uint32, len(gaps))
	var least ack
	for k := len(gaps) - 1; k >= 0; k-- {
		if b := best[k]; b.i != 0 { // less than what reaches beyond the next gap
			least = b
		}
		out[k] = least.i
	}
	return out
}
