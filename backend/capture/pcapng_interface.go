package capture

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"strings"
)

// Options of pcapng blocks (draft-ietf-opsawg-pcapng §3.5, §4.2, §4.3).
const (
	optEnd       = 0
	optIfName    = 2
	optIfTsresol = 9
	optIfFilter  = 11
	optIfOffset  = 14
	optFlags     = 2 // of a packet

	optReceived  = 4 // isb_ifrecv
	optDropped   = 5 // isb_ifdrop
	optOSDropped = 7 // isb_osdrop
)

// ngInterface is what frames need of their interface.
type ngInterface struct {
	link    LinkType
	snaplen uint32
	limit   uint32

	scale  timeScale
	offset int64 // ns, added to every time
}

// maxSeconds is what int64 nanoseconds can hold.
const maxSeconds = math.MaxInt64 / 1_000_000_000

// timeScale turns units of if_tsresol into nanoseconds, cutting what is finer.
type timeScale struct {
	mul   uint64 // ns of a unit; 0: finer than ns
	div   uint64 // units of a ns, decimal; 0: the resolution is binary, or too fine for a 64-bit time to reach 1 ns
	shift uint8  // binary: a unit is 2^-shift s
}

var microseconds = timeScale{mul: 1000}

// newTimeScale reads if_tsresol: a power of 10, or with the highest bit set of 2, negated.
func newTimeScale(resol byte) timeScale {
	exp := resol & 0x7f
	if resol&0x80 != 0 {
		return timeScale{shift: exp}
	}
	switch {
	case exp <= 9:
		return timeScale{mul: pow10(9 - exp)}
	case exp <= 9+19:
		return timeScale{div: pow10(exp - 9)}
	}
	return timeScale{shift: 127} // 10^-29 s: 2^64 units are less than a ns, as with 2^-127
}

func pow10(n uint8) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

func resolutionText(resol byte) string {
	exp := resol & 0x7f
	switch {
	case resol&0x80 != 0 && exp > 0:
		return fmt.Sprintf("2^-%d s", exp)
	case exp == 0:
		return "1 s"
	case exp > 12:
		return fmt.Sprintf("10^-%d s", exp)
	}
	units := []string{"s", "ms", "µs", "ns", "ps"}
	n := (exp + 2) / 3
	return fmt.Sprintf("%d %s", pow10(3*n-exp), units[n])
}

// time converts a frame's time. It reports false where int64 nanoseconds can't hold it.
func (in *ngInterface) time(ts uint64) (LocalTime, bool) {
	var ns uint64
	switch c := &in.scale; {
	case c.mul != 0:
		hi, lo := bits.Mul64(ts, c.mul)
		if hi != 0 {
			return 0, false
		}
		ns = lo
	case c.div != 0:
		ns = ts / c.div
	default:
		hi, lo := bits.Mul64(ts, 1e9)
		if n := uint(c.shift); n >= 64 {
			ns = hi >> (n - 64)
		} else {
			if hi>>n != 0 {
				return 0, false
			}
			ns = hi<<(64-n) | lo>>n
		}
	}
	if ns > math.MaxInt64 {
		return 0, false
	}
	t := int64(ns) + in.offset
	if (t < int64(ns)) != (in.offset < 0) {
		return 0, false
	}
	return LocalTime(t), true
}

func (r *Reader) interfaceBlock(b []byte) error {
	st := &r.ng
	if len(st.ifs) >= maxInterfaces {
		return r.damaged(false, "more than %d interfaces", maxInterfaces)
	}
	in := ngInterface{link: LinkType(st.order.Uint16(b[8:])), snaplen: st.order.Uint32(b[12:]), scale: microseconds}
	in.limit = frameLimit(in.link)
	shown := Interface{Link: in.link, Snaplen: in.snaplen, Resolution: "1 µs"}
	opts := options{b: b[16 : len(b)-4], order: st.order}
	for opts.next() {
		switch {
		case opts.code == optIfName:
			shown.Name = optionText(opts.value)
		case opts.code == optIfFilter && len(opts.value) > 1 && opts.value[0] == 0: // 0: as text, else as BPF code
			shown.Filter = optionText(opts.value[1:])
		case opts.code == optIfTsresol && len(opts.value) == 1:
			in.scale = newTimeScale(opts.value[0])
			shown.Resolution = resolutionText(opts.value[0])
		case opts.code == optIfOffset && len(opts.value) == 8:
			seconds := int64(st.order.Uint64(opts.value))
			if seconds > maxSeconds || seconds < -maxSeconds {
				return r.damaged(false, "times are off by %d seconds", seconds)
			}
			in.offset = seconds * 1e9
		case opts.code == optIfTsresol, opts.code == optIfOffset:
			opts.broken = true // its times would be wrong
		}
	}
	if opts.broken {
		return r.damaged(false, "the options of interface %d can't be read", len(st.ifs))
	}
	st.ifs = append(st.ifs, in)
	r.addInterface(shown)
	return nil
}

// options walks the options of a block.
type options struct {
	b      []byte
	order  binary.ByteOrder
	code   uint16
	value  []byte
	broken bool // an option is longer than the block
}

func (o *options) next() bool {
	if o.broken || len(o.b) < 4 {
		return false
	}
	o.code = o.order.Uint16(o.b)
	n := int(o.order.Uint16(o.b[2:]))
	if o.code == optEnd {
		return false
	}
	o.b = o.b[4:]
	if n > len(o.b) {
		o.broken = true
		return false
	}
	o.value = o.b[:n]
	o.b = o.b[min((n+3)&^3, len(o.b)):]
	return true
}

func optionText(b []byte) string {
	text, _, _ := strings.Cut(string(b), "\x00")
	return strings.ToValidUTF8(text, "\uFFFD")
}

// direction reads epb_flags (pack_flags in the obsolete block, the same), bits 0 and 1. It reports false where the
// options are broken.
func (r *Reader) direction(b []byte) (Direction, bool) {
	d := DirectionUnknown
	opts := options{b: b, order: r.ng.order}
	for opts.next() {
		if opts.code != optFlags || len(opts.value) != 4 {
			continue
		}
		switch r.ng.order.Uint32(opts.value) & 3 {
		case 1:
			d = Inbound
		case 2:
			d = Outbound
		}
	}
	return d, !opts.broken
}

// statsBlock reads an interface statistics block. Its counters run from the start of the recording, so the last counts.
func (r *Reader) statsBlock(b []byte) {
	id := uint64(r.ng.base) + uint64(r.ng.order.Uint32(b[8:]))
	if id >= uint64(len(r.info.Interfaces)) {
		return
	}
	in := &r.info.Interfaces[id]
	var dropped uint64
	opts := options{b: b[20 : len(b)-4], order: r.ng.order}
	for opts.next() {
		if len(opts.value) != 8 {
			continue
		}
		n := r.ng.order.Uint64(opts.value)
		switch opts.code {
		case optReceived:
			in.Received, in.HasReceived = n, true
		case optDropped, optOSDropped:
			dropped += n
			in.Dropped, in.HasDropped = dropped, true
		}
	}
}
