package match

import (
	"math"
	"slices"

	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/message"
)

// A kind of evidence that two conversations are the same one. What each survives is in the table of ARCHITECTURE.md.
type evidence uint8

const (
	evISN         evidence = iota // initial sequence number of one side
	evSegment                     // sequence number, length and first bytes of a segment
	evAck                         // sequence and acknowledgement number of an empty segment
	evTS                          // TCP timestamps
	evStream64                    // first 64 bytes of a direction
	evStream32                    // first 32 bytes
	evStream16                    // first 16 bytes
	evText                        // first 64 bytes, of readable text
	evHello                       // first bytes of a TLS hello, five of them random
	evPayload                     // a datagram's bytes
	evIPID                        // a datagram's bytes with its IP identification
	evQUIC                        // connection ID
	evIPIDOnly                    // a packet's IP identification alone
	evRun                         // a run of bytes somewhere in a stream
	evSealed                      // a run of encrypted bytes, or a whole record of them
	evError                       // the packet that an ICMP error quotes
	evExchange                    // requests and answers that nest in time and size
	evTuple                       // both addresses and ports
	evProxied                     // a PROXY protocol header that names the other's addresses and ports
	evFront                       // addresses and ports that a header may name; alone no evidence
	evLog                         // a log's record of the translation
	evAlike                       // addresses that other conversations show to belong together, and the time
	evTransaction                 // a SIP message of one transaction
	evNumber                      // sequence number alone, of a TCP header that may be cut behind it
	evWhole                       // a datagram's bytes, more of them than every capture holds
	nEvidence
)

var evidenceWords = [nEvidence]string{"initial sequence number", "sequence numbers of data segments", "sequence and acknowledgement numbers", "TCP timestamps", "first bytes of the stream", "first bytes of the stream", "first bytes of the stream", "first bytes of the stream", "TLS hello", "payload bytes", "payload bytes and IP identification", "QUIC connection ID", "IP identifications", "runs of bytes in the stream", "encrypted bytes", "packets that ICMP errors quote", "requests and answers by time and size", "addresses and ports", "PROXY protocol header", "", "translations that a log records", "hosts that other conversations show to be the same, and the time", "SIP transactions", "sequence numbers", "payload bytes"}

// bits is how much one shared key of a kind tells at best: the entropy of what it hashes. Sequence numbers are 32
// random bits (RFC 6528) less what a birthday among many conversations costs; payloads of unknown make are taken for
// less than they are.
var bits = [nEvidence]float64{30, 30, 30, 24, 30, 14, 10, 20, 28, 12, 14, 30, 7, 12, 28, 14, 0, 8, 30, 0, 50, 0, 30, 28, 12}

// most is what one kind may add up to: keys of one kind are not independent. Identifications are counters: that two of
// them pass through the same values is one coincidence by direction, however many packets they number.
var most = [nEvidence]float64{60, 90, 60, 48, 60, 28, 12, 40, 56, 60, 60, 60, 14, 20, 60, 28, 0, 8, 60, 0, 50, 0, 60, 60, 60}

// entry is one key of one conversation.
type entry struct {
	key uint64
	of  uint64 // the conversation, see newEntry: keys are many and sorted, so this is one word
}

func newEntry(key uint64, r ref, capture int, kind evidence) entry {
	return entry{key, uint64(r)<<32 | uint64(uint16(capture))<<8 | uint64(kind)}
}

func (e *entry) ref() ref        { return ref(e.of >> 32) }
func (e *entry) capture() uint16 { return uint16(e.of >> 8) }
func (e *entry) kind() evidence  { return evidence(e.of) }

// ref names a conversation by its number among those of all captures, one capture after the other, and a direction in it.
type ref uint32

func (r ref) number() uint32 { return uint32(r >> 1) }

// level says how much of a payload every capture can hash: a key must be made alike everywhere.
type level [2]tier // of TCP, of all else

type tier uint8

