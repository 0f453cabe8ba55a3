package annotate

import "fmt"

// ends tells which part of a conversation's tuple a field holds: in packets of the initiator's direction, and against it.
var ends = map[string][2]func(a *FlowAt) string{
	"ip.src": {src, dst}, "ip.dst": {dst, src}, "ipv6.src": {src, dst}, "ipv6.dst": {dst, src},
	"tcp.srcport": {sport, dport}, "tcp.dstport": {dport, sport}, "udp.srcport": {sport, dport}, "udp.dstport": {dport, sport}, "icmp.ident": {sport, sport},
}

func src(a *FlowAt) string   { return a.Src }
func dst(a *FlowAt) string   { return a.Dst }
func sport(a *FlowAt) string { return fmt.Sprint(a.Sport) }
func dport(a *FlowAt) string { return fmt.Sprint(a.Dport) }

// ChangedText is corr.changed.text of a frame: addresses and ports by its conversation's tuples, then what it carries
// itself.
func (f *File) ChangedText(point int, fr *Frame, c *Class) []string {
	var out []string
	here, there := f.flowAt(fr.Flow, point), f.flowAt(fr.Flow, c.PeerPoint)
	if !c.PeerDown {
		here, there = there, here
	}
	if here != nil && there != nil && here.Src != "" && there.Src != "" {
		for _, name := range c.Changed {
			e, ok := ends[name]
			if !ok {
				continue
			}
			get := e[0]
			if c.Reverse {
				get = e[1]
			}
			if a, b := get(here), get(there); a != b {
				out = append(out, name+": "+a+" → "+b)
			}
		}
	}
	if fr.Extra != nil {
		out = append(out, fr.Extra.ChangedText...)
	}
	return out
}

// flowAt is a conversation at a point; nil where it was not seen.
func (f *File) flowAt(id uint32, point int) *FlowAt {
	lo, hi := 0, len(f.Tables.Flows)
	for lo < hi {
		m := (lo + hi) / 2
		if f.Tables.Flows[m].ID < id {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == len(f.Tables.Flows) || f.Tables.Flows[lo].ID != id {
		return nil
	}
	l := f.Tables.Flows[lo].At
	for i := range l {
		if l[i].Point == point {
			return &l[i]
		}
	}
	return nil
}
