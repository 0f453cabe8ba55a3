package capture

import (
	"bytes"
	"encoding/binary"
)

// Block types of pcapng (draft-ietf-opsawg-pcapng §4). Unknown ones are skipped.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 2 // obsolete
	blockSimple    = 3
	blockStats     = 5
	blockEnhanced  = 6
	blockSecrets   = 10
)

const (
	byteOrderMagic = 0x1a2b3c4d
	minBlock       = 12 // type, length, length again
	enhancedData   = 28 // where an enhanced packet block's frame begins

	// maxInterfaces bounds the interfaces of one section; each costs memory.
	maxInterfaces = 1 << 18
	// maxHeaderBlock bounds a section or interface block: they hold a few lines of text.
	maxHeaderBlock = 1 << 20
	// maxSecrets bounds the key logs kept of one file.
	maxSecrets = 64 << 20

	secretsTLS = 0x544c534b // the NSS key log format
)

type ngState struct {
	order binary.ByteOrder
	big   bool
	ifs   []ngInterface // of this section
	base  uint32        // interfaces of the sections before

	keyLogs [][]byte
	keySize int
}

// uint32 spares the hot path an interface call.
func (st *ngState) uint32(b []byte) uint32 {
	if st.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

// Secrets gives the TLS key logs that the file's decryption secrets blocks hold, as far as it has been read.
func (r *Reader) Secrets() [][]byte { return r.ng.keyLogs }

func (r *Reader) openNG() error {
	s := &r.src
	if !s.need(minBlock) {
		return r.cut(false)
	}
	if m := binary.LittleEndian.Uint32(s.buf[s.pos+8:]); m != byteOrderMagic && m != 0x4d3c2b1a {
		return r.notCapture()
	}
	r.next = r.nextNG
	// Interfaces come in front of frames: read them now, so that Info knows the first. An error is Next's to give.
	_, _, _ = r.toFrame()
	if r.ng.order == nil {
		return r.failed
	}
	return nil
}

// toFrame reads blocks up to one that holds a frame, which it leaves unread and returns the length of.
func (r *Reader) toFrame() (typ, length uint32, err error) {
	s, st := &r.src, &r.ng
	for {
		if s.end-s.pos < minBlock && !s.fill(minBlock) {
			return 0, 0, r.atEnd(r.lookedLikeFrame())
		}
		h := s.buf[s.pos : s.pos+minBlock : s.pos+minBlock]
		typ = binary.LittleEndian.Uint32(h)
		if typ == blockSection { // reads the same in both byte orders
			if err := r.section(); err != nil {
				return 0, 0, err
			}
			continue
		}
		if st.big {
			typ, length = binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:])
		} else {
			length = binary.LittleEndian.Uint32(h[4:])
		}
		if typ == blockEnhanced || typ == blockSimple || typ == blockPacket {
			return typ, length, nil
		}
		if err := r.otherBlock(typ, length); err != nil {
			return 0, 0, err
		}
	}
}

// lookedLikeFrame tells, where the data end in a block's first bytes, whether it was to hold a frame.
func (r *Reader) lookedLikeFrame() bool {
	s := &r.src
	if r.ng.order == nil || s.end-s.pos < 4 {
		return false
	}
	typ := r.ng.order.Uint32(s.buf[s.pos:])
	return typ == blockEnhanced || typ == blockSimple || typ == blockPacket
}

// padded is a block's true length: some writers leave the padding out of it. Wireshark reads them so too.
func padded(length uint32) int64 { return (int64(length) + 3) &^ 3 }

