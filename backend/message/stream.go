package message

// Stream finds the messages in one direction of a TCP connection: records of TLS, messages of HTTP/1, SIP and DNS,
// frames of HTTP/2 with the fields of their headers, and what is said to a proxy before the payload proper (PROXY protocol, SOCKS, CONNECT).
//
// Bytes are written in stream order; what was not captured is skipped (Gap, or a Write further on). A hole inside a
// body whose length is known costs nothing; any other hole loses the place, which is found again where a segment
// (a Write) begins with a message beyond doubt. Bodies are passed over, never kept: memory is bounded by maxHead, but
// for the list of messages, which Messages hands over.
type Stream struct {
	initiator bool
	port      uint16

	started bool
	next    uint64 // offset of the byte that comes next
	fresh   bool   // next is where a segment begins
	mode    mode
	gap     bool   // bytes were lost or not understood since the last message
	buf     []byte // a header begun; it lies before next
	out     []StreamMessage

	cur  StreamMessage // the message begun, where open
	open bool
	left uint64 // bytes of cur, or of its chunk, that come next

	record   tlsRecord
	body     bodyState
	socks    int // steps of the SOCKS handshake done
	tunnel   uint64
	tunneled bool
	fields   http2Fields
}

// StreamMessage is one message in a stream.
type StreamMessage struct {
	Proto Proto
	// Kind: "request", "response" (HTTP, SIP), "query", "answer" (DNS), a TLS record's content type
	// ("Handshake", "ApplicationData" …), an HTTP/2 frame's type, "PROXY v1", "greeting" … (SOCKS).
	Kind  string
	Label string // as Info.Label; of a TLS record the handshake messages that end in it
	Off   uint64 // stream offset of the first byte
	Len   uint64 // of the whole message in bytes: header (and body), or as much of it as there was when it broke off
	// HeadLen: bytes before the body: the HTTP or SIP head, 5 in TLS, 9 in HTTP/2, 2 in DNS.
	HeadLen uint64
	Body    Body
	// Missing bytes of Len were not seen. Cut: the stream broke off, or the place was lost, before the message ended.
	Missing uint64
	Cut     bool
	// AfterGap: bytes in front of this message were lost or not understood, so messages may be missing there.
	AfterGap bool

	Record uint8  // TLS: the record's content type
	Frame  uint32 // HTTP/2: the stream id
	Flags  uint8  // HTTP/2: the frame's flags

	TLS   *TLS // of handshake and alert records
	HTTP  *HTTP
	SIP   *SIP
	DNS   *DNS
	Proxy *Proxy
}

// End is the stream offset behind the message.
func (m *StreamMessage) End() uint64 { return m.Off + m.Len }

// Body says how the end of a message's body is found (RFC 9112 §6.3).
type Body uint8

const (
	BodyNone    Body = iota
	BodyLength       // Content-Length, or a record's, frame's or DNS message's own length
	BodyChunked      // the extent includes the chunks' framing and the trailer
	BodyClose        // until the connection closes
)

type mode uint8

const (
	modeStart mode = iota // nothing recognised yet; a message begins here
	modeLost              // the place is lost until a segment begins with something known
	modeTLS
	modeHTTP
	modeHTTP2
	modeSIP
	modeDNS
	modeSOCKS
	modePROXY
)

const (
	maxHead  = 64 << 10 // longest head of HTTP or SIP that is waited for; servers refuse longer ones
	maxStart = 24       // bytes that any protocol here is recognised by
	maxDNS   = 512      // bytes of a DNS message that are kept to read its question
)

// NewStream returns a Stream for one direction: fromInitiator, the one that the connection's initiator sends. port is
// the responder's, 0 where unknown.
func NewStream(fromInitiator bool, port uint16) *Stream {
	return &Stream{initiator: fromInitiator, port: port}
}

// Write takes the bytes at stream offset off. Bytes before the end of what was written are ignored, others beyond it
// leave a gap. b is not kept.
func (s *Stream) Write(off uint64, b []byte) {
	if !s.started {
		s.started = true
		s.next = off
		if off != 0 {
			s.lose()
		}
	}
	if off > s.next {
		s.Gap(off - s.next)
	}
	if off < s.next {
		if s.next-off >= uint64(len(b)) {
			return
		}
		b = b[s.next-off:]
	}
	s.fresh = true
	s.consume(b)
}

