package infer

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/message"
)

// messages names the application messages that frames begin, where the payload was kept, and what each conversation
// carries.
func (v *Verdict) messages() {
	v.Messages = make([]map[uint32]string, len(v.Caps))
	for c := range v.Caps {
		v.Messages[c] = map[uint32]string{}
	}
	var wg sync.WaitGroup
	for c := range v.Caps {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var buf [2][]tcpSegment
			for _, f := range v.Flows {
				if f.Sides[c] != nil {
					v.messagesAt(f, c, &buf)
				}
			}
		}()
	}
	wg.Wait()
	named := make([][]uint32, len(v.Caps))
	for c, m := range v.Messages {
		named[c] = slices.Sorted(maps.Keys(m))
	}
	v.parallel(func() func(n int, f *match.Flow) {
		return func(n int, f *match.Flow) { v.State[n].App = v.app(f, named) }
	})
}

// Names are the messages of all conversations of a capture that is to be sealed. Which end began a TCP conversation may be
// known from another capture only; then both ways are read.
func Names(c *flow.Capture) map[flow.ConvID]flow.Names {
	out := map[flow.ConvID]flow.Names{}
	var buf [2][]tcpSegment
	for id := range c.Convs {
		id := flow.ConvID(id)
		in, proto := &c.Convs[id], c.Conv(id).Proto
		ways := []int{0, 1}
		switch {
		case proto != flow.ProtoTCP:
			ways = ways[:1]
		case in.SYN >= 0 || in.SYNACK >= 0:
			ways = []int{c.ClientDir(id)}
		}
		var names flow.Names
		for _, way := range ways {
			v := &Verdict{Result: &match.Result{Caps: []*flow.Capture{c}}, Messages: []map[uint32]string{{}}}
			v.messagesAt(&match.Flow{Proto: proto, Sides: []*match.Side{{Cap: c, Convs: []flow.ConvID{id}, Forward: []int{way}}}}, 0, &buf)
			for i, text := range v.Messages[0] {
				names[way] = append(names[way], flow.Name{Place: i, Text: text})
			}
			slices.SortFunc(names[way], func(x, y flow.Name) int { return cmp.Compare(x.Place, y.Place) })
		}
		if names[0] != nil || names[1] != nil {
			out[id] = names
		}
	}
	return out
}

// messagesAt names a flow's messages at one capture.
func (v *Verdict) messagesAt(f *match.Flow, c int, buf *[2][]tcpSegment) {
	if s := f.Sides[c]; s.Cap.Sealed != nil {
		for k, id := range s.Convs {
			names := s.Cap.Sealed.Names[id]
			l := names[s.Forward[k]]
			if l == nil {
				l = names[1-s.Forward[k]]
			}
			for _, n := range l {
				v.Messages[c][n.Place] = n.Text
			}
		}
		return
	}
	if !slices.ContainsFunc(f.Sides[c].Convs, func(id flow.ConvID) bool { from, to := f.Sides[c].Cap.Told(id); return from < to }) {
		return
	}
	if f.Proto != flow.ProtoTCP {
		v.datagramMessages(f, c, 0)
		v.datagramMessages(f, c, 1)
		return
	}
	before := len(v.Messages[c])
	for d := range buf {
		buf[d] = v.segmentsOf(f, c, d, buf[d])
		v.streamMessages(f, c, d, buf[d])
	}
	if len(v.Messages[c]) == before {
		v.segmentMessages(f, c, buf)
	}
}

// segmentMessages names the messages of TCP conversations whose messages have no framing that a stream is followed by: the
// lines of SMTP, FTP, POP and IMAP, the banner of SSH, what MQTT, LDAP and others begin with. What the first segment of
// either direction is, the conversation is.
func (v *Verdict) segmentMessages(f *match.Flow, c int, segs *[2][]tcpSegment) {
	s, t := f.Sides[c], f.Tuple(c)
	spoken := message.ProtoNone
	each := func(d int, name func(n int, src, dst uint16, b []byte, g tcpSegment) bool) {
		src, dst := t.Sport, t.Dport
		if d == 1 {
			src, dst = dst, src
		}
		for n, g := range segs[d] {
			if n >= namedMost && s.Cap.Len() > largeCapture {
				return
			}
			if b, ok := s.Cap.Payload(g.frame); ok && !name(n, src, dst, b, g) {
				return
			}
		}
	}
	for d := 1; d >= 0; d-- { // servers greet
		each(d, func(n int, src, dst uint16, b []byte, g tcpSegment) bool {
			if spoken == message.ProtoNone && n == 0 && g.off == 0 {
				spoken = message.Name(f.Proto, src, dst, b, int(g.n)).Proto
			}
			return false
		})
	}
	if spoken == message.ProtoNone {
		return
	}
	for d := range 2 {
		each(d, func(n int, src, dst uint16, b []byte, g tcpSegment) bool {
			info := message.Name(f.Proto, src, dst, b, int(g.n))
			if info.Proto != spoken && spoken.Lines() {
				info = message.NameAs(spoken, f.Proto, b, int(g.n))
			}
			if info.Proto == spoken {
				v.Messages[c][g.frame] = info.Text()
			}
			return true
		})
	}
}