// block brings a whole block into the buffer and checks both its lengths. It stays in front of src.pos.
func (r *Reader) block(length, least, most uint32, inFrame bool) ([]byte, error) {
	n := int(padded(length))
	if n < int(least) || n > int(most) {
		return nil, r.damaged(inFrame, "a block of %d bytes", length)
	}
	s := &r.src
	if s.end-s.pos < n && !s.fill(n) {
		return nil, r.cut(inFrame)
	}
	b := s.buf[s.pos : s.pos+n : s.pos+n]
	if again := r.ng.uint32(b[n-4:]); again != length && padded(again) != padded(length) {
		return nil, r.damaged(inFrame, "a block's two lengths differ: %d and %d", length, again)
	}
	return b, nil
}

func (r *Reader) section() error {
	s, st := &r.src, &r.ng
	switch binary.LittleEndian.Uint32(s.buf[s.pos+8:]) {
	case byteOrderMagic:
		st.order, st.big = binary.LittleEndian, false
	case 0x4d3c2b1a:
		st.order, st.big = binary.BigEndian, true
	default:
		return r.damaged(false, "a section without byte order")
	}
	b, err := r.block(st.order.Uint32(s.buf[s.pos+4:]), 28, maxHeaderBlock, false)
	if err != nil {
		return err
	}
	if major, minor := st.order.Uint16(b[12:]), st.order.Uint16(b[14:]); major != 1 || minor != 0 && minor != 2 {
		return r.damaged(false, "pcapng version %d.%d is not known", major, minor)
	}
	st.base += uint32(len(st.ifs))
	st.ifs = st.ifs[:0]
	s.pos += len(b)
	return nil
}

// otherBlock reads a block without a frame.
func (r *Reader) otherBlock(typ, length uint32) error {
	s := &r.src
	switch typ {
	case blockInterface:
		b, err := r.block(length, 20, maxHeaderBlock, false)
		if err != nil {
			return err
		}
		if err := r.interfaceBlock(b); err != nil {
			return err
		}
		s.pos += len(b)
		return nil
	case blockSecrets:
		if length <= maxSecrets && r.ng.keySize+int(length) <= maxSecrets {
			b, err := r.block(length, 20, maxSecrets, false)
			if err != nil {
				return err
			}
			r.secretsBlock(b)
			s.pos += len(b)
			return nil
		}
	case blockStats:
		b, err := r.block(length, 24, maxHeaderBlock, false)
		if err != nil {
			return err
		}
		r.statsBlock(b)
		s.pos += len(b)
		return nil
	}
	if err := r.skipBlock(length); err != nil {
		return err
	}
	if numbered(typ) {
		r.number++
	}
	return nil
}

// numbered tells blocks that hold no frame, yet have a frame number in Wireshark: custom ones, journal entries and
// system calls. Their numbers must be left out here.
func numbered(typ uint32) bool {
	switch typ {
	case 0x00000bad, 0x40000bad, // custom
		0x00000009,                               // systemd journal
		0x204, 0x208, 0x216, 0x217, 0x221, 0x222: // sysdig
		return true
	}
	return false
}

func (r *Reader) skipBlock(length uint32) error {
	if length < minBlock {
		return r.damaged(false, "a block of %d bytes", length)
	}
	s := &r.src
	if !s.skip(padded(length)-4) || !s.need(4) {
		return r.cut(false)
	}
	if again := r.ng.order.Uint32(s.buf[s.pos:]); again != length && padded(again) != padded(length) {
		return r.damaged(false, "a block's two lengths differ: %d and %d", length, again)
	}
	s.pos += 4
	return nil
}

func (r *Reader) secretsBlock(b []byte) {
	size := r.ng.order.Uint32(b[12:])
	if r.ng.order.Uint32(b[8:]) != secretsTLS || uint64(size) > uint64(len(b)-20) {
		return
	}
	r.ng.keyLogs = append(r.ng.keyLogs, bytes.Clone(b[16:16+size]))
	r.ng.keySize += len(b)
}