// consume runs the modes over b. Each step takes bytes or changes the mode; of the latter there are few in a row.
func (s *Stream) consume(b []byte) {
	for idle := 0; len(b) > 0 && idle < 8; {
		n := s.step(b)
		if n > 0 {
			s.fresh, idle = false, 0
		} else {
			idle++
		}
		s.next += uint64(n)
		b = b[n:]
	}
	// A step that neither takes bytes nor settles would be a fault here; what it left is counted as lost.
	if len(b) > 0 {
		s.next += uint64(len(b))
		s.lose()
	}
}

func (s *Stream) step(b []byte) int {
	if s.open && s.left > 0 && s.mode != modeTLS {
		return s.skip(b)
	}
	switch s.mode {
	case modeTLS:
		return s.stepTLS(b)
	case modeHTTP:
		return s.stepHTTP(b)
	case modeHTTP2:
		return s.stepHTTP2(b)
	case modeSIP:
		return s.stepSIP(b)
	case modeDNS:
		return s.stepDNS(b)
	case modeSOCKS:
		return s.stepSOCKS(b)
	case modePROXY:
		return s.stepPROXY(b)
	case modeLost:
		if m, _ := s.detect(b); s.fresh && m != modeLost && m != modeStart && m != modeSOCKS {
			s.mode = m
			return 0
		}
		s.gap = true
		return len(b)
	}
	return s.stepStart(b)
}

// stepStart waits for enough bytes to tell what the stream is.
func (s *Stream) stepStart(b []byte) int {
	n, saved := s.gather(b, maxDNS)
	m, more := s.detect(saved)
	if more {
		s.keep(saved)
		return n
	}
	s.drop()
	if m == modeStart {
		m = modeLost
	}
	s.mode = m
	return s.replay(saved, n)
}

// detect says which mode fits a stream that continues with b; more: further bytes may change the answer.
func (s *Stream) detect(b []byte) (m mode, more bool) {
	switch p := sniff(b, len(b), tcp); p {
	case ProtoTLS:
		return modeTLS, false
	case ProtoHTTP:
		return modeHTTP, false
	case ProtoHTTP2:
		return modeHTTP2, false
	case ProtoSIP:
		return modeSIP, false
	case ProtoPROXY:
		return modePROXY, false
	case ProtoDNS:
		return modeDNS, false
	}
	if len(b) > 0 && (b[0] == 5 || b[0] == 4 && s.initiator || b[0] == 0 && len(b) > 1 && b[1] >= 90 && b[1] <= 93) && s.socksFits(b) {
		return modeSOCKS, false
	}
	if s.mode == modeStart && s.port == portDNS && len(b) > 2+dnsHeader && parseDNS(b[2:]) != nil {
		return modeDNS, false
	}
	if len(b) >= dnsHeader+2+5 && isDNS(b[2:], int(b[0])<<8|int(b[1])) {
		return modeDNS, false
	}
	return modeStart, len(b) < maxStart || dnsGoesOn(b)
}

// Gap skips n bytes that were not captured.
func (s *Stream) Gap(n uint64) {
	if n == 0 {
		return
	}
	if !s.started {
		s.started = true
	}
	if s.open && s.left > 0 && len(s.buf) == 0 {
		part := min(n, s.left)
		s.cur.Missing += part
		s.missContent(int(min(part, maxRecord)))
		s.next += part
		s.pass(part)
		n -= part
	}
	if n > 0 {
		s.lose()
		s.next += n
	}
}

// Close ends the stream: a message begun is given as far as it came. A body that lasts until the close is whole.
func (s *Stream) Close() {
	s.drop()
	s.breakOff()
	s.mode = modeLost
}

// Messages hands over the messages that ended since the last call, in stream order.
func (s *Stream) Messages() []StreamMessage {
	out := s.out
	s.out = nil
	return out
}

// PayloadStart is the offset where the payload proper begins behind a PROXY header, a SOCKS handshake or CONNECT
// (for an Upgrade, what was switched to), the last of them. ok is false where there was none.
func (s *Stream) PayloadStart() (off uint64, ok bool) { return s.tunnel, s.tunneled }
