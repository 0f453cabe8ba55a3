package message

// QUICPiece is a STREAM frame: some bytes of a stream (RFC 9000 §19.8).
type QUICPiece struct {
	Stream uint64
	Off    uint64
	Data   []byte // part of the frames it was read from
	Fin    bool   // the stream ends behind it
}

// QUICShort is where a datagram's packet with a short header begins, behind those with long ones; ok is false where there is
// none.
func QUICShort(datagram []byte) (off int, ok bool) {
	for off < len(datagram) {
		if datagram[off] < 0x80 {
			return off, isQUICShort(datagram[off:], len(datagram)-off)
		}
		l, long := parseQUICLong(datagram[off:])
		if !long || l.length == 0 {
			return 0, false
		}
		off += l.length
	}
	return 0, false
}

// QUICPieces lists the STREAM frames among a packet's frames, up to one of a type that is not known (RFC 9000 §19,
// RFC 9221).
func QUICPieces(frames []byte) []QUICPiece {
	c := cursor{b: frames}
	var out []QUICPiece
	for len(c.b) > 0 && !c.short {
		kind := c.long()
		switch {
		case kind <= 1: // PADDING, PING
		case kind == 2 || kind == 3:
			c.longs(2)
			ranges := c.long()
			c.long()
			for ; ranges > 0 && !c.short; ranges-- {
				c.longs(2)
			}
			if kind == 3 {
				c.longs(3)
			}
		case kind == 4: // RESET_STREAM
			c.longs(3)
		case kind == 5, kind == 0x11, kind == 0x15: // STOP_SENDING, MAX_STREAM_DATA, STREAM_DATA_BLOCKED
			c.longs(2)
		case kind == 6: // CRYPTO
			c.long()
			c.run(c.long())
		case kind == 7, kind == 0x31: // NEW_TOKEN, DATAGRAM with a length
			c.run(c.long())
		case kind >= 8 && kind <= 15: // STREAM
			p := QUICPiece{Stream: c.long(), Fin: kind&1 != 0}
			if kind&4 != 0 {
				p.Off = c.long()
			}
			n := uint64(len(c.b))
			if kind&2 != 0 {
				n = c.long()
			}
			if p.Data = c.run(n); !c.short {
				out = append(out, p)
			}
		case kind == 0x10, kind == 0x12, kind == 0x13, kind == 0x14, kind == 0x16, kind == 0x17, kind == 0x19: // MAX_…, …_BLOCKED, RETIRE_CONNECTION_ID
			c.long()
		case kind == 0x18: // NEW_CONNECTION_ID
			c.longs(2)
			c.run(uint64(c.uint(1)))
			c.run(16)
		case kind == 0x1a, kind == 0x1b: // PATH_CHALLENGE, PATH_RESPONSE
			c.run(8)
		case kind == 0x1c, kind == 0x1d: // CONNECTION_CLOSE
			if c.long(); kind == 0x1c {
				c.long()
			}
			c.run(c.long())
		case kind == 0x1e: // HANDSHAKE_DONE
		default:
			return out
		}
	}
	return out
}

// long reads a variable-length integer of any length (RFC 9000 §16).
func (c *cursor) long() uint64 {
	if len(c.b) == 0 {
		c.short = true
		return 0
	}
	n := 1 << (c.b[0] >> 6)
	if n > len(c.b) {
		c.short, c.b = true, nil
		return 0
	}
	v := uint64(c.b[0] & 0x3f)
	for _, b := range c.b[1:n] {
		v = v<<8 | uint64(b)
	}
	c.b = c.b[n:]
	return v
}

// longs passes over n of them.
func (c *cursor) longs(n int) {
	for range n {
		c.long()
	}
}

// run returns the next n bytes, or what there is of them.
func (c *cursor) run(n uint64) []byte {
	if n > uint64(len(c.b)) {
		n = uint64(len(c.b)) + 1
	}
	return c.take(int(n))
}