func (r *Reader) nextNG(p *Packet) error {
	// Nearly all blocks are enhanced packet blocks in little-endian: they go the short way.
	if s := &r.src; s.end-s.pos >= minBlock && !r.ng.big {
		if h := s.buf[s.pos:s.end:s.end]; binary.LittleEndian.Uint32(h) == blockEnhanced {
			return r.enhanced(binary.LittleEndian.Uint32(h[4:]), p)
		}
	}
	typ, length, err := r.toFrame()
	if err != nil {
		return err
	}
	switch typ {
	case blockEnhanced:
		return r.enhanced(length, p)
	case blockSimple:
		return r.simple(length, p)
	default:
		return r.obsolete(length, p)
	}
}

func (r *Reader) enhanced(length uint32, p *Packet) error {
	b, err := r.block(length, 32, maxRecord, true)
	if err != nil {
		return err
	}
	var id, high, low, capLen, origLen uint32
	if h := b[8:28:28]; r.ng.big {
		id, high, low = binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:])
		capLen, origLen = binary.BigEndian.Uint32(h[12:]), binary.BigEndian.Uint32(h[16:])
	} else {
		id, high, low = binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:]), binary.LittleEndian.Uint32(h[8:])
		capLen, origLen = binary.LittleEndian.Uint32(h[12:]), binary.LittleEndian.Uint32(h[16:])
	}
	return r.frame(p, b, enhancedData, id, uint64(high)<<32|uint64(low), capLen, origLen)
}

// obsolete reads a packet block as Wireshark 1.0 wrote it.
func (r *Reader) obsolete(length uint32, p *Packet) error {
	b, err := r.block(length, 32, maxRecord, true)
	if err != nil {
		return err
	}
	o := r.ng.order
	ts := uint64(o.Uint32(b[12:]))<<32 | uint64(o.Uint32(b[16:]))
	return r.frame(p, b, 28, uint32(o.Uint16(b[8:])), ts, o.Uint32(b[20:]), o.Uint32(b[24:]))
}

// frame fills p from a block whose data begin at the offset data.
func (r *Reader) frame(p *Packet, b []byte, data int, id uint32, ts uint64, capLen, origLen uint32) error {
	if uint64(id) >= uint64(len(r.ng.ifs)) {
		return r.damaged(true, "interface %d is not described", id)
	}
	in := &r.ng.ifs[id]
	if capLen > in.limit || int(capLen) > len(b)-data-4 {
		return r.damaged(true, "it claims %d bytes", capLen)
	}
	end := data + int(capLen)
	direction := DirectionUnknown
	if opts := b[min((end+3)&^3, len(b)-4) : len(b)-4]; len(opts) > 0 {
		var ok bool
		if direction, ok = r.direction(opts); !ok {
			return r.damaged(true, "its options can't be read")
		}
	}
	t, ok := in.time(ts)
	r.src.pos += len(b)
	r.number++
	// Field by field: a composite literal is built aside and copied.
	p.Number, p.Time, p.HasTime = r.number, t, ok
	p.OrigLen, p.Link, p.Direction = origLen, in.link, direction
	p.Interface, p.Data = r.ng.base+id, b[data:end:end]
	return nil
}

// simple reads a simple packet block: of the section's first interface, without a time.
func (r *Reader) simple(length uint32, p *Packet) error {
	b, err := r.block(length, 16, maxRecord, true)
	if err != nil {
		return err
	}
	if len(r.ng.ifs) == 0 {
		return r.damaged(true, "interface 0 is not described")
	}
	in := &r.ng.ifs[0]
	origLen := r.ng.order.Uint32(b[8:])
	capLen := origLen
	if in.snaplen > 0 {
		capLen = min(capLen, in.snaplen)
	}
	if capLen > in.limit || int(capLen) > len(b)-16 {
		return r.damaged(true, "it claims %d bytes", capLen)
	}
	r.src.pos += len(b)
	r.number++
	end := 12 + int(capLen)
	*p = Packet{Number: r.number, OrigLen: origLen, Link: in.link, Interface: r.ng.base, Data: b[12:end:end]}
	return nil
}
