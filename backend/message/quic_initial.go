package message

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
)

// What keys a version's Initial packets (RFC 9001 §5.2, RFC 9369 §3.3): anybody who sees the packet can derive them.
var quicSalts = []struct {
	version uint32
	salt    string
	labels  [3]string // key, iv, header protection
}{
	{quicV1, "\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a",
		[3]string{"quic key", "quic iv", "quic hp"}},
	{quicV2, "\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9",
		[3]string{"quicv2 key", "quicv2 iv", "quicv2 hp"}},
}

// initialHello reads the ClientHello in a client's Initial packet; nil where it can't be: cut, not the client's, a
// later Initial (keyed by the first one's id), or the hello begins in another packet.
func initialHello(b []byte, l *quicLong) *TLS {
	for _, s := range quicSalts {
		if s.version == l.version && len(b) == l.length {
			plain := openInitial(b, l, s.salt, s.labels)
			return cryptoHello(plain)
		}
	}
	return nil
}

// openInitial removes header protection and decrypts (RFC 9001 §5.3, §5.4); nil where the tag doesn't fit.
func openInitial(b []byte, l *quicLong, salt string, labels [3]string) []byte {
	secret, err := hkdf.Extract(sha256.New, l.dcid, []byte(salt))
	if err != nil {
		return nil
	}
	client := expand(secret, "client in", 32)
	key, iv, hp := expand(client, labels[0], 16), expand(client, labels[1], 12), expand(client, labels[2], 16)
	block, err := aes.NewCipher(hp)
	if err != nil {
		return nil
	}
	const sampled = 4 // the sample is taken as if the number had four bytes
	if len(b) < l.numberOff+sampled+aes.BlockSize {
		return nil
	}
	var mask [aes.BlockSize]byte
	block.Encrypt(mask[:], b[l.numberOff+sampled:])

	n := int((b[0]^mask[0]&0x0f)&3) + 1
	head := append([]byte(nil), b[:l.numberOff+n]...)
	head[0] ^= mask[0] & 0x0f
	for k := range n {
		head[l.numberOff+k] ^= mask[1+k]
		iv[len(iv)-n+k] ^= head[l.numberOff+k]
	}
	if block, err = aes.NewCipher(key); err != nil {
		return nil
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil
	}
	plain, err := aead.Open(nil, iv, b[l.numberOff+n:], head)
	if err != nil {
		return nil
	}
	return plain
}

// expand is HKDF-Expand-Label with an empty context (RFC 8446 §7.1).
func expand(secret []byte, label string, n int) []byte {
	info := append([]byte{byte(n >> 8), byte(n), byte(6 + len(label))}, "tls13 "+label...)
	out, err := hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
	if err != nil {
		return make([]byte, n)
	}
	return out
}

// cryptoHello puts the CRYPTO frames of one packet in order (RFC 9000 §19.6; clients shuffle them) and reads the
// ClientHello as far as it goes without a hole.
func cryptoHello(plain []byte) *TLS {
	hello := make([]byte, 0, len(plain))
	filled := make([]bool, cap(hello))
	c := cursor{b: plain}
	for len(c.b) > 0 && !c.short {
		switch kind := c.varint(); kind {
		case 0, 1: // PADDING, PING
		case 6:
			off := c.varint()
			data := c.take(c.varint())
			if off+len(data) > cap(hello) {
				continue // belongs to what another packet begins
			}
			hello = hello[:max(len(hello), off+len(data))]
			copy(hello[off:], data)
			for k := range data {
				filled[off+k] = true
			}
		default:
			c.b = nil // ACK and the rest come in no first flight
		}
	}
	n := 0
	for n < len(hello) && filled[n] {
		n++
	}
	if n < handshakeHead || hello[0] != 1 {
		return nil
	}
	t := &TLS{}
	t.clientHello(hello[handshakeHead:n], false)
	if t.Random == nil {
		return nil
	}
	return t
}