const (
	levelNone tier = iota // a snaplen cut payloads shorter than flow.HeadTier
	levelHead
	levelFull
)

// commonLevel is what all of some captures can hash.
func commonLevel(caps ...*flow.Capture) level {
	l := level{levelFull, levelFull}
	for _, c := range caps {
		for k := range l {
			switch {
			case !c.AnyCut[k]:
			case c.MinHead[k]:
				l[k] = min(l[k], levelHead)
			default:
				l[k] = levelNone
			}
		}
	}
	return l
}

func (l level) of(f *flow.Fact) tier {
	if f.Is(flow.MarkTCP) {
		return l[0]
	}
	return l[1]
}

func (l level) hash(f *flow.Fact) uint64 {
	switch l.of(f) {
	case levelFull:
		return uint64(f.Full)
	case levelHead:
		return uint64(f.Head)
	}
	return 0
}

// Evidence of a long conversation is sampled: its first packets, the last ones, and every packet whose key says so, the
// same on both sides. A conversation that two captures share only in part still shares a part of the sample.
const (
	sampleHead = 6
	sampleTail = 3
	sampleMask = 1<<5 - 1
)

// sampler chooses the packets of a conversation that make keys.
type sampler struct {
	mask  uint64 // of the hash of later packets' keys; 0: all
	early bool   // this packet lies at an end of the conversation
}

// shares is the number of parts that keys are dealt out to, so that all cores sort at once and each sort stays in reach of
// the cache; keyShift is where the bits of a key begin that say which.
const (
	shares   = 64
	keyShift = 58
)

// dealt are entries by the upper bits of their keys.
type dealt struct {
	share   [shares]pile
	capture int
	first   uint32  // the number of the capture's first conversation
	convs   uint32  // of the capture
	only    *keySet // nil: all keys
}

// ref names a direction of one of the capture's conversations.
func (l *dealt) ref(id flow.ConvID, dir int) ref { return ref(l.first+uint32(id))<<1 | ref(dir) }

// conv is the conversation of the capture that has a number.
func (l *dealt) conv(number uint32) Conv { return Conv{l.capture, flow.ConvID(number - l.first)} }

// pile is a list in pieces: it grows without copying.
type pile struct {
	chunks [][]entry
	n      int
}

const pileFirst, pileMost = 16, 2048 // entries of a piece

func (p *pile) add(e entry) {
	k := len(p.chunks) - 1
	if k < 0 || len(p.chunks[k]) == cap(p.chunks[k]) {
		p.chunks = append(p.chunks, make([]entry, 0, min(max(pileFirst, p.n), pileMost)))
		k++
	}
	p.chunks[k] = append(p.chunks[k], e)
	p.n++
}

// keySet is a set of keys, by some of their bits: it may say yes of a key that it does not hold.
type keySet [1 << keySetBits / 64]uint64

const keySetBits = 24

func (s *keySet) add(key uint64)      { s[key>>6&(1<<keySetBits/64-1)] |= 1 << (key & 63) }
func (s *keySet) has(key uint64) bool { return s[key>>6&(1<<keySetBits/64-1)]>>(key&63)&1 != 0 }

// add notes a key of a direction of one of the capture's conversations.
func (l *dealt) add(kind evidence, id flow.ConvID, dir int, key uint64) {
	if l.only != nil && !l.only.has(key) {
		return
	}
	l.share[key>>keyShift].add(newEntry(key, l.ref(id, dir), l.capture, kind))
}

