package flow

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

// Wireshark numbers RTP and RTCP that SIP announced otherwise than other UDP: one conversation per announced address
// and port, with whomever it speaks, so each direction of a call has a number of its own, and a new offer brings new
// numbers. media follows SIP closely enough to give the same numbers. It doesn't see SIP in fragmented datagrams, in
// TCP segments out of order, in TLS, nor SDP in multipart or compressed bodies.

// maxMedia bounds the announced endpoints and the SIP transactions kept; beyond it later ones are not followed.
const maxMedia = 1 << 20

// endpoint is an address and port that SDP announced.
type endpoint struct {
	addr decode.Addr
	port uint16
}

// announced is what Wireshark knows of an endpoint.
type announced struct {
	setup  capture.FrameNo // frame of the offer
	stream int32           // -1 until a packet comes
}

// transaction is the last SIP transaction of a call between two ends in one direction.
type transaction struct {
	cseq   uint64
	method string
	state  transactionState
	code   int
	frame  capture.FrameNo // of the request or final response
}

type transactionState uint8

const (
	nothingSeen transactionState = iota
	requestSeen
	provisionalSeen
	finalSeen
)

type transactionKey struct {
	call         string
	src, dst     decode.Addr
	sport, dport uint16
}

type media struct {
	endpoints    map[endpoint]announced
	transactions map[transactionKey]*transaction
	answered     map[capture.FrameNo]bool // offers by frame
	segments     map[tcpSide]*segments
}

func (m *media) init() {
	m.endpoints = map[endpoint]announced{}
	m.transactions = map[transactionKey]*transaction{}
	m.answered = map[capture.FrameNo]bool{}
	m.segments = map[tcpSide]*segments{}
}

// find returns the announced endpoint that a packet belongs to: its sender's, else its receiver's.
func (m *media) find(k *decode.Socket) (endpoint, bool) {
	for _, e := range [2]endpoint{{k.Src, k.Sport}, {k.Dst, k.Dport}} {
		if _, ok := m.endpoints[e]; ok {
			return e, true
		}
	}
	return endpoint{}, false
}

// sipMessage is what matters of a SIP message.
type sipMessage struct {
	request bool
	code    int
	call    string
	cseq    uint64
	method  string
	sdp     string // the body, if it is SDP
}

// sipVersion ends a request line and begins a status line (RFC 3261 §7).
const sipVersion = "SIP/2.0"

// startsSIP reports whether b begins with the start line of a SIP message.
func startsSIP(b []byte) bool {
	if len(b) < 16 || !capital(b[0]) || !printable(b[1]) || !printable(b[2]) || !printable(b[3]) {
		return false
	}
	line, _, ok := bytes.Cut(b[:min(len(b), 1024)], []byte("\r\n"))
	return ok && (bytes.HasPrefix(line, []byte(sipVersion+" ")) || bytes.HasSuffix(line, []byte(" "+sipVersion)))
}

func printable(c byte) bool { return ' ' <= c && c <= '~' }

// datagram follows a SIP message in a UDP datagram, if there is one. Wireshark ties answers to offers and skips
// retransmissions over UDP only.
func (m *media) datagram(p *decode.Packet, n capture.FrameNo) {
	if !startsSIP(p.Payload) {
		return
	}
	msg, ok := parseSIP(string(p.Payload))
	if !ok {
		return
	}
	t := m.transaction(transactionKey{msg.call, p.IP.Src, p.IP.Dst, p.Sport, p.Dport})
	repeated := t.repeated(&msg)
	offer := capture.FrameNo(0)
	if !msg.request {
		offer = m.offer(&msg, p)
	}
	t.update(&msg, repeated, n)
	if repeated || !msg.announces() {
		return
	}
	if !msg.request && offer != 0 {
		if m.answered[offer] {
			return
		}
		m.answered[offer] = true
		n = offer
	}
	m.announce(msg.sdp, n)
}

// announces reports whether Wireshark takes the media that the message describes for set up.
func (msg *sipMessage) announces() bool {
	return msg.sdp != "" && (msg.request || msg.code >= 200 && msg.code < 300 || msg.code >= 400)
}

func (m *media) transaction(k transactionKey) *transaction {
	t := m.transactions[k]
	if t == nil {
		t = &transaction{}
		if len(m.transactions) < maxMedia {
			m.transactions[k] = t
		}
	}
	return t
}

