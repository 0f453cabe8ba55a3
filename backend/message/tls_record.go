package message

import "encoding/binary"

// Content types of TLS records (RFC 8446 §5.1, RFC 6520, RFC 9147 for connection ids).
const (
	ContentChangeCipherSpec uint8 = 20
	ContentAlert            uint8 = 21
	ContentHandshake        uint8 = 22
	ContentApplicationData  uint8 = 23
	ContentHeartbeat        uint8 = 24
	contentCID              uint8 = 25 // DTLS only
)

const (
	recordHeader     = 5
	maxRecord        = 1<<14 + 2048 // RFC 5246 §6.2.3: the longest ciphertext
	dtlsHeader       = 13
	dtlsMessageHead  = 12
	handshakeHead    = 4
	maxHandshake     = 1 << 18 // no sound message is longer; OpenSSL's limit for certificate chains is 100 KiB
	keptHandshake    = 1 << 14 // of a message that spans segments, this much is kept for reading
	typeServerHello  = 2
	typeCertificate  = 11
	helloRetryRandom = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c" // RFC 8446 §4.1.3
)

// isTLSRecord reports whether b begins with the header of a TLS record, and with content that agrees as far as it goes.
func isTLSRecord(b []byte) bool {
	if len(b) < recordHeader || b[0] < 20 || b[0] > 24 || b[1] != 3 || b[2] > 4 {
		return false
	}
	n := int(binary.BigEndian.Uint16(b[3:]))
	if n == 0 || n > maxRecord {
		return false
	}
	if len(b) == recordHeader {
		return true
	}
	switch b[0] {
	case ContentChangeCipherSpec:
		return n == 1 && b[5] == 1
	case ContentAlert:
		return n == 2 && (b[5] == 1 || b[5] == 2) || n > 16
	case ContentHandshake:
		return n > 16 || n >= handshakeHead && handshakeName(b[5]) != ""
	case ContentHeartbeat:
		return n > 16
	}
	return true
}

// handshakeName returns the name of a handshake message, "" for an unknown type.
func handshakeName(t uint8) string {
	switch t {
	case 0:
		return "HelloRequest"
	case 1:
		return "ClientHello"
	case 2:
		return "ServerHello"
	case 3:
		return "HelloVerifyRequest"
	case 4:
		return "NewSessionTicket"
	case 5:
		return "EndOfEarlyData"
	case 8:
		return "EncryptedExtensions"
	case 11:
		return "Certificate"
	case 12:
		return "ServerKeyExchange"
	case 13:
		return "CertificateRequest"
	case 14:
		return "ServerHelloDone"
	case 15:
		return "CertificateVerify"
	case 16:
		return "ClientKeyExchange"
	case 20:
		return "Finished"
	case 21:
		return "CertificateURL"
	case 22:
		return "CertificateStatus"
	case 23:
		return "SupplementalData"
	case 24:
		return "KeyUpdate"
	case 25:
		return "CompressedCertificate"
	case 67:
		return "NextProtocol"
	}
	return ""
}

// Names of what can't be read further.
const (
	kindEncrypted   = "EncryptedHandshake"
	kindCCS         = "ChangeCipherSpec"
	kindAppData     = "ApplicationData"
	kindHeartbeat   = "Heartbeat"
	kindAlert       = "Alert"
	kindEncAlert    = "EncryptedAlert"
	kindHelloRetry  = "HelloRetryRequest"
	kindClientHello = "ClientHello"
)

// handshakes puts handshake messages together from the contents of records: one record may hold several messages, one
// message may span records.
type handshakes struct {
	msg   []byte // the message begun, header included, its first keptHandshake bytes
	start int    // where it began, as the caller counts
	need  int    // its whole length, 0: no message begun
	got   int
	holes bool // bytes of the message are missing
	// encrypted: what comes can't be read (after ChangeCipherSpec, or content that is no handshake message).
	encrypted bool
}

// seen is called for each message: its type, its bytes behind the header as far as they were there, its begin, its
// length with header, and whether all came.
type seen func(kind uint8, body []byte, start, length int, whole bool)

