package message

// begin opens a message at offset off.
func (s *Stream) begin(m StreamMessage, off uint64) {
	m.Off, m.AfterGap = off, s.gap
	s.cur, s.open, s.left, s.gap = m, true, 0, false
}

// emit ends the message begun.
func (s *Stream) emit() {
	s.out = append(s.out, s.cur)
	s.cur, s.open, s.left = StreamMessage{}, false, 0
	s.body = bodyState{}
}

// skip passes over bytes of a body.
func (s *Stream) skip(b []byte) int {
	if s.cur.HTTP != nil && s.body.bodyless(s, b) {
		return 0
	}
	n := min(uint64(len(b)), s.left)
	s.pass(n)
	return int(n)
}

// pass counts n bytes of the body or chunk, seen or missing, and ends it where they were the last.
func (s *Stream) pass(n uint64) {
	s.left -= n
	s.body.begun = true
	if s.left > 0 {
		return
	}
	switch {
	case s.mode == modeTLS:
		s.endRecord()
	case s.cur.Body == BodyChunked:
		// The next chunk's size follows.
	default:
		s.emit()
	}
}

// lose gives up the place: the message begun is given as cut.
func (s *Stream) lose() {
	s.drop()
	s.breakOff()
	s.record = tlsRecord{torn: true}
	s.fields = http2Fields{lost: true}
	s.mode, s.gap = modeLost, true
}

// breakOff gives the message begun as far as it came. A body that lasts until the close is whole by then.
func (s *Stream) breakOff() {
	if !s.open {
		return
	}
	s.cur.Cut = s.cur.Body != BodyClose
	if s.cur.Body == BodyLength {
		s.cur.Missing += s.left
	} else {
		s.cur.Len = s.next - s.cur.Off
	}
	if s.cur.Record == ContentHandshake {
		s.record.hs.flush(s.tookHandshake)
	}
	if s.cur.Label == "" {
		s.cur.Label = s.cur.Kind
	}
	s.emit()
}

// enter begins the payload proper at offset off, behind what was said to a proxy.
func (s *Stream) enter(off uint64) {
	s.tunnel, s.tunneled = off, true
	s.mode, s.socks = modeStart, 0
}

// gather puts b behind the header begun, up to limit bytes in all, and returns how much of b it took. Where nothing was
// begun it returns b itself, so that whole headers are never copied.
func (s *Stream) gather(b []byte, limit int) (taken int, all []byte) {
	if len(s.buf) == 0 {
		return len(b), b
	}
	n := min(len(b), max(limit-len(s.buf), 0))
	s.buf = append(s.buf, b[:n]...)
	return n, s.buf
}

// keep stores what gather returned until more comes.
func (s *Stream) keep(all []byte) {
	if len(s.buf) == 0 {
		s.buf = append(s.buf[:0], all...)
	}
}

// drop forgets the header begun.
func (s *Stream) drop() { s.buf = s.buf[:0] }

// origin is the offset of the first byte that gather returned, of which taken came just now.
func (s *Stream) origin(all []byte, taken int) uint64 {
	return s.next + uint64(taken) - uint64(len(all))
}

// replay reads again, in a mode just set, what was gathered of a header; its last taken bytes came just now. It returns
// how many of those are used up. Each byte is replayed once for each
// protocol around it, and no more than maxDNS of them.
func (s *Stream) replay(all []byte, taken int) int {
	before := len(all) - taken
	if before == 0 {
		return 0
	}
	again := append([]byte(nil), all...)
	s.next -= uint64(before)
	s.consume(again)
	s.next -= uint64(taken)
	return taken
}

// rest is how many of the bytes just taken belong to a header of headLen bytes that ends in them.
func rest(all []byte, taken, headLen int) int { return headLen - (len(all) - taken) }
