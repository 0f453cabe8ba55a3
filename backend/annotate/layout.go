package annotate

import (
	"encoding/binary"
	"math"
)

// Version of the layout. A reader takes exactly its own: a correlation is cheap to make again.
const Version = 5

const (
	magic        = "corr.ann"
	headerSize   = 64
	recordSize   = 32
	pageRecords  = 1024
	pageSize     = 9 * 4
	classSize    = 17 * 4
	flowSize     = 5 * 4
	flowAtSize   = 11 * 4
	findingSize  = 3 * 4
	logSize      = 2 * 4
	stepSize     = 3 * 4
	pointSize    = 33 * 4
	sectionSize  = 4 * 4
	stringSize   = 2 * 4
	peerWords    = 3
	farPeerWords = 4
	kindWords    = 5
	delayNone    = 0x80000000
	delayInExtra = 0x80000001
	noneWord     = math.MaxUint32
	noneNanos    = 1<<30 - 1
)

// Offsets in the header.
const (
	headVersion   = 8
	headFileSize  = 16
	headDirOffset = 24
	headDirSize   = 32
	headDirSum    = 36
)

// Offsets in a record.
const (
	recTime  = 0
	recLen   = 8
	recFlow  = 12
	recClass = 16
	recPeer  = 20
	recDelay = 24
	recExtra = 28

	// flowFinding in a record's flow says that its heap entry names findings: those are shown unasked. It stands there
	// because a filter on corr.flow, the quickest, then looks at the first four words only.
	flowFinding = 1 << 31
)

// Sections of the directory, in this order.
const (
	secStrings = iota
	secText
	secFlows
	secFlowAts
	secFindings
	secLogs
	secSteps
	secPoints
	sectionCount
)

// Sections of a point, in this order, after its first 13 words.
const (
	pointRecords = iota
	pointPages
	pointClasses
	pointLists
	pointHeap
	pointSections
	pointSectionsAt = 13 * 4
)

// Flags of a point.
const (
	pointClockKnown = 1 << iota
	pointSubMicro   // some time has a part below 1 µs: a copy saved with µs loses it
)

// Flags of a class.
const (
	classReverse = 1 << iota
	classPeerDown
)

// peerDown is the flag of a kind of peers.
const peerDown = 1

// Tags of the items of a heap entry: tag in the low 8 bits of a word, the number of elements above.
const (
	tagDelay = 1 + iota
	tagPeers
	tagChangedText
	tagMessage
	tagMessagePeers
	tagFindings
	tagLogs
	_ // 8 is not used
	tagTie
	tagFarPeers
	tagFarMessagePeers
)

var le = binary.LittleEndian

// section tells where a table lies.
type section struct {
	off   uint64
	count uint32
	width uint32
}

func (s section) put(b []byte) {
	le.PutUint64(b, s.off)
	le.PutUint32(b[8:], s.count)
	le.PutUint32(b[12:], s.width)
}

func getSection(b []byte) section {
	return section{le.Uint64(b), le.Uint32(b[8:]), le.Uint32(b[12:])}
}

const second = 1_000_000_000

// stampOf is ns as a stamp. Instants beyond ±2^33 s (the years 1697 and 2242) become none: false.
func stampOf(ns int64) (uint64, bool) {
	sec := ns / second
	n := ns - sec*second
	if n < 0 {
		n += second
		sec--
	}
	if sec >= 1<<33 || sec < -1<<33 {
		return noStamp, false
	}
	return uint64(uint32(sec)) | uint64(n)<<32 | uint64(sec>>32&3)<<62, true
}

const noStamp = noneNanos << 32

// putStamp writes stampOf.
func putStamp(b []byte, ns int64) bool {
	x, ok := stampOf(ns)
	le.PutUint64(b, x)
	return ok
}

func putNoStamp(b []byte) { le.PutUint64(b, noStamp) }

// getStamp reads a stamp; false for none, and for what is no stamp.
func getStamp(b []byte) (int64, bool) {
	hi := le.Uint32(b[4:])
	n := int64(hi & (1<<30 - 1))
	if n >= second {
		return 0, false
	}
	sec := int64(uint64(hi>>30)<<62)>>30 | int64(le.Uint32(b))
	return sec*second + n, true
}

// driftUnits turns parts per million into units of 1e-18, which a double holds exactly up to 9000 ppm: Go and Lua
// then compute the same nanosecond.
func driftUnits(ppm float64) int64 {
	x := math.Round(ppm * 1e12)
	if !(math.Abs(x) < 1<<53) {
		return 0
	}
	return int64(x)
}
