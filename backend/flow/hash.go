package flow

import "github.com/cespare/xxhash/v2"

// HeadTier is the number of payload bytes that Fact.Head covers: enough for a DNS header and four bytes of its name or
// five bytes of a ClientHello's random, short enough to be inside of what a snaplen of 96 leaves of TCP over IPv4.
const HeadTier = 16

// tiers are the prefix lengths that a cut payload is hashed at: the largest one that was captured. Payloads cut at
// different lengths compare at HeadTier.
var tiers = [4]int{0, 24, 64, 192}

func hash32(b []byte) uint32 {
	h := xxhash.Sum64(b)
	return uint32(h ^ h>>32)
}

// hashPayload fills the hashes of f from the captured bytes b of a payload of f.Len bytes.
func hashPayload(f *Fact, b []byte) {
	if f.Len() == 0 {
		f.Mark |= MarkHead
		return
	}
	whole := uint32(len(b)) >= f.Len()
	switch {
	case len(b) >= HeadTier:
		f.Head = hash32(b[:HeadTier])
		f.Mark |= MarkHead
	case whole:
		f.Head = hash32(b)
		f.Mark |= MarkHead
	}
	if whole {
		if len(b) <= HeadTier {
			f.Full = f.Head
		} else {
			f.Full = hash32(b)
		}
		return
	}
	f.Mark |= MarkCut
	for t := len(tiers) - 1; t > 0; t-- {
		if len(b) >= tiers[t] {
			f.Full = hash32(b[:tiers[t]])
			f.Mark |= Mark(t) << markTierShift
			return
		}
	}
}

// Mix folds two words into one well-spread 64-bit word (the finaliser of MurmurHash3 over a multiply-xor).
func Mix(a, b uint64) uint64 {
	h := a*0x9E3779B97F4A7C15 ^ b
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h
}