// datagramMessages names what datagrams carry.
func (v *Verdict) datagramMessages(f *match.Flow, c, d int) {
	if f.Proto != flow.ProtoUDP && f.Proto != flow.ProtoSCTP {
		return
	}
	s := f.Sides[c]
	t := f.Tuple(c)
	src, dst := t.Sport, t.Dport
	if d == 1 {
		src, dst = dst, src
	}
	for _, id := range s.Convs {
		for i := range flow.UpTo(s.Cap.Told(id)) {
			x := s.Cap.At(i)
			if s.Dir(i) != d || x.Mark&(flow.MarkError|flow.MarkLater) != 0 {
				continue
			}
			if b, ok := s.Cap.Payload(i); ok {
				if info := message.Name(f.Proto, src, dst, b, int(x.Len())); info.Proto != message.ProtoNone {
					v.Messages[c][i] = info.Text()
				}
			}
		}
	}
}

// segment is one TCP segment's place in its stream.
type tcpSegment struct {
	off   uint64
	n     uint32
	frame uint32
}

// streamMessages names the messages of one direction of a TCP conversation; a message's name stands at the frame that
// its last byte came in, for a receiver can't act on it before.
func (v *Verdict) streamMessages(f *match.Flow, c, d int, segs []tcpSegment) {
	if len(segs) == 0 {
		return
	}
	s := f.Sides[c]
	stream := message.NewStream(d == 0, f.Tuple(c).Dport)
	kept := 0
	at := 0
	for n, g := range segs {
		if n >= namedMost && s.Cap.Len() > largeCapture {
			break
		}
		b, ok := s.Cap.Payload(g.frame)
		if !ok {
			continue
		}
		kept++
		stream.Write(g.off, b)
		at = v.note(c, segs, at, stream.Messages())
	}
	if kept == 0 {
		return
	}
	stream.Close()
	v.note(c, segs, at, stream.Messages())
}

// In captures of more than largeCapture frames only the first namedMost data segments of a direction are named: nobody
// reads more, and time must follow the number of packets, not their bytes.
const (
	namedMost    = 24
	largeCapture = 200_000
)

// note notes messages at the frames that they end in, from the segment with index at on.
func (v *Verdict) note(c int, segs []tcpSegment, at int, ms []message.StreamMessage) int {
	for k := range ms {
		m := &ms[k]
		name := label(m)
		if name == "" {
			continue
		}
		last := m.End() - 1
		if m.Len == 0 {
			last = m.Off
		}
		for at > 0 && segs[at].off > last {
			at--
		}
		for at+1 < len(segs) && segs[at].off+uint64(segs[at].n) <= last {
			at++
		}
		i := segs[at].frame
		if old := v.Messages[c][i]; old == "" {
			v.Messages[c][i] = name
		} else if len(old) < message.MaxLabel && !strings.HasSuffix(old, name) {
			v.Messages[c][i] = old + ", " + name
		}
	}
	return at
}

// label is a stream message's name with what identifies it.
func label(m *message.StreamMessage) string {
	n := m.Label
	if n == "" {
		n = m.Kind
	}
	if m.Proto == message.ProtoSOCKS {
		n = m.Proto.String() + " " + n
	}
	if m.TLS != nil {
		if t := m.TLS.Detail(); t != "" {
			n += " (" + t + ")"
		}
	}
	return n
}

// segmentsOf lists a direction's data segments in stream order, repeated bytes left out, up to the last one whose payload is kept.
func (v *Verdict) segmentsOf(f *match.Flow, c, d int, out []tcpSegment) []tcpSegment {
	s := f.Sides[c]
	out = out[:0]
	most := math.MaxInt
	if s.Cap.Len() > largeCapture {
		most = 4 * namedMost // repeated and overtaken ones included
	}
	var base uint32
	have := false
	for _, id := range s.Convs {
		from, _ := s.Cap.Span(id)
		_, to := s.Cap.Told(id)
		for i := range flow.UpTo(from, to) {
			x := s.Cap.At(i)
			if s.Dir(i) != d || x.Mark&(flow.MarkError|flow.MarkLater|flow.MarkDuplicate) != 0 {
				continue
			}
			if x.Flags()&decode.SYN != 0 && !have {
				base, have = x.Seq+1, true
			}
			if x.Len() == 0 || x.Flags()&decode.SYN != 0 {
				continue
			}
			if !have {
				base, have = x.Seq, true
			}
			if off := int64(int32(x.Seq - base)); off >= 0 {
				if out = append(out, tcpSegment{uint64(off), x.Len(), i}); len(out) == most {
					break
				}
			}
		}
	}
	inOrder := func(a, b tcpSegment) int { return cmp.Compare(a.off, b.off) }
	if !slices.IsSortedFunc(out, inOrder) {
		slices.SortStableFunc(out, inOrder)
	}
	end := uint64(0)
	kept := out[:0]
	for _, g := range out {
		if g.off+uint64(g.n) > end {
			kept = append(kept, g)
			end = g.off + uint64(g.n)
		}
	}
	return kept
}

// appLook is how many packets of a conversation its name is looked for in.
const appLook = 64

// app names what a conversation carries, from its first messages; named are the places of all, by capture, ascending.
func (v *Verdict) app(f *match.Flow, named [][]uint32) string {
	for d := 0; d < 2; d++ {
		for _, c := range f.Path[d] {
			s := f.Sides[c]
			for _, id := range s.Convs {
				from, to := s.Cap.Span(id)
				l := named[c]
				for k, _ := slices.BinarySearch(l, from); k < len(l) && l[k] < min(to, from+appLook); k++ {
					if s.Dir(l[k]) == d {
						return v.Messages[c][l[k]]
					}
				}
			}
		}
	}
	return ""
}
