package tlskey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/chacha20poly1305"
)

// suite is what a cipher suite needs.
type suite struct {
	key    int
	hash   func() hash.Hash
	chacha bool
	tls12  bool
}

// suites are the AEAD suites (IANA): TLS 1.3 (RFC 8446 §B.4), and of TLS 1.2 those with GCM (RFC 5288, RFC 5289) and
// ChaCha20 (RFC 7905).
var suites = map[uint16]suite{
	0x1301: {16, sha256.New, false, false}, 0x1302: {32, sha512.New384, false, false}, 0x1303: {32, sha256.New, true, false},
	0x009c: {16, sha256.New, false, true}, 0x009d: {32, sha512.New384, false, true}, 0x009e: {16, sha256.New, false, true}, 0x009f: {32, sha512.New384, false, true},
	0xc02b: {16, sha256.New, false, true}, 0xc02c: {32, sha512.New384, false, true}, 0xc02f: {16, sha256.New, false, true}, 0xc030: {32, sha512.New384, false, true},
	0xcca8: {32, sha256.New, true, true}, 0xcca9: {32, sha256.New, true, true}, 0xccaa: {32, sha256.New, true, true},
}

// Opener opens the records of one direction in order.
type Opener struct {
	suite   suite
	aead    cipher.AEAD
	iv      []byte
	seq     uint64
	next    []byte // TLS 1.3: the secret that follows the handshake's
	current []byte
}

// NewOpener makes the opener of a direction; nil where the log has no secret or the suite is not spoken.
func NewOpener(l *Log, clientRandom, serverRandom []byte, cipherSuite uint16, fromClient bool) *Opener {
	s, ok := suites[cipherSuite]
	if !ok {
		return nil
	}
	o := &Opener{suite: s}
	side := "SERVER"
	if fromClient {
		side = "CLIENT"
	}
	if s.tls12 {
		master := l.secret(clientRandom, "CLIENT_RANDOM")
		if master == nil || !o.keys12(master, clientRandom, serverRandom, fromClient) {
			return nil
		}
		return o
	}
	first := l.secret(clientRandom, side+"_HANDSHAKE_TRAFFIC_SECRET")
	o.next = l.secret(clientRandom, side+"_TRAFFIC_SECRET_0")
	if first == nil {
		first, o.next = o.next, nil
	}
	if first == nil || !o.keys13(first) {
		return nil
	}
	return o
}

// Open gives the plaintext and the true content type of a protected record; record includes its header of five bytes. ok
// is false where it does not open: another key, or a gap before it.
func (o *Opener) Open(record []byte) (plain []byte, contentType uint8, ok bool) {
	if len(record) < 5+16 {
		return nil, 0, false
	}
	if o.suite.tls12 {
		return o.open12(record)
	}
	plain, contentType, ok = o.open13(record)
	if !ok && o.next != nil {
		// The handshake is over.
		save := *o
		if o.keys13(o.next) {
			o.next = nil
			if plain, contentType, ok = o.open13(record); ok {
				return plain, contentType, true
			}
		}
		*o = save
	}
	return plain, contentType, ok
}

func (o *Opener) open13(record []byte) ([]byte, uint8, bool) {
	plain, err := o.aead.Open(nil, o.nonce(), record[5:], record[:5])
	if err != nil {
		return nil, 0, false
	}
	o.seq++
	n := len(plain)
	for n > 0 && plain[n-1] == 0 {
		n-- // padding (RFC 8446 §5.4)
	}
	if n == 0 {
		return nil, 0, false
	}
	t := plain[n-1]
	plain = plain[:n-1]
	if t == 22 && len(plain) > 0 && plain[0] == 24 { // KeyUpdate (RFC 8446 §7.2)
		if s := o.expand(o.current, "traffic upd", o.suite.hash().Size()); s != nil {
			o.keys13(s)
		}
	}
	return plain, t, true
}