// feed takes the content of a handshake record that lies at offset off. It reports false where the content is no plain
// handshake message; the rest is then encrypted.
func (h *handshakes) feed(b []byte, off int, f seen) bool {
	for len(b) > 0 && !h.encrypted {
		if h.got == 0 {
			h.start = off
		}
		// The header may itself be split.
		want := handshakeHead
		if h.got >= handshakeHead {
			want = h.need
		}
		n := min(want-h.got, len(b))
		if room := keptHandshake - len(h.msg); room > 0 && !h.holes {
			h.msg = append(h.msg, b[:min(n, room)]...)
		}
		h.got += n
		b, off = b[n:], off+n
		if h.got == handshakeHead && h.need == 0 {
			h.need = handshakeHead + int(h.msg[1])<<16 + int(h.msg[2])<<8 + int(h.msg[3])
			if handshakeName(h.msg[0]) == "" || h.need > maxHandshake {
				h.encrypted = true
				h.reset()
				return false
			}
		}
		h.finish(f)
	}
	return !h.encrypted
}

func (h *handshakes) finish(f seen) {
	if h.got >= handshakeHead && h.got == h.need {
		f(h.msg[0], h.msg[handshakeHead:], h.start, h.need, !h.holes)
		h.reset()
	}
}

// plainHello reports whether a handshake record of n bytes behind ChangeCipherSpec is not encrypted after all: TLS 1.3
// clients send one to please middleboxes before the second ClientHello that a HelloRetryRequest asks for (RFC 8446 §D.4).
func plainHello(content []byte, n int) bool {
	return len(content) >= handshakeHead && content[0] == 1 && int(content[1])<<16|int(content[2])<<8|int(content[3]) == n-handshakeHead
}

// skip passes over n bytes that are missing. It reports false where they don't lie within the message begun.
func (h *handshakes) skip(n int, f seen) bool {
	if h.encrypted {
		return true
	}
	if h.got < handshakeHead || n > h.need-h.got {
		return false
	}
	h.got, h.holes = h.got+n, true
	h.finish(f)
	return true
}

// flush reports the message begun, which won't be completed.
func (h *handshakes) flush(f seen) {
	if h.got >= handshakeHead {
		f(h.msg[0], h.msg[handshakeHead:], h.start, h.need, false)
	}
	h.reset()
}

func (h *handshakes) reset() { h.msg, h.need, h.got, h.holes = h.msg[:0], 0, 0, false }

// alertLabel names a plain alert (RFC 8446 §6): "Alert fatal, handshake_failure".
func alertLabel(level, desc uint8) string {
	text := "Alert warning, "
	if level == 2 {
		text = "Alert fatal, "
	}
	return text + AlertName(desc)
}

// AlertName is the description of a TLS alert as RFC 8446 §6 writes it.
func AlertName(desc uint8) string {
	for _, a := range alertNames {
		if a.code == desc {
			return a.name
		}
	}
	return "unknown"
}

var alertNames = [...]struct {
	code uint8
	name string
}{
	{0, "close_notify"}, {10, "unexpected_message"}, {20, "bad_record_mac"}, {21, "decryption_failed"},
	{22, "record_overflow"}, {30, "decompression_failure"}, {40, "handshake_failure"}, {41, "no_certificate"},
	{42, "bad_certificate"}, {43, "unsupported_certificate"}, {44, "certificate_revoked"},
	{45, "certificate_expired"}, {46, "certificate_unknown"}, {47, "illegal_parameter"}, {48, "unknown_ca"},
	{49, "access_denied"}, {50, "decode_error"}, {51, "decrypt_error"}, {60, "export_restriction"},
	{70, "protocol_version"}, {71, "insufficient_security"}, {80, "internal_error"},
	{86, "inappropriate_fallback"}, {90, "user_canceled"}, {100, "no_renegotiation"}, {109, "missing_extension"},
	{110, "unsupported_extension"}, {111, "certificate_unobtainable"}, {112, "unrecognized_name"},
	{113, "bad_certificate_status_response"}, {114, "bad_certificate_hash_value"}, {115, "unknown_psk_identity"},
	{116, "certificate_required"}, {120, "no_application_protocol"},
}
