package flow

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/message"
)

// Options bound what Build keeps.
type Options struct {
	// PayloadBudget is the number of payload bytes kept for naming messages and comparing streams.
	PayloadBudget int
	// Store holds what is large; nil: memory does.
	Store *Store
	// Advance hears of every megabyte or so of input read; may be nil.
	Advance func(bytes int64)

	// For tests: segments that count as summed from the beginning on, and whether no frame is taken for a plain one.
	summed int64
	slowly bool
}

// DefaultPayloadBudget keeps captures of some ten thousand full-sized packets whole.
const DefaultPayloadBudget = 32 << 20

// Build reads a capture to its end. A file that is cut or damaged gives what lies before the damage, with Truncated
// set; an error means that nothing can be used, or that ctx was cancelled.
func Build(ctx context.Context, r *capture.Reader, o Options) (*Capture, error) {
	c := &Capture{Oddities: map[string]int64{}, table: NewTable(), Store: o.Store}
	c.kept.budget, c.kept.store = o.PayloadBudget, o.Store
	b := builder{c: c, facts: arranger{store: o.Store}, links: map[Link]uint16{}, summed: o.summed}
	var p capture.Packet
	var read int64
	for {
		if c.n&0xfff == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if o.Advance != nil {
				now := r.BytesRead()
				o.Advance(now - read)
				read = now
			}
		}
		if !b.ahead.sees() {
			b.ties.keep()
		}
		if err := r.Next(&p); err != nil {
			var cut *capture.TruncatedError
			if errors.As(err, &cut) {
				c.Truncated = cut.Error()
			} else if !errors.Is(err, io.EOF) {
				return nil, err
			}
			break
		}
		// Wireshark numbers some blocks that hold no packet; they keep their place.
		for c.n+1 < int(p.Number) {
			c.enclose(b.next(), uint32(c.n-1), 0, 0)
		}
		b.ahead.step(r, p.Link, &b)
		if o.slowly || !b.plain(&p) {
			b.add(&p)
		}
		b.ties.see(c, uint32(c.n-1), p.Time, p.OrigLen, p.Data)
	}
	b.ties.end(c)
	info := r.Info()
	c.Format, c.LinkTy, c.Secrets = info.Format, info.Link, r.Secrets()
	for _, i := range info.Interfaces {
		if i.Filter != "" {
			c.Filter = i.Filter
		}
		if i.HasDropped {
			c.Dropped += i.Dropped
		}
	}
	for k := range b.cut {
		c.MinHead[k] = b.headless[k]*20 <= b.cut[k]
	}
	b.facts.finish(c)
	c.settle()
	if b.unsummed*unsummedLeast < b.summed {
		b.unsummed = 0
	}
	for name, n := range map[string]int64{OddityCut: b.short, OddityOrder: b.early, OddityChecksum: b.unsummed} {
		if n > 0 {
			c.Oddities[name] = n
		}
	}
	return c, nil
}

type builder struct {
	c        *Capture
	facts    arranger
	pkt      decode.Packet
	links    map[Link]uint16
	lately   [linksKept]linkAt
	lastLink Link
	lastID   uint16
	ties     tieFinder
	cut      [2]int // payloads that the snaplen cut: of TCP, of all else
	headless [2]int // those with fewer than HeadTier bytes left
	short    int64  // frames that the snaplen cut
	early    int64  // frames whose time is before that of an earlier one
	unsummed int64  // of the first summed, TCP segments whose checksum is left to the card
	summed   int64
	haveLink bool
	ahead    ahead
}

// add appends the fact of one frame.
func (b *builder) add(p *capture.Packet) {
	c, d := b.c, &b.pkt
	decode.Decode(p.Link, p.Data, p.OrigLen, d)
	i := uint32(c.n)
	f := b.begin(p)
	if b.summed < summedMost && d.IP.Proto == protoTCP && d.TCP.Captured >= 18 && !d.IP.Fragment() {
		b.summed++
		if leftToCard(d) {
			b.unsummed++
		}
	}
	link := b.link(p, d)
	id, reverse := c.table.Add(d, p.Number)
	b.facts.belongs(id)
	if reverse {
		f.setDir(1)
	}
	b.network(f, d)
	c.enclose(f, i, p.OrigLen, link)
	if d.Cut {
		c.Oddities["header-cut"]++
	}
	if id != NoConv {
		b.conversation(i, f, id, d.IP.Proto, d.Payload, &d.TCP)
	}
}

