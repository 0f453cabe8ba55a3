package tlskey

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"hash"

	"golang.org/x/crypto/chacha20"
)

const (
	quicV2   = 0x6b3343cf // RFC 9369
	quicTag  = 16
	quicSeen = 4 // bytes behind the packet number's first after which the sample for its protection lies (RFC 9001 §5.4.2)
)

// Datagrams opens the packets with short headers that one end of a QUIC connection sends (RFC 9001).
type Datagrams struct {
	ways    []quicWay // until a packet opens, all that the secret's length leaves possible
	largest int64     // packet number, -1 before the first
	phase   byte
}

// quicWay is the connection's secret with a suite.
type quicWay struct {
	hash    func() hash.Hash
	key     int // bytes
	chacha  bool
	prefix  string // of the labels
	secret  []byte
	aead    cipher.AEAD
	iv, hp  []byte
	protect func(sample []byte) [5]byte
}

// NewDatagrams makes the opener of a direction; nil where the log has no secret of the connection whose ClientHello has
// this random.
func NewDatagrams(l *Log, clientRandom []byte, version uint32, fromClient bool) *Datagrams {
	label := "SERVER_TRAFFIC_SECRET_0"
	if fromClient {
		label = "CLIENT_TRAFFIC_SECRET_0"
	}
	secret := l.secret(clientRandom, label)
	prefix := "quic "
	if version == quicV2 {
		prefix = "quicv2 "
	}
	d := &Datagrams{largest: -1}
	add := func(h func() hash.Hash, key int, chacha bool) {
		w := quicWay{hash: h, key: key, chacha: chacha, prefix: prefix, secret: secret}
		if w.use() && w.guard() {
			d.ways = append(d.ways, w)
		}
	}
	switch len(secret) {
	case sha256.Size:
		add(sha256.New, 16, false)
		add(sha256.New, 32, true)
	case sha512.Size384:
		add(sha512.New384, 32, false)
	}
	if len(d.ways) == 0 {
		return nil
	}
	return d
}

// Open gives the frames of a packet whose connection id has so many bytes. ok is false where it does not open: another key,
// or another length.
func (d *Datagrams) Open(packet []byte, id int) (frames []byte, ok bool) {
	number := 1 + id
	if len(packet) < number+quicSeen+aes.BlockSize {
		return nil, false
	}
	for i := range d.ways {
		w := &d.ways[i]
		mask := w.protect(packet[number+quicSeen : number+quicSeen+aes.BlockSize])
		first := packet[0] ^ mask[0]&0x1f
		n := int(first&3) + 1
		head := append([]byte(nil), packet[:number+n]...)
		head[0] = first
		truncated := int64(0)
		for k := range n {
			head[number+k] ^= mask[1+k]
			truncated = truncated<<8 | int64(head[number+k])
		}
		pn := d.number(truncated, n)
		way, phase := *w, first&4
		if d.largest >= 0 && phase != d.phase && !way.update() {
			continue
		}
		if frames, ok = way.open(head, packet[number+n:], pn); !ok {
			continue
		}
		if pn > d.largest {
			d.largest, d.phase = pn, phase
			d.ways = []quicWay{way}
		}
		return frames, true
	}
	return nil, false
}

// number completes a packet number of n bytes (RFC 9000 §A.3).
func (d *Datagrams) number(truncated int64, n int) int64 {
	expected := d.largest + 1
	window := int64(1) << (8 * n)
	pn := expected&^(window-1) | truncated
	switch {
	case pn <= expected-window/2 && pn < 1<<62-window:
		return pn + window
	case pn > expected+window/2 && pn >= window:
		return pn - window
	}
	return pn
}

func (w *quicWay) open(head, sealed []byte, pn int64) ([]byte, bool) {
	if len(sealed) < quicTag {
		return nil, false
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(pn))
	nonce := append([]byte(nil), w.iv...)
	for i := range b {
		nonce[4+i] ^= b[i]
	}
	plain, err := w.aead.Open(nil, nonce, sealed, head)
	return plain, err == nil
}

// update goes on to the next secret (RFC 9001 §6.1); the header's protection stays.
func (w *quicWay) update() bool {
	w.secret = w.expand("ku", w.hash().Size())
	return w.secret != nil && w.use()
}

// use derives key and iv (RFC 9001 §5.1).
func (w *quicWay) use() bool {
	w.iv, w.aead = w.expand("iv", 12), newAEAD(w.expand("key", w.key), w.chacha)
	return w.iv != nil && w.aead != nil
}

// guard derives the header's protection (RFC 9001 §5.4.3, §5.4.4).
func (w *quicWay) guard() bool {
	w.hp = w.expand("hp", w.key)
	if w.chacha {
		w.protect = func(sample []byte) (mask [5]byte) {
			c, err := chacha20.NewUnauthenticatedCipher(w.hp, sample[4:16])
			if err == nil {
				c.SetCounter(binary.LittleEndian.Uint32(sample))
				c.XORKeyStream(mask[:], mask[:])
			}
			return mask
		}
		return w.hp != nil
	}
	b, err := aes.NewCipher(w.hp)
	if err != nil {
		return false
	}
	w.protect = func(sample []byte) (mask [5]byte) {
		var out [aes.BlockSize]byte
		b.Encrypt(out[:], sample)
		copy(mask[:], out[:])
		return mask
	}
	return true
}

func (w *quicWay) expand(label string, n int) []byte {
	return expandLabel(w.hash, w.secret, w.prefix+label, n)
}