// entries adds to out the keys of those conversations of a capture that want says; nil wants all.
// heads are the PROXY headers of each capture, nil if none has any; logged is what logs say of translations, nil for nothing.
func entries(caps []*flow.Capture, k int, l level, mask uint64, heads []map[flow.ConvID]flow.Front, logged *said, want func(id flow.ConvID) bool, out *dealt) {
	c := caps[k]
	numbers := slices.ContainsFunc(caps, func(c *flow.Capture) bool { return c.HeadersCut })
	for id := range c.Convs {
		if want == nil || want(flow.ConvID(id)) {
			conversationEntries(out, c, flow.ConvID(id), l, mask, numbers)
			if heads != nil && c.Conv(flow.ConvID(id)).Proto == flow.ProtoTCP {
				frontEntries(out, c, flow.ConvID(id), heads[k])
			}
			if logged != nil {
				logged.entries(out, c, flow.ConvID(id))
			}
		}
	}
}

// conversationEntries adds the keys of one conversation; numbers: of sequence numbers alone too.
func conversationEntries(out *dealt, c *flow.Capture, id flow.ConvID, l level, mask uint64, numbers bool) {
	in, cv := &c.Convs[id], c.Conv(id)
	proto := flow.Versionless(cv.Proto)
	emit := func(kind evidence, dir int, a, b uint64) {
		out.add(kind, id, dir, flow.Mix(flow.Mix(a, b), uint64(kind)<<8|uint64(proto)))
	}
	t := c.Tuple(id, 0)
	dir := 0
	if less(t.Dst, t.Dport, t.Src, t.Sport) {
		t, dir = c.Tuple(id, 1), 1
	}
	emit(evTuple, dir, addrKey(t.Src, t.Sport), addrKey(t.Dst, t.Dport))
	numbers = numbers && cv.Proto == flow.ProtoTCP
	if cv.Proto == flow.ProtoTCP {
		for d := range in.Data {
			if begins(c, in, d) {
				streamEntries(emit, d, &in.Data[d])
			}
		}
	}
	if mask != sampleMask && cv.Proto == flow.ProtoTCP {
		runEntries(emit, c, id)
	}
	seen := [2]int{}
	own := commonLevel(c)
	sip := speaksSIP(c, id)
	from, to := c.Span(id)
	for i := from; i < to; i++ {
		f := c.At(i)
		if f.Is(flow.MarkDuplicate) {
			continue
		}
		d := f.Dir()
		if f.Is(flow.MarkError) {
			if seen[d] < sampleHead && f.Full != 0 {
				emit(evError, d, uint64(f.Flags())<<16|uint64(f.Window), uint64(f.Full))
			}
			continue
		}
		sm := sampler{mask, seen[d] < sampleHead || i+sampleTail >= to}
		seen[d]++
		if cv.Proto == flow.ProtoTCP && f.Mark&flow.MarkLater == 0 {
			tcpEntries(emit, f, d, sm, seen[d], i+sampleTail >= to, l)
			if numbers && f.Seq != 0 && sm.takes(uint64(f.Seq)) {
				emit(evNumber, d, uint64(f.Seq), 0)
			}
		} else {
			datagramEntries(emit, f, cv.Proto, d, sm, l)
			for t := l[1] + 1; t <= own[1]; t++ { // others hold more than the least one does
				datagramEntry(emit, f, cv.Proto, d, sm, level{1: t})
			}
			if sip {
				if key := transaction(c, i); key != 0 && sm.takes(key) {
					emit(evTransaction, d, key, 0)
				}
			}
		}
	}
}

// begins reports whether the first data that a capture holds of a stream can be the stream's first: behind a SYN that it
// holds too, the numbers tell (RFC 9293 §3.4).
func begins(c *flow.Capture, in *flow.Info, d int) bool {
	for _, at := range [2]int32{in.SYN, in.SYNACK} {
		if at < 0 {
			continue
		}
		if f := c.At(c.Handshakes[at].Fact); f.Dir() == d {
			return !in.Data[d].Seen || c.At(in.Data[d].Fact).Seq-f.Seq <= 1
		}
	}
	return true
}

