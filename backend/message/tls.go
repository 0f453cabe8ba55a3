package message

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// TLS holds what plain TLS, DTLS and QUIC handshake messages say.
type TLS struct {
	// Version that a ServerHello chose, or the highest that a ClientHello offers, GREASE left out; supported_versions
	// counts before the old field (RFC 8446 §4.2.1). 0: no hello in the payload. VersionName prints it.
	Version uint16
	guessed bool // the hello was cut before its extensions' end, and Version is what its old field says
	// Record is the version in the first record's header: 0x0301 in most ClientHellos whatever they offer. 0 in QUIC.
	Record uint16
	SNI    string   // server_name, of a ClientHello (RFC 6066 §3)
	ALPN   []string // offered, or the one chosen (RFC 7301)
	// Cipher is the suite that a ServerHello chose, 0 else. SuiteName prints it.
	Cipher uint16
	Random []byte // 32 bytes of the hello, nil: no hello; key logs name connections by the client's
	// SessionID of the hello. In TLS 1.2 an echoed one means resumption, in 1.3 nothing.
	SessionID []byte
	// Resumes: a ClientHello offers a PSK or a session ticket; a ServerHello chose the PSK (RFC 8446 §4.2.11).
	Resumes   bool
	EarlyData bool // a ClientHello announces 0-RTT data
	ECH       bool // encrypted_client_hello is there: SNI may name only the outer server

	HasAlert          bool // a plain alert; its level and description follow
	AlertLevel, Alert uint8

	// Chain is the length in bytes of the Certificate message's list, Certificates how many of it were read; 0: none.
	Chain, Certificates int
	Subject             string   // common name of the first certificate
	Names               []string // its DNS names (RFC 5280 §4.2.1.6), at most 8
}

// Detail says what identifies the messages: the name asked for, the version offered or chosen, protocols above, the
// certificate and its chain's size. "" where they say nothing of it.
func (t *TLS) Detail() string {
	var l []string
	if t.SNI != "" {
		l = append(l, t.SNI)
	}
	if v := VersionName(t.Version); v != "" && !t.guessed {
		l = append(l, v)
	}
	if len(t.ALPN) > 0 {
		l = append(l, "ALPN "+strings.Join(t.ALPN, " "))
	}
	if t.Chain > 0 {
		of := ""
		if t.Subject != "" {
			of = " of " + t.Subject
		}
		l = append(l, fmt.Sprintf("certificate%s, %d bytes", of, t.Chain))
	}
	return text([]byte(strings.Join(l, ", ")))
}

// VersionName prints a TLS, DTLS or SSL version; "" for 0.
func VersionName(v uint16) string {
	switch v {
	case 0:
		return ""
	case 0x0300:
		return "SSL 3.0"
	case 0x0301:
		return "TLS 1.0"
	case 0x0302:
		return "TLS 1.1"
	case 0x0303:
		return "TLS 1.2"
	case 0x0304:
		return "TLS 1.3"
	case 0xfeff:
		return "DTLS 1.0"
	case 0xfefd:
		return "DTLS 1.2"
	case 0xfefc:
		return "DTLS 1.3"
	}
	const hex = "0123456789abcdef"
	return "0x" + string([]byte{hex[v>>12], hex[v>>8&15], hex[v>>4&15], hex[v&15]})
}