// begin appends the fact of a frame with its time.
func (b *builder) begin(p *capture.Packet) *Fact {
	c, f := b.c, b.next()
	f.setTime(p.Time)
	if p.HasTime {
		f.Mark = 0
	}
	if p.HasTime && (c.First == 0 || p.Time < c.First) {
		c.First = p.Time
	}
	if p.HasTime && p.Time > c.Last {
		c.Last = p.Time
	} else if p.HasTime && p.Time < c.Last {
		b.early++
	}
	if uint32(len(p.Data)) < p.OrigLen {
		b.short++
	}
	return f
}

// Names of Oddities that are no fault of the capture, and no sign of one on the way.
const (
	OddityCut      = "cut-by-snaplen"
	OddityOrder    = "out-of-order-in-file"
	OddityChecksum = "checksum-offload"
)

// summedMost is how many TCP segments of a capture are looked at for checksums that the card fills in.
const summedMost = 4096

// One in unsummedLeast of them must be without a checksum of its own: a host's own segments are half or so of what it captures,
// and one checksum in 32,768 looks as if it were not made.
const unsummedLeast = 20

// leftToCard reports whether a segment's checksum is not yet made: none, or the sum of the pseudo header alone, which Linux and
// others leave there for the network card to go on from (RFC 9293 §3.1 for the pseudo header).
func leftToCard(d *decode.Packet) bool {
	sum := uint32(protoTCP) + uint32(d.TCP.HeaderLen) + d.PayloadLen
	from := 0
	if d.IP.Version == 4 {
		from = 12
	}
	for i := from; i < 16; i += 2 {
		sum += uint32(d.IP.Src[i])<<8 | uint32(d.IP.Src[i+1])
		sum += uint32(d.IP.Dst[i])<<8 | uint32(d.IP.Dst[i+1])
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return d.TCP.Checksum == 0 || d.TCP.Checksum == uint16(sum)
}

// next appends an empty fact.
func (b *builder) next() *Fact {
	b.c.n++
	return b.facts.add()
}

// network fills what lies below and in the transport header.
func (b *builder) network(f *Fact, d *decode.Packet) {
	if d.Reach < decode.ReachNetwork {
		if d.Kind != decode.KindOther {
			f.Mark |= MarkLocal
		}
		return
	}
	if d.Kind != decode.KindOther {
		f.Mark |= MarkLocal
	}
	ip := &d.IP
	f.TTL, f.TOS, f.IPID = ip.TTL, ip.TOS, uint16(ip.ID)
	if ip.HasID {
		f.Mark |= MarkHasID
	}
	if ip.DF {
		f.Mark |= MarkDF
	}
	f.setLen(d.PayloadLen)
	if ip.FragOff > 0 {
		f.Mark |= MarkLater
		f.Seq, f.Ack = ip.ID, ip.FragOff
	} else if d.Reach == decode.ReachTransport {
		transport(f, d)
		if ip.Fragment() {
			f.Mark |= MarkFragment
		}
	}
	if f.Mark&MarkError == 0 {
		hashPayload(f, d.Payload)
	}
	b.c.OptionsCut = b.c.OptionsCut || f.Is(MarkOptionsCut)
	b.c.HeadersCut = b.c.HeadersCut || f.Short()
	b.c.QuotesCut = b.c.QuotesCut || f.LacksQuote(ip.Proto) || d.Quote.Valid && partly(&d.Quote)
	b.whole(f)
}

// whole notes whether a payload is.
func (b *builder) whole(f *Fact) {
	if f.Is(MarkCut) {
		k := 1
		if f.Is(MarkTCP) {
			k = 0
		}
		b.c.AnyCut[k] = true
		b.cut[k]++
		if !f.Is(MarkHead) {
			b.headless[k]++
		}
	}
}

// Bytes of a TCP header (RFC 9293 §3.1): up to its window, and without options.
const windowEnd, headerEnd = 16, 20

// transport fills Seq to Opt, see Fact.
func transport(f *Fact, d *decode.Packet) {
	switch d.IP.Proto {
	case ProtoTCP:
		t := &d.TCP
		if t.Captured < windowEnd {
			f.Mark |= MarkOptionsCut
			f.Seq, f.Ack = t.Seq, t.Ack
			return
		}
		f.Mark |= MarkTCP
		if t.OptionsCut || t.Captured < headerEnd {
			f.Mark |= MarkOptionsCut
		}
		f.setFlags(t.Flags)
		f.Seq, f.Ack, f.Window = t.Seq, t.Ack, t.Window
		opt := uint32(0)
		if t.HasTS {
			f.TSval = t.TSval
			f.Mark |= MarkTS
			opt = uint32(echoed(t.TSec))
		}
		for k := 0; k < int(t.NSACK); k++ {
			opt = uint32(Mix(uint64(t.SACK[k][0]-t.Ack)<<32|uint64(t.SACK[k][1]-t.Ack), uint64(opt)))
		}
		f.Opt = uint16(opt)
	case ProtoICMP, ProtoICMPv6:
		kind, code := icmpType(d)
		f.setFlags(kind)
		f.Window = code
		if q := &d.Quote; q.Valid {
			// Addresses, ports, TTL and checksums inside the quote are translated on the way; what names the quoted
			// packet is not: its identification, length and sequence number. From one IP version to the other the
			// identification isn't kept either, nor the header's length.
			f.Mark |= MarkError | MarkHead
			f.Seq, f.Ack = q.Seq, q.IP.ID
			if d.IP.Src == q.IP.Dst {
				f.Opt = ErrorByEnd
			}
			f.Head = uint32(Mix(uint64(q.IP.DataLen), uint64(q.Seq)<<16|uint64(Versionless(q.IP.Proto))))
			f.Full = uint32(Mix(uint64(f.Head)<<32|uint64(q.IP.ID), 1))
			return
		}
		f.Seq, f.Ack = uint32(d.Sport), uint32(d.ICMPSeq)
	case ProtoESP, ProtoSCTP:
		f.Seq, f.Ack = d.TCP.Seq, d.TCP.Ack
	}
}

// echoed is what a timestamp that is echoed makes of Fact.Opt, if nothing is acknowledged selectively.
func echoed(tsecr uint32) uint16 { return uint16(Mix(uint64(tsecr), 1)) }

// partly reports whether a quoted packet ends in front of what names its conversation and itself.
func partly(q *decode.Quote) bool {
	switch q.IP.Proto {
	case ProtoTCP:
		return !q.HasPorts || !q.HasSeq
	case ProtoUDP:
		return !q.HasPorts
	}
	return false
}

// Versionless takes ICMPv6 for ICMP, which a translator between IP versions makes of it.
func Versionless(proto uint8) uint8 {
	if proto == ProtoICMPv6 {
		return ProtoICMP
	}
	return proto
}

// icmpType gives type and code in ICMP's numbers: a translator between IP versions (RFC 7915 §4.2, §5.2) changes them.
func icmpType(d *decode.Packet) (kind, code uint16) {
	kind, code = uint16(d.ICMPType), uint16(d.ICMPCode)
	if d.IP.Proto != ProtoICMPv6 {
		return kind, code
	}
	switch {
	case kind == 128, kind == 129: // echo
		return 8 - 8*(kind-128), code
	case kind == 1: // destination unreachable
		return 3, [...]uint16{1, 10, 1, 1, 3}[min(code, 4)]
	case kind == 2: // packet too big
		return 3, 4
	case kind == 3: // time exceeded
		return 11, code
	case kind == 4 && code == 1: // unknown next header
		return 3, 2
	case kind == 4: // parameter problem
		return 12, 0
	}
	return 1<<11 | kind, code // has no counterpart
}

// linkAt is what a link-layer context is made from, as far as frames without tunnel and cooked header have it: the two directions of
// a capture alternate, so most frames are like the last one with their destination.
type linkAt struct {
	src, dst  [6]byte
	face      uint32
	vlan      uint16
	vlans     uint8
	hasMAC    bool
	direction capture.Direction
	used      bool
	id        uint16
}

// is reports whether a frame's context is that which is noted.
func (k *linkAt) is(src, dst *[6]byte, p *capture.Packet, hasMAC bool, vlans uint8, vlan uint16) bool {
	return k.used && k.src == *src && k.dst == *dst && k.face == p.Interface && k.direction == p.Direction && k.hasMAC == hasMAC && k.vlans == vlans && k.vlan == vlan
}

// linksKept is how many contexts are looked at before the map of all.
const linksKept = 16

// link interns the frame's link-layer context.
func (b *builder) link(p *capture.Packet, d *decode.Packet) uint16 {
	if d.NTunnel > 0 || d.Direction != capture.DirectionUnknown {
		return b.linkID(p, d)
	}
	k := b.recent(&d.SrcMAC, &d.DstMAC)
	if !k.is(&d.SrcMAC, &d.DstMAC, p, d.HasMAC, d.VLANs, d.VLAN) {
		*k = linkAt{src: d.SrcMAC, dst: d.DstMAC, face: p.Interface, direction: p.Direction, hasMAC: d.HasMAC, vlans: d.VLANs, vlan: d.VLAN, used: true, id: b.linkID(p, d)}
	} else if k.id == noLink {
		b.c.Oddities["too-many-links"]++
	}
	return k.id
}

// recent is where the context of the last frame between two addresses is noted, if it still is.
func (b *builder) recent(src, dst *[6]byte) *linkAt {
	return &b.lately[(dst[5]^src[5]<<2^dst[4])%linksKept]
}

// noLink is shared by the contexts beyond those that a capture has room for, and is empty.
const noLink = 1<<16 - 1

// linkID is the number of a frame's context among all.
func (b *builder) linkID(p *capture.Packet, d *decode.Packet) uint16 {
	l := Link{Src: d.SrcMAC, Dst: d.DstMAC, HasMAC: d.HasMAC, Interface: p.Interface, Direction: p.Direction, VLANs: d.VLANs, VLAN: d.VLAN, NTunnel: d.NTunnel, Tunnel: d.Tunnel}
	if d.Direction != capture.DirectionUnknown {
		l.Direction, l.Interface = d.Direction, l.Interface<<16^d.InterfaceIndex
	}
	if d.NTunnel > 0 {
		l.VNI, l.OuterSrc, l.OuterDst, l.OuterVer = d.VNI, d.Outer.Src, d.Outer.Dst, d.Outer.Version
	}
	if b.haveLink && l == b.lastLink {
		return b.lastID
	}
	id, ok := b.links[l]
	if !ok {
		if len(b.c.Links) >= noLink {
			if len(b.c.Links) == noLink {
				b.c.Links = append(b.c.Links, Link{})
			}
			b.c.Oddities["too-many-links"]++
			return noLink
		}
		id = uint16(len(b.c.Links))
		b.c.Links = append(b.c.Links, l)
		b.links[l] = id
	}
	b.lastLink, b.lastID, b.haveLink = l, id, true
	return id
}

// conversation adds the packet to what its conversation adds up to; t is the header of a SYN.
func (b *builder) conversation(i uint32, f *Fact, id ConvID, proto uint8, payload []byte, t *decode.TCP) {
	c := b.c
	for int(id) >= len(c.Convs) {
		c.Convs = roomy(c.Convs)
		c.Convs = append(c.Convs, Info{First: i, SYN: -1, SYNACK: -1})
	}
	in := &c.Convs[id]
	if in.Packets == [2]uint32{} {
		in.First = i // the conversation may have been heard of before
	}
	dir := f.Dir()
	in.Packets[dir]++
	in.Last = i
	if f.Is(MarkError) {
		in.Errors[dir]++
		return
	}
	in.Bytes[dir] += uint64(f.Len())
	if proto == ProtoTCP && f.Mark&MarkLater == 0 {
		in.Flags[dir] |= f.Flags()
		if f.Flags()&decode.SYN != 0 {
			b.handshake(i, f, in, t)
		}
	}
	head := false
	if f.Len() > 0 {
		h := &in.Data[dir]
		if !h.Seen {
			*h = Head{Fact: i, Seen: true, H16: prefix(payload, 16), H32: prefix(payload, 32), H64: prefix(payload, 64), Class: uint8(message.Sniff(payload))}
			head = true
		} else {
			head = i-h.Fact < 16 || in.Packets[dir] < 8
		}
	}
	c.kept.add(i, payload, head)
}

// roomy makes room for one more in a list that grows long: twice as much each time, so that it is not copied over and over.
func roomy[T any](l []T) []T {
	if len(l) < cap(l) {
		return l
	}
	return slices.Grow(l, max(64, len(l)))
}

func prefix(b []byte, n int) uint32 {
	if len(b) < n {
		return 0
	}
	return hash32(b[:n]) | 1
}

func (b *builder) handshake(i uint32, f *Fact, in *Info, t *decode.TCP) {
	at := &in.SYN
	if f.Flags()&decode.ACK != 0 {
		at = &in.SYNACK
	}
	if *at >= 0 {
		return // a retransmission
	}
	*at = int32(len(b.c.Handshakes))
	b.c.Handshakes = roomy(b.c.Handshakes)
	b.c.Handshakes = append(b.c.Handshakes, Handshake{Fact: i, MSS: t.MSS, WScale: t.WScale, SACKPerm: t.SACKPerm, HasTS: t.HasTS, TFO: t.TFO, MPTCP: t.MPTCP, Kinds: t.OptionKinds, NKinds: t.NOptionKinds, Cut: f.Is(MarkOptionsCut)})
}