// streamEntries makes keys of a stream's first bytes, at every length that was captured: another capture may hold fewer.
// What protocols always begin with tells little; the random bytes of a TLS hello tell much.
func streamEntries(emit func(evidence, int, uint64, uint64), d int, h *flow.Head) {
	class := message.Proto(h.Class)
	if class == message.ProtoTLS && h.H16 != 0 {
		emit(evHello, d, uint64(h.H16), 16)
	}
	if class == message.ProtoTLS || class == message.ProtoNone {
		if h.H64 != 0 {
			emit(evStream64, d, uint64(h.H64), 64)
		}
	} else if h.H64 != 0 {
		emit(evText, d, uint64(h.H64), 64)
	}
	if class == message.ProtoTLS {
		return
	}
	if h.H32 != 0 {
		emit(evStream32, d, uint64(h.H32), 32)
	}
	if h.H16 != 0 {
		emit(evStream16, d, uint64(h.H16), 16)
	}
}

// takes lets through packets at the ends, and others where their own content says so.
func (s sampler) takes(key uint64) bool {
	return s.early || (key*0x9E3779B97F4A7C15)>>32&s.mask == 0
}

func tcpEntries(emit func(evidence, int, uint64, uint64), f *flow.Fact, d int, sm sampler, n int, last bool, l level) {
	switch {
	case f.Flags()&decode.SYN != 0 && f.Seq == 0:
		// No stack begins at 0; programs that make up headers do.
	case f.Flags()&decode.SYN != 0:
		emit(evISN, d, uint64(f.Seq), uint64(f.Flags()&decode.ACK))
	case f.Len() > 0:
		if sm.takes(uint64(f.Seq)) {
			emit(evSegment, d, uint64(f.Seq)<<32|uint64(f.Len()), l.hash(f))
		}
	case f.Flags()&(decode.RST|decode.ACK) == decode.RST|decode.ACK && (f.Seq == 0 || n == 1):
		// A refusal names the SYN that it answers (RFC 9293 §3.5.2).
		emit(evISN, 1-d, uint64(f.Ack-1), 0)
	default:
		if (sampler{sm.mask, n <= 3 || last}).takes(uint64(f.Seq) ^ uint64(f.Ack)<<7) {
			emit(evAck, d, uint64(f.Seq)<<32|uint64(f.Ack), 0)
		}
	}
	if sm.mask != sampleMask && f.IPID != 0 {
		emit(evIPIDOnly, d, uint64(f.IPID), 1) // a gateway may have rewritten the payload, and the numbers with it
	}
	if f.Is(flow.MarkTS) && (n <= 4 || sm.mask != sampleMask) { // also where a capture began late, and only these survived
		emit(evTS, d, uint64(f.TSval)<<32|uint64(f.Opt), uint64(f.Len()))
	}
}

// datagramID is what a datagram says of itself beside its bytes.
func datagramID(f *flow.Fact, proto uint8) uint64 {
	id := uint64(f.Flags())<<48 | uint64(f.Window)<<32
	switch {
	case f.Is(flow.MarkLater):
		return uint64(f.Ack)<<32 | 1
	case proto == flow.ProtoESP, proto == flow.ProtoSCTP:
		return uint64(f.Seq)<<32 | uint64(f.Ack)
	case proto == flow.ProtoICMP, proto == flow.ProtoICMPv6:
		id |= uint64(f.Ack) // the sequence number; a translation may rewrite the identifier
	}
	return id
}

// datagramEntry adds the key of a datagram's bytes at a level that not all captures have.
func datagramEntry(emit func(evidence, int, uint64, uint64), f *flow.Fact, proto uint8, d int, sm sampler, l level) {
	id := datagramID(f, proto)
	if h := l.hash(f); h != 0 && proto != flow.ProtoESP && sm.takes(id^h) {
		emit(evWhole, d, id, h<<32|uint64(f.Len())^uint64(l[1])<<24)
	}
}

