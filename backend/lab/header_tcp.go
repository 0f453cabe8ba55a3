package lab

// TCP flags (RFC 9293 §3.1).
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	flagPSH
	flagACK
)

// tcp reports whether the frame holds the 20 fixed bytes of a TCP header, not quoted.
func (h *header) tcp() bool { return h.l4 >= 0 && h.proto == protoTCP && h.has(h.l4, 20) }

func (h *header) seq() uint32    { return be.Uint32(h.data[h.l4+4:]) }
func (h *header) ack() uint32    { return be.Uint32(h.data[h.l4+8:]) }
func (h *header) flags() byte    { return h.data[h.l4+13] }
func (h *header) window() uint16 { return be.Uint16(h.data[h.l4+14:]) }

// payloadLen is the payload's length on the wire.
func (h *header) payloadLen() int { return max(0, h.end-h.payload) }

// whole reports whether the snaplen cut nothing of the datagram.
func (h *header) whole() bool { return h.end <= len(h.data) }

// body gives the captured payload, without Ethernet's padding.
func (h *header) body() []byte {
	from, to := min(h.payload, len(h.data)), min(h.end, len(h.data))
	return h.data[from:max(from, to)]
}

// option is one TCP option.
type option struct {
	kind byte
	off  int // of the kind byte
	len  int
}

// options lists the TCP options that are there in full.
func (h *header) options() []option {
	if !h.tcp() {
		return nil
	}
	var list []option
	for o := h.l4 + 20; o < h.payload && o < len(h.data); {
		switch kind := h.data[o]; {
		case kind == 0:
			return append(list, option{0, o, 1})
		case kind == 1:
			list = append(list, option{1, o, 1})
			o++
		case !h.has(o, 2) || h.data[o+1] < 2 || !h.has(o, int(h.data[o+1])):
			return list
		default:
			list = append(list, option{kind, o, int(h.data[o+1])})
			o += int(h.data[o+1])
		}
	}
	return list
}

// TCP option kinds.
const (
	optMSS       = 2
	optScale     = 3
	optSACKPerm  = 4
	optSACK      = 5
	optTimestamp = 8
)

func (h *header) option(kind byte) (option, bool) {
	for _, o := range h.options() {
		if o.kind == kind {
			return o, true
		}
	}
	return option{}, false
}

// ipID is the identification field and whether there is one.
func (h *header) ipID() (uint16, bool) {
	if h.ip < 0 || h.version != 4 {
		return 0, false
	}
	return be.Uint16(h.data[h.ip+4:]), true
}

func (h *header) df() bool { return h.ip >= 0 && h.version == 4 && h.data[h.ip+6]&0x40 != 0 }

// ttlOff is the offset of the innermost TTL or hop limit.
func (h *header) ttlOff() int {
	if h.version == 6 {
		return h.ip + 7
	}
	return h.ip + 8
}

func (h *header) ttl() byte { return h.data[h.ttlOff()] }
