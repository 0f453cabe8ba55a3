package message

import "strings"

// MaxText is the length in bytes that texts from captures are cut at; Label is cut at MaxLabel.
const (
	MaxText  = 1024
	MaxLabel = 160
)

// maxMessages bounds Info.Messages: a segment of 64 KiB could hold ten thousand empty records.
const maxMessages = 16

// Info is what the first bytes of a segment or datagram are. The zero Info: nothing recognised.
type Info struct {
	Proto Proto
	// Label names the messages: "ClientHello", "ServerHello, Certificate", "GET /index.html", "200 OK", "A? example.org".
	Label string
	// Messages that begin in the payload, in order; at most 16.
	Messages []Message

	// Facts by protocol, nil where there are none.
	TLS     *TLS // also DTLS, and the ClientHello inside a QUIC Initial
	HTTP    *HTTP
	DNS     *DNS
	SIP     *SIP
	QUIC    *QUIC
	Proxy   *Proxy // a PROXY protocol header lies in front of the rest, or SOCKS is spoken
	Command *Command
}

// Message is one message inside a payload.
type Message struct {
	Kind string // "ClientHello", "request", "Initial"
	Off  int    // bytes from the payload's begin
	// Len in bytes, as the message's own header says or as far as it is known: it may reach beyond the payload.
	Len int
	// Whole: all of Len was there to read.
	Whole bool
}

// Text is protocol, label and what identifies the message best: "TLS ClientHello, skype.example, TLS 1.2". Raw, see Escape.
func (i *Info) Text() string {
	if i.Proto == ProtoNone {
		return ""
	}
	text := i.Proto.String()
	if i.Label != "" {
		text += " " + i.Label
	}
	switch {
	case i.TLS != nil && i.TLS.Detail() != "":
		text += ", " + i.TLS.Detail()
	case i.SIP != nil && i.SIP.Status != 0 && i.SIP.CSeq != "":
		text += ", " + i.SIP.CSeq
	}
	return text
}

// add appends a message and puts its name into the label, once where it repeats.
func (i *Info) add(kind string, off, length, have int) {
	i.append(Message{Kind: kind, Off: off, Len: length, Whole: off+length <= have})
}

func (i *Info) append(m Message) {
	kind := m.Kind
	if len(i.Messages) < maxMessages {
		i.Messages = append(i.Messages, m)
	}
	switch {
	case i.Label == "":
		i.Label = kind
	case len(i.Label) < MaxLabel && i.Label != kind && !strings.HasSuffix(i.Label, ", "+kind):
		i.Label += ", " + kind
	}
}

// only sets the one message that the payload is, with its label.
func (i *Info) only(kind, label string, wire, have int) {
	i.Messages = append(i.Messages, Message{Kind: kind, Len: wire, Whole: wire <= have})
	i.Label = label
	if len(label) > MaxLabel {
		i.Label = label[:MaxLabel]
	}
}

// text copies bytes of a capture, cut at MaxText.
func text(b []byte) string {
	if len(b) > MaxText {
		b = b[:MaxText]
	}
	return string(b)
}

// Name says what the first bytes of a segment (proto 6) or datagram (17) are. The payload may be cut by the snaplen:
// wireLen is its length on the wire.
func Name(proto uint8, sport, dport uint16, payload []byte, wireLen int) Info {
	wireLen = max(wireLen, len(payload))
	p := sniff(payload, wireLen, proto)
	if h := hinted(p, proto, sport, dport, payload, wireLen); h != ProtoNone {
		p = h
	}
	i := NameAs(p, proto, payload, wireLen)
	if i.Proto == ProtoSOCKS && sport == portSOCKS && i.Proxy != nil {
		nameSOCKSReply(&i, payload, wireLen)
	}
	return i
}

// NameAs is Name for a conversation whose protocol is known: short messages that don't speak for themselves get
// names too. Bytes that can't be the protocol's give the zero Info.
func NameAs(p Proto, proto uint8, payload []byte, wireLen int) Info {
	name := namerOf(p)
	if name == nil || len(payload) == 0 {
		return Info{}
	}
	i := Info{Proto: p} // the namer has it on the heap
	wireLen = max(wireLen, len(payload))
	if !name(&i, payload, wireLen, proto) {
		return Info{}
	}
	return i
}

// namer fills an Info from a payload; false: the bytes are not the protocol's.
type namer func(i *Info, b []byte, wire int, proto uint8) bool

func namerOf(p Proto) namer {
	switch p {
	case ProtoTLS:
		return nameTLS
	case ProtoDTLS:
		return nameDTLS
	case ProtoHTTP:
		return nameHTTP
	case ProtoHTTP2:
		return nameHTTP2
	case ProtoDNS, ProtoMDNS, ProtoLLMNR:
		return nameDNS
	case ProtoSIP:
		return nameSIP
	case ProtoRTSP:
		return nameRTSP
	case ProtoSMTP, ProtoFTP, ProtoPOP, ProtoIMAP:
		return nameLine
	case ProtoSSH:
		return nameSSH
	case ProtoSOCKS:
		return nameSOCKS
	case ProtoPROXY:
		return namePROXY
	case ProtoQUIC:
		return nameQUIC
	case ProtoMQTT:
		return nameMQTT
	case ProtoLDAP:
		return nameLDAP
	case ProtoKerberos:
		return nameKerberos
	case ProtoSNMP:
		return nameSNMP
	case ProtoSMB:
		return nameSMB
	case ProtoRDP:
		return nameRDP
	case ProtoSTUN:
		return nameSTUN
	case ProtoNTP:
		return nameNTP
	case ProtoDHCP:
		return nameDHCP
	case ProtoDHCPv6:
		return nameDHCPv6
	}
	return nil
}
