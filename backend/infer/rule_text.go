package infer

import (
	"fmt"
	"strings"
	"time"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// point is a capture point's name.
func (v *Verdict) point(c int) string { return v.Caps[c].Name }

// stretch names the way between two points.
func (v *Verdict) stretch(s *Segment) string { return v.point(s.A) + " and " + v.point(s.B) }

// endpoint prints an address and port.
func endpoint(version uint8, a [16]byte, port uint16, proto uint8) string {
	t := addr(version, a)
	if proto == flow.ProtoICMP || proto == flow.ProtoICMPv6 || port == 0 {
		return t
	}
	if version == 6 {
		return fmt.Sprintf("[%s]:%d", t, port)
	}
	return fmt.Sprintf("%s:%d", t, port)
}

// tuple prints a flow's tuple at a capture, in the initiator's direction.
func (v *Verdict) tuple(f *match.Flow, c int) string {
	t := f.Tuple(c)
	return endpoint(t.Version, t.Src, t.Sport, f.Proto) + " → " + endpoint(t.Version, t.Dst, t.Dport, f.Proto)
}

// anywhere is a capture that saw a flow: the one nearest to its initiator.
func (v *Verdict) anywhere(f *match.Flow) int {
	for d := range f.Path {
		if len(f.Path[d]) > 0 {
			if d == 0 {
				return f.Path[d][0]
			}
			return f.Path[d][len(f.Path[d])-1]
		}
	}
	for c, s := range f.Sides {
		if s != nil {
			return c
		}
	}
	return 0
}

// several words a list of flows: the first ones by tuple, then how many more.
func (v *Verdict) several(fs []*match.Flow) string {
	var out []string
	for _, f := range fs[:min(len(fs), 2)] {
		out = append(out, v.tuple(f, v.anywhere(f)))
	}
	s := strings.Join(out, " and ")
	if n := len(fs) - len(out); n > 0 {
		s = strings.Join(out, ", ") + fmt.Sprintf(" and %d more", n)
	}
	return s
}

// frame words a frame: "server:12".
func (v *Verdict) frame(c int, i int64) string {
	return fmt.Sprintf("%s:%d", v.point(c), v.Caps[c].Frame(uint32(i)))
}

// clockTime is a frame's time of day on its own capture's clock, which is what the owner of a device nearby can search
// logs for.
func (v *Verdict) clockTime(c int, i int64) string {
	return time.Unix(0, int64(v.At(c, uint32(i)).Time())).UTC().Format("15:04:05")
}

// millis words a duration.
func millis(ns int64) string {
	switch a := abs64(ns); {
	case a < 1_000_000:
		return fmt.Sprintf("%d µs", ns/1000)
	case a < 1_000_000_000:
		return fmt.Sprintf("%.1f ms", float64(ns)/1e6)
	}
	return fmt.Sprintf("%.2f s", float64(ns)/1e9)
}

func abs64(x int64) int64 {
	if x < 0 {
		return -x
	}
	return x
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// failed reports whether a conversation did not do what its ends wanted, by a cause on the path.
func (v *Verdict) failed(f *match.Flow) bool {
	st := v.State[f.ID-1]
	if st.Outcome == "refused" && st.ClosedBy == "middlebox" {
		return true
	}
	switch st.Outcome {
	case "ok", "open", "reset", "refused", "no-answer":
		return false
	}
	return true
}

// severity is high if any of the conversations failed, low otherwise.
func (v *Verdict) severity(fs []*match.Flow, high, low string) string {
	for _, f := range fs {
		if v.failed(f) {
			return high
		}
	}
	return low
}

// failedFirst sorts conversations so that those that failed come first.
func (v *Verdict) failedFirst(fs []*match.Flow) []*match.Flow {
	var a, b []*match.Flow
	for _, f := range fs {
		if v.failed(f) {
			a = append(a, f)
		} else {
			b = append(b, f)
		}
	}
	return append(a, b...)
}

// travel orders a stretch's ends as packets of direction d pass them.
func (v *Verdict) travel(f *match.Flow, d int, s *Segment) (from, to int, ok bool) {
	toB, ok := v.Toward(f, d, s.A, s.B)
	if toB {
		return s.A, s.B, ok
	}
	return s.B, s.A, ok
}

// device words what stands on a stretch: its name, or "a device".
func (s *Segment) device(kinds ...string) string {
	for _, b := range s.Boxes {
		for _, k := range kinds {
			if b.Kind == k {
				return "a " + b.Name
			}
		}
	}
	return "a device"
}

// Touch is what looking at single packets of a conversation brings in at one point, as a number of facts for
// flow.Store.Visit: a system brings in neighbours too.
const Touch = 1 << 10

// each calls fn for every flow whose path has the stretch, with what is known of it there.
func (v *Verdict) each(s *Segment, fn func(f *match.Flow, j *match.Joint)) {
	for _, p := range s.passing {
		v.Caps[s.A].Store.Visit(2 * Touch)
		fn(p.f, p.j)
	}
}
