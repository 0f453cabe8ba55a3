package anonymise

import (
	"crypto/aes"
	"crypto/cipher"
	"net/netip"
)

// KeySize is the length of a key, bytes: 16 for the cipher and 16 that pad short prefixes.
const KeySize = 32

// Prefix replaces addresses and keeps prefixes (Crypto-PAn: Xu, Fan, Ammar, Moon: Prefix-preserving IP address
// anonymization, ICNP 2002). It is no secret to one who can guess at single addresses and see them replaced: who knows
// some pairs learns the common prefixes of others.
type Prefix struct {
	block cipher.Block
	pad   [16]byte
}

// NewPrefix takes a key of KeySize bytes.
func NewPrefix(key [KeySize]byte) (*Prefix, error) {
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		return nil, err
	}
	p := &Prefix{block: block}
	block.Encrypt(p.pad[:], key[16:])
	return p, nil
}

// Addr replaces an address by one of the same family. A zone is dropped: it names an interface.
func (p *Prefix) Addr(a netip.Addr) netip.Addr {
	in := a.Unmap().WithZone("").AsSlice()
	out := make([]byte, len(in))
	for bit := range len(in) * 8 {
		// The first bits of the address, then the pad's.
		b := p.pad
		whole, rest := bit/8, bit%8
		copy(b[:], in[:whole])
		if rest > 0 {
			mask := byte(0xff) << (8 - rest)
			b[whole] = in[whole]&mask | p.pad[whole]&^mask
		}
		p.block.Encrypt(b[:], b[:])
		out[whole] |= (in[whole]>>(7-rest)&1 ^ b[0]>>7) << (7 - rest)
	}
	r, _ := netip.AddrFromSlice(out) // of 4 or 16 bytes
	return r
}
