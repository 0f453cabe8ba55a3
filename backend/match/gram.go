package match

import (
	"github.com/cespare/xxhash/v2"

	"github.com/corr-dev/corr/backend/flow"
)

// Streams that a proxy carries on keep neither numbers nor portions nor, where it inserts something, places. What they
// keep are runs of bytes. A run is looked at where its own content says so, so that both sides look at the same ones
// wherever they lie (content-defined sampling: Manber 1994; Broder 1997).
const (
	runLength = 32
	runMask   = 1<<6 - 1 // one place in 64 on average
	runsMost  = 48       // per conversation and direction
)

// runPrime is the multiplier of the rolling hash; runOut is its runLength-th power, to take a byte out again.
const runPrime = 0x100000001b3

var runOut = func() uint64 {
	p := uint64(1)
	for i := 0; i < runLength; i++ {
		p *= runPrime
	}
	return p
}()

// sealedLeast is the length, in bytes, from which a whole TLS record with its header is told from all others: header,
// nonce or content type, and an authentication tag of 16 (RFC 5288 §3, RFC 8446 §5.2) are 24 at least.
const sealedLeast = 24

// runEntries makes keys of the kept payload bytes of one conversation. Readable text is sent to more than one client;
// what TLS encrypted is not, and is known by the records of application data and alerts that segments begin with.
func runEntries(emit func(evidence, int, uint64, uint64), c *flow.Capture, id flow.ConvID) {
	if c.Sealed == nil {
		readRuns(emit, c, id)
		return
	}
	for _, r := range c.Sealed.Runs[id] {
		kind := evRun
		if r.Kind == sealedRun {
			kind = evSealed
		}
		emit(kind, int(r.Dir), r.Hash, r.N)
	}
}

// sealedRun is flow.Run's Kind of a key that only encrypted bytes make; 0 is any other's.
const sealedRun = 1

// MarkCopies marks what a capture holds twice, as Run does: for a capture that is to be sealed.
func MarkCopies(c *flow.Capture) {
	MarkDuplicates(c)
	findBothSides(c)
}

// Runs are the keys of all conversations, for a capture that is to be sealed.
func Runs(c *flow.Capture) map[flow.ConvID][]flow.Run {
	out := map[flow.ConvID][]flow.Run{}
	for id := range c.Convs {
		id := flow.ConvID(id)
		if c.Conv(id).Proto != flow.ProtoTCP {
			continue
		}
		readRuns(func(kind evidence, d int, hash, n uint64) {
			r := flow.Run{Dir: uint8(d), Hash: hash, N: n}
			if kind == evSealed {
				r.Kind = sealedRun
			}
			out[id] = append(out[id], r)
		}, c, id)
	}
	return out
}

func readRuns(emit func(evidence, int, uint64, uint64), c *flow.Capture, id flow.ConvID) {
	var n [2]int
	sealed := false
	for i := range flow.UpTo(c.Span(id)) {
		f := c.At(i)
		d := f.Dir()
		if f.Len() < sealedLeast || f.Mark&(flow.MarkDuplicate|flow.MarkError|flow.MarkLater) != 0 || n[d] >= runsMost {
			continue
		}
		b, ok := c.Payload(i)
		if !ok || len(b) < sealedLeast {
			continue
		}
		if r := sealedRecord(b); r > 0 {
			sealed = true
			if r <= len(b) {
				emit(evSealed, d, xxhash.Sum64(b[:r]), uint64(r))
				n[d]++
			}
		}
		h, last := uint64(0), uint64(0)
		for k, x := range b {
			h = h*runPrime + uint64(x) + 1
			if k < runLength-1 {
				continue
			}
			if k >= runLength {
				h -= runOut * (uint64(b[k-runLength]) + 1)
			}
			// The high bits are the well-mixed ones; a repeated byte makes the same run again and again.
			if g := h * 0x9E3779B97F4A7C15; g>>32&runMask == 0 && h != last {
				emit(evRun, d, h, 0)
				if sealed {
					emit(evSealed, d, h, 0)
				}
				last = h
				if n[d]++; n[d] >= runsMost {
					break
				}
			}
		}
	}
}

// sealedRecord is the length of the encrypted TLS record that b begins with, header included; 0 for none.
func sealedRecord(b []byte) int {
	if b[0] != 21 && b[0] != 23 || b[1] != 3 || b[2] > 4 {
		return 0
	}
	if n := 5 + int(b[3])<<8 + int(b[4]); n >= sealedLeast {
		return n
	}
	return 0
}