func datagramEntries(emit func(evidence, int, uint64, uint64), f *flow.Fact, proto uint8, d int, sm sampler, l level) {
	h := l.hash(f)
	id := datagramID(f, proto)
	if proto == flow.ProtoESP {
		if sm.takes(id) {
			emit(evSegment, d, id, 0)
		}
		return
	}
	if (h != 0 || id != 0) && sm.takes(id^h) {
		emit(evPayload, d, id, h<<32|uint64(f.Len()))
	}
	if f.IPID != 0 && sm.takes(id^h^uint64(f.IPID)<<24) {
		emit(evIPID, d, id, h<<32|uint64(f.IPID)<<16^uint64(f.Len()))
	}
	if f.IPID != 0 && proto == flow.ProtoUDP && sm.takes(uint64(f.IPID)) {
		emit(evIPIDOnly, d, uint64(f.IPID), 1) // a gateway may have rewritten the payload
	}
}

func addrKey(a decode.Addr, port uint16) uint64 {
	var hi, lo uint64
	for i := 0; i < 8; i++ {
		hi, lo = hi<<8|uint64(a[i]), lo<<8|uint64(a[i+8])
	}
	return flow.Mix(hi, lo) ^ uint64(port)<<40
}

func less(a decode.Addr, ap uint16, b decode.Addr, bp uint16) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return ap < bp
}

// crowd is the number of conversations of one capture that may share a key before the key stops telling anything.
const crowd = 12

// vote is one key that a conversation of one capture shares with one of another.
type vote struct {
	pair uint64 // the numbers of the two conversations, that of the earlier capture first
	what uint64 // its kind and weight, and in which capture and which way round the second one is, see newVote: in the order that they count in
}

func newVote(a, b ref, capture uint16, kind evidence, w float32) vote {
	return vote{uint64(a.number())<<32 | uint64(b.number()), uint64(capture)<<48 | uint64(kind)<<40 | uint64((a^b)&1)<<32 | uint64(math.Float32bits(w))}
}

func (v *vote) a() uint32       { return uint32(v.pair >> 32) }
func (v *vote) b() uint32       { return uint32(v.pair) }
func (v *vote) capture() uint16 { return uint16(v.what >> 48) }
func (v *vote) kind() evidence  { return evidence(v.what >> 40) }
func (v *vote) flip() bool      { return v.what>>32&1 != 0 }
func (v *vote) weight() float64 { return float64(math.Float32frombits(uint32(v.what))) }

func byKey(x, y entry) int { return compareWords(x.key, x.of, y.key, y.of) }

// votes adds the votes of the conversations that share keys, of one share of them in the order of keys.
func votes(es []entry, out []vote) []vote {
	for i := 0; i < len(es); {
		j := i + 1
		for j < len(es) && es[j].key == es[i].key {
			j++
		}
		if j > i+1 {
			out = groupVotes(out, es[i:j])
		}
		i = j
	}
	return out
}

// groupVotes adds the votes of one key's holders.
func groupVotes(out []vote, g []entry) []vote {
	g = slices.CompactFunc(g, func(x, y entry) bool { return x.of>>33 == y.of>>33 })
	if len(g) < 2 || g[0].capture() == g[len(g)-1].capture() {
		return out
	}
	kind := g[0].kind()
	header := kind == evProxied || kind == evFront
	if header {
		kind = evProxied
	}
	for i := 0; i < len(g); {
		ie := captureEnd(g, i)
		for j := ie; j < len(g); {
			je := captureEnd(g, j)
			n := float64((ie - i) * (je - j))
			if ie-i <= crowd && je-j <= crowd {
				w := float32(bits[kind] / n)
				for p := i; p < ie; p++ {
					for q := j; q < je; q++ {
						a, b := &g[p], &g[q]
						if header && a.kind() == b.kind() {
							continue
						}
						out = append(out, newVote(a.ref(), b.ref(), b.capture(), kind, w))
					}
				}
			}
			j = je
		}
		i = ie
	}
	return out
}

func captureEnd(g []entry, i int) int {
	j := i + 1
	for j < len(g) && g[j].capture() == g[i].capture() {
		j++
	}
	return j
}