// open12 opens a record of TLS 1.2: explicit nonce (GCM) or none (ChaCha20), additional data of sequence number and header
// (RFC 5246 §6.2.3.3).
func (o *Opener) open12(record []byte) ([]byte, uint8, bool) {
	body := record[5:]
	nonce := o.nonce()
	if !o.suite.chacha {
		nonce = append(append([]byte(nil), o.iv[:4]...), body[:8]...)
		body = body[8:]
	}
	if len(body) < 16 {
		return nil, 0, false
	}
	var ad [13]byte
	binary.BigEndian.PutUint64(ad[:], o.seq)
	copy(ad[8:], record[:3])
	binary.BigEndian.PutUint16(ad[11:], uint16(len(body)-16))
	plain, err := o.aead.Open(nil, nonce, body, ad[:])
	if err != nil {
		return nil, 0, false
	}
	o.seq++
	return plain, record[0], true
}

// nonce is the sequence number mixed into the fixed part (RFC 8446 §5.3, RFC 7905 §2).
func (o *Opener) nonce() []byte {
	n := make([]byte, 12)
	copy(n, o.iv)
	var s [8]byte
	binary.BigEndian.PutUint64(s[:], o.seq)
	for i := range s {
		n[4+i] ^= s[i]
	}
	return n
}

// keys13 derives key and iv of a traffic secret (RFC 8446 §7.3).
func (o *Opener) keys13(secret []byte) bool {
	if len(secret) != o.suite.hash().Size() {
		return false
	}
	o.current, o.seq = secret, 0
	o.iv = o.expand(secret, "iv", 12)
	return o.iv != nil && o.use(o.expand(secret, "key", o.suite.key))
}

func (o *Opener) expand(secret []byte, label string, n int) []byte {
	return expandLabel(o.suite.hash, secret, label, n)
}

// expandLabel is HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
func expandLabel(h func() hash.Hash, secret []byte, label string, n int) []byte {
	label = "tls13 " + label
	info := append([]byte{byte(n >> 8), byte(n), byte(len(label))}, label...)
	out, err := hkdf.Expand(h, secret, string(append(info, 0)), n)
	if err != nil {
		return nil
	}
	return out
}

// keys12 takes a direction's keys out of the key block (RFC 5246 §6.3).
func (o *Opener) keys12(master, clientRandom, serverRandom []byte, fromClient bool) bool {
	iv := 4
	if o.suite.chacha {
		iv = 12
	}
	seed := append(append([]byte("key expansion"), serverRandom...), clientRandom...)
	block := o.prf(master, seed, 2*o.suite.key+2*iv)
	key, fixed := block[:o.suite.key], block[2*o.suite.key:2*o.suite.key+iv]
	if !fromClient {
		key, fixed = block[o.suite.key:2*o.suite.key], block[2*o.suite.key+iv:]
	}
	o.iv = fixed
	return o.use(key)
}

// prf is P_hash of TLS 1.2 (RFC 5246 §5).
func (o *Opener) prf(secret, seed []byte, n int) []byte {
	mac := func(parts ...[]byte) []byte {
		m := hmac.New(o.suite.hash, secret)
		for _, p := range parts {
			m.Write(p)
		}
		return m.Sum(nil)
	}
	var out []byte
	for a := mac(seed); len(out) < n; a = mac(a) {
		out = append(out, mac(a, seed)...)
	}
	return out[:n]
}

func (o *Opener) use(key []byte) bool {
	o.aead = newAEAD(key, o.suite.chacha)
	return o.aead != nil
}

// newAEAD is ChaCha20-Poly1305 (RFC 8439), or AES in Galois/Counter Mode; nil for a key of another length.
func newAEAD(key []byte, chacha bool) cipher.AEAD {
	if chacha {
		if a, err := chacha20poly1305.New(key); err == nil {
			return a
		}
		return nil
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil
	}
	a, err := cipher.NewGCM(b)
	if err != nil {
		return nil
	}
	return a
}
