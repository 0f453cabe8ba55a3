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

// QUICHello puts the ClientHello of one QUIC connection together: with post-quantum key shares it takes two datagrams,
// and clients shuffle its parts. The zero value is ready.
type QUICHello struct {
	dcid   []byte // of the first Initial, which keys all later ones too
	crypto []byte
	filled []bool
}

// maxHello bounds what is kept of a ClientHello.
const maxHello = 16 << 10

// Add takes a datagram that the client sent, in any order once the first was one. It returns what is known of the
// ClientHello by now: nil before its beginning came, and facts that lie behind a hole are absent.
func (h *QUICHello) Add(datagram []byte) *TLS {
	for off := 0; off < len(datagram); {
		l, ok := parseQUICLong(datagram[off:])
		if !ok || l.length == 0 || l.length > len(datagram)-off {
			break
		}
		if l.kind == quicInitial {
			h.initial(datagram[off:off+l.length], &l)
		}
		off += l.length
	}
	return h.hello()
}

// initial reads one Initial packet, by its own connection id (the first, or one after Retry), else by the first's.
func (h *QUICHello) initial(b []byte, l *quicLong) {
	for _, s := range quicSalts {
		if s.version != l.version || len(b) != l.length {
			continue
		}
		plain := openInitial(b, l, l.dcid, s.salt, s.labels)
		if plain == nil && h.dcid != nil {
			plain = openInitial(b, l, h.dcid, s.salt, s.labels)
		} else if plain != nil && h.dcid == nil {
			h.dcid = append([]byte{}, l.dcid...)
		}
		h.frames(plain)
	}
}

// initialHello reads the ClientHello that begins in a client's Initial packet; nil where none can be read: cut, not
// the client's, a later Initial (keyed by the first one's id), or the hello begins in another packet.
func initialHello(b []byte, l *quicLong) *TLS {
	var h QUICHello
	h.initial(b, l)
	return h.hello()
}

// openInitial removes header protection and decrypts (RFC 9001 §5.3, §5.4); nil where the tag doesn't fit.
func openInitial(b []byte, l *quicLong, dcid []byte, salt string, labels [3]string) []byte {
	secret, err := hkdf.Extract(sha256.New, dcid, []byte(salt))
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

// frames takes the CRYPTO frames of a packet (RFC 9000 §19.6).
func (h *QUICHello) frames(plain []byte) {
	c := cursor{b: plain}
	for len(c.b) > 0 && !c.short {
		switch kind := c.varint(); kind {
		case 0, 1: // PADDING, PING
		case 2, 3:
			c.ack(kind == 3)
		case 6:
			off := c.varint()
			data := c.take(c.varint())
			end := off + len(data)
			if end > maxHello {
				return
			}
			if end > len(h.crypto) {
				h.crypto = append(h.crypto, make([]byte, end-len(h.crypto))...)
				h.filled = append(h.filled, make([]bool, end-len(h.filled))...)
			}
			copy(h.crypto[off:], data)
			for k := off; k < end; k++ {
				h.filled[k] = true
			}
		default:
			return // CONNECTION_CLOSE and what no Initial may hold
		}
	}
}

// ack passes over an ACK frame (RFC 9000 §19.3).
func (c *cursor) ack(ecn bool) {
	c.varint()
	c.varint()
	ranges := c.varint()
	c.varint()
	for ; ranges > 0 && !c.short; ranges-- {
		c.varint()
		c.varint()
	}
	if ecn {
		c.varint()
		c.varint()
		c.varint()
	}
}

// hello reads what came of the ClientHello without a hole.
func (h *QUICHello) hello() *TLS {
	n := 0
	for n < len(h.crypto) && h.filled[n] {
		n++
	}
	if n < handshakeHead || h.crypto[0] != 1 {
		return nil
	}
	t := &TLS{}
	t.clientHello(h.crypto[handshakeHead:n], false)
	if t.Random == nil {
		return nil
	}
	return t
}
