package flow

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"runtime"
	"slices"
	"sync"
)

// A sealed capture holds no payload. What was read of it stands in Sealed; what is compared between captures are hashes
// that only who has the key can test guesses against. Captures sealed with one key compare as open ones do.

// Key keys the hashes of sealed captures. Not for several goroutines at once.
type Key struct {
	block   cipher.Block
	in, out [aes.BlockSize]byte
}

// NewKey makes a key of a secret of any length.
func NewKey(secret []byte) *Key {
	sum := sha256.Sum256(secret)
	block, err := aes.NewCipher(sum[:16])
	if err != nil {
		panic(err) // 16 bytes are a key
	}
	return &Key{block: block}
}

// Uses of a key: the same value gives another hash in each.
const (
	useID = iota
	useHash
	useDigest
	useWindow
)

// Another is the same key for another goroutine.
func (k *Key) Another() *Key { return &Key{block: k.block} }

func (k *Key) hash(use byte, x uint64) uint64 {
	k.in[0] = use
	binary.LittleEndian.PutUint64(k.in[8:], x)
	k.block.Encrypt(k.out[:], k.in[:])
	return binary.LittleEndian.Uint64(k.out[:])
}

// ID tells keys apart and nothing of what they are.
func (k *Key) ID() uint64 { return k.hash(useID, 0) }

// Digest keys a digest of payload.
func (k *Key) Digest(x uint64) uint64 { return k.hash(useDigest, x) }

// word keys one of a fact's hashes; 0 means that there is none.
func (k *Key) word(x uint32) uint32 {
	if x == 0 {
		return 0
	}
	return max(uint32(k.hash(useHash, uint64(x))), 1)
}

// Sealed is what was read of a capture's payload before it was taken away.
type Sealed struct {
	Runs   map[ConvID][]Run
	Fronts map[ConvID]Front
	Names  map[ConvID]Names
}

// Run is a key that package match makes of payload bytes.
type Run struct {
	Kind, Dir uint8
	Hash, N   uint64
}

// Front is what a PROXY header names: the connection in front of the proxy as its initiator's packets carry it.
type Front struct {
	Dir   int // of the header
	Tuple Tuple
}

// Name is the application message that ends in a packet.
type Name struct {
	Place uint32
	Text  string
}

// Names are a conversation's, by the direction that its initiator sends in; [1] is nil where it is the same as [0].
type Names [2][]Name

// Window is the number of bytes that a fingerprint is made of.
const Window = 8

// Seal takes the payload away and keys what was made of it. s is what was read of it, prints its Fingerprints.
func (c *Capture) Seal(k *Key, s *Sealed, prints *Fingerprints) {
	c.kept = prints.of
	var wg sync.WaitGroup
	parts := max(1, runtime.GOMAXPROCS(0))
	for n := range parts {
		wg.Go(func() {
			k := k.Another()
			for i := uint32(c.n * n / parts); i < uint32(c.n*(n+1)/parts); i++ {
				f := c.At(i)
				f.Mark &^= MarkDuplicate | MarkEither // found again by whoever compares
				f.Full, f.Head = k.word(f.Full), k.word(f.Head)
			}
		})
	}
	wg.Wait()
	for id := range c.Convs {
		c.Convs[id].Beyond = false // as are marks
		for d := range c.Convs[id].Data {
			h := &c.Convs[id].Data[d]
			h.H16, h.H32, h.H64 = k.word(h.H16), k.word(h.H32), k.word(h.H64)
		}
	}
	for _, l := range s.Runs {
		for i := range l {
			l[i].Hash = k.Digest(l[i].Hash)
		}
	}
	c.Secrets = nil
	c.Sealed = s
}

// Fingerprints stand for the payload of a sealed capture.
type Fingerprints struct{ of payloads }

// Fingerprints makes, of the kept bytes of TCP streams, a byte each: a keyed hash of the Window bytes of the stream that end
// with it, so that equal runs of streams have equal runs of fingerprints wherever segments begin.
func (c *Capture) Fingerprints(k *Key) *Fingerprints {
	type segment struct {
		off   int64
		place uint32
	}
	out := payloads{budget: math.MaxInt}
	var segs []segment
	var piece []byte
	for id := range c.Convs {
		if c.Conv(ConvID(id)).Proto != ProtoTCP {
			continue
		}
		for d := range 2 {
			segs = segs[:0]
			var prev uint32
			var off int64
			for i := range UpTo(c.Span(ConvID(id))) {
				f := c.At(i)
				if f.Dir() != d || f.Len() == 0 || f.Mark&(MarkError|MarkLater) != 0 {
					continue
				}
				if len(segs) > 0 {
					off += int64(int32(f.Seq - prev))
				}
				prev = f.Seq
				segs = append(segs, segment{off, i})
			}
			slices.SortStableFunc(segs, func(x, y segment) int { return cmp.Compare(x.off, y.off) })
			from := int64(0) // of the piece of the stream at hand
			piece = piece[:0]
			for _, s := range segs {
				b, ok := c.Payload(s.place)
				if !ok {
					continue
				}
				if end := from + int64(len(piece)); len(piece) == 0 || s.off > end {
					from, piece = s.off, piece[:0]
				}
				w := uint64(0)
				at := s.off - from
				for _, x := range piece[max(at-Window+1, 0):at] {
					w = w<<8 | uint64(x)
				}
				if at+int64(len(b)) > int64(len(piece)) {
					piece = append(piece[:at], b...)
				}
				p := out.room(s.place, len(b))
				for i, x := range b {
					w = w<<8 | uint64(x)
					p[i] = byte(k.hash(useWindow, w))
				}
			}
		}
	}
	out.indexed(c.n)
	return &Fingerprints{out}
}