// repeated reports whether a message is a retransmission.
func (t *transaction) repeated(msg *sipMessage) bool {
	if t.cseq != msg.cseq || t.method != msg.method {
		return false
	}
	if msg.request {
		return t.state == requestSeen && msg.method != "ACK" && msg.method != "CANCEL"
	}
	return t.state == finalSeen && msg.code >= 200 && msg.code == t.code
}

// offer returns the frame of the request that a response answers, 0 if it wasn't seen.
func (m *media) offer(msg *sipMessage, p *decode.Packet) capture.FrameNo {
	t := m.transactions[transactionKey{msg.call, p.IP.Dst, p.IP.Src, p.Dport, p.Sport}]
	if t != nil && t.state == requestSeen && t.cseq == msg.cseq && t.method == msg.method {
		return t.frame
	}
	return 0
}

func (t *transaction) update(msg *sipMessage, repeated bool, n capture.FrameNo) {
	if t.cseq != msg.cseq || t.method == "" {
		*t = transaction{cseq: msg.cseq, method: msg.method}
	}
	switch {
	case msg.request:
		t.state = requestSeen
	case msg.code >= 200:
		t.state, t.code = finalSeen, msg.code
	default:
		t.state = provisionalSeen
		return
	}
	if !repeated {
		t.frame = n
	}
}

// parseSIP reads the start line, Call-ID, CSeq and an SDP body; false without Call-ID or CSeq.
func parseSIP(text string) (sipMessage, bool) {
	var msg sipMessage
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	line, head, _ := strings.Cut(head, "\r\n")
	if status, ok := strings.CutPrefix(line, sipVersion+" "); ok {
		code, _, _ := strings.Cut(status, " ")
		msg.code, _ = strconv.Atoi(code)
	} else {
		msg.request = true
	}
	for l := range strings.SplitSeq(head, "\r\n") {
		name, value, _ := strings.Cut(l, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "call-id", "i":
			msg.call = value
		case "cseq":
			number, method, _ := strings.Cut(value, " ")
			msg.cseq, _ = strconv.ParseUint(number, 10, 32)
			msg.method = strings.TrimSpace(method)
		case "content-type", "c":
			kind, _, _ := strings.Cut(value, ";")
			if strings.EqualFold(strings.TrimSpace(kind), "application/sdp") {
				msg.sdp = body
			}
		}
	}
	return msg, msg.call != "" && msg.method != ""
}

// announce notes the endpoints of a session description (RFC 8866).
func (m *media) announce(sdp string, setup capture.FrameNo) {
	var (
		session, addr      netip.Addr
		port, control      uint16
		media, rtp, inside bool
	)
	end := func() {
		if media && port != 0 && addr.IsValid() {
			m.add(endpoint{mapped(addr), port}, setup, true)
			if rtp && control != port {
				m.add(endpoint{mapped(addr), control}, setup, false)
			}
		}
		media = false
	}
	for l := range strings.SplitSeq(sdp, "\n") {
		l = strings.TrimRight(l, "\r")
		f := strings.Fields(l)
		switch {
		case strings.HasPrefix(l, "c=IN ") && len(f) == 3:
			text, _, _ := strings.Cut(f[2], "/")
			a, _ := netip.ParseAddr(text)
			if addr = a; !inside {
				session = a
			}
		case strings.HasPrefix(l, "m=") && len(f) >= 3:
			end()
			inside, addr = true, session
			text, _, _ := strings.Cut(f[1], "/")
			number, _ := strconv.ParseUint(text, 10, 16)
			port, control = uint16(number), uint16(number)+1
			rtp = strings.Contains(f[2], "RTP/")
			media = rtp || strings.EqualFold(f[2], "udptl")
		case strings.HasPrefix(l, "a=rtcp:"): // RFC 3605
			if number, err := strconv.ParseUint(f[0][len("a=rtcp:"):], 10, 16); err == nil {
				control = uint16(number)
			}
		case l == "a=rtcp-mux": // RFC 5761
			control = port
		}
	}
	end()
}

func mapped(a netip.Addr) decode.Addr { return decode.Addr(a.As16()) }

// add notes an endpoint; fresh: a later offer starts it anew.
func (m *media) add(e endpoint, setup capture.FrameNo, fresh bool) {
	old, known := m.endpoints[e]
	if known && (!fresh || setup <= old.setup) || !known && len(m.endpoints) >= maxMedia {
		return
	}
	m.endpoints[e] = announced{setup: setup, stream: -1}
}