// nameTLS names the records and plain handshake messages of a segment.
func nameTLS(i *Info, b []byte, wire int, _ uint8) bool {
	if !isTLSRecord(b) {
		return false
	}
	t := &TLS{Record: binary.BigEndian.Uint16(b[1:])}
	i.TLS = t
	have := len(b)
	var hs handshakes
	took := func(kind uint8, body []byte, start, length int, whole bool) {
		i.append(Message{Kind: t.handshake(kind, body, false), Off: start, Len: length, Whole: whole})
	}
	for off := 0; len(b)-off >= recordHeader && isTLSRecord(b[off:off+recordHeader]) && len(i.Messages) < maxMessages; {
		n := int(binary.BigEndian.Uint16(b[off+3:]))
		body := b[off+recordHeader : min(len(b), off+recordHeader+n)]
		if b[off] != ContentHandshake {
			hs.flush(took)
		}
		if b[off] == ContentHandshake && plainHello(body, n) {
			hs.encrypted = false
		}
		if b[off] == ContentHandshake && !hs.encrypted {
			// Long content of an unknown type or length is encrypted: a later flight seen alone.
			if !hs.feed(body, off+recordHeader, took) {
				i.add(encryptedName(i), off, recordHeader+n, have)
			} else if len(body) == 0 {
				i.add("Handshake", off, recordHeader+n, have)
			}
		} else {
			i.add(t.record(b[off], n, body, i), off, recordHeader+n, have)
		}
		if b[off] == ContentChangeCipherSpec {
			// TLS 1.3 sends it only to please middleboxes, before records that are ApplicationData anyway.
			hs.encrypted = true
		}
		off += recordHeader + n
	}
	if len(i.Messages) < maxMessages {
		hs.flush(took)
	}
	return true
}

// encryptedName names an encrypted handshake record: what follows ChangeCipherSpec at once is Finished.
func encryptedName(i *Info) string {
	if n := len(i.Messages); n > 0 && i.Messages[n-1].Kind == kindCCS {
		return "Finished"
	}
	return kindEncrypted
}

// record names a record that holds no plain handshake message.
func (t *TLS) record(content uint8, n int, body []byte, i *Info) string {
	switch content {
	case ContentChangeCipherSpec:
		return kindCCS
	case ContentAlert:
		if n != 2 {
			return kindEncAlert
		}
		if len(body) < 2 {
			return kindAlert
		}
		t.HasAlert, t.AlertLevel, t.Alert = true, body[0], body[1]
		return alertLabel(body[0], body[1])
	case ContentHandshake:
		return encryptedName(i)
	case ContentHeartbeat:
		return kindHeartbeat
	}
	return kindAppData
}

// handshake reads a handshake message's body, which may be cut, and returns the message's name.
func (t *TLS) handshake(kind uint8, body []byte, dtls bool) string {
	switch kind {
	case 1:
		t.clientHello(body, dtls)
	case typeServerHello:
		t.serverHello(body)
		if string(t.Random) == helloRetryRandom {
			return kindHelloRetry
		}
	case typeCertificate:
		t.certificate(body)
	}
	return handshakeName(kind)
}

// nameDTLS names the records of a datagram (RFC 6347 §4, RFC 9147 §4.1 for what is still in the old form).
func nameDTLS(i *Info, b []byte, wire int, _ uint8) bool {
	if !isDTLSRecord(b) {
		return false
	}
	t := &TLS{Record: binary.BigEndian.Uint16(b[1:])}
	i.TLS = t
	have := len(b)
	for off := 0; isDTLSRecord(b[off:]) && len(i.Messages) < maxMessages; {
		n := int(binary.BigEndian.Uint16(b[off+11:]))
		body := b[off+dtlsHeader : min(len(b), off+dtlsHeader+n)]
		kind := ""
		switch epoch := binary.BigEndian.Uint16(b[off+3:]); {
		case b[off] == contentCID:
			kind = kindAppData
		case b[off] == ContentAlert && epoch > 0:
			kind = kindEncAlert
		case b[off] != ContentHandshake || epoch > 0:
			kind = t.record(b[off], n, body, i)
		case len(body) < dtlsMessageHead || handshakeName(body[0]) == "":
			kind = "Handshake"
		case body[6]|body[7]|body[8] != 0: // a later fragment holds no beginning
			kind = handshakeName(body[0]) + " fragment"
		default:
			kind = t.handshake(body[0], body[dtlsMessageHead:], true)
		}
		i.add(kind, off, dtlsHeader+n, have)
		if off += dtlsHeader + n; off > len(b) {
			break
		}
	}
	return true
}

// isDTLSRecord reports whether b begins with the header of a DTLS record.
func isDTLSRecord(b []byte) bool {
	if len(b) < dtlsHeader || b[0] < 20 || b[0] > 25 || b[1] != 0xfe || b[2] < 0xfc {
		return false
	}
	n := int(binary.BigEndian.Uint16(b[11:]))
	return n > 0 && n <= maxRecord && (b[0] != ContentChangeCipherSpec || n == 1)
}
