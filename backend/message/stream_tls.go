package message

import "encoding/binary"

// tlsRecord is the state of TLS in a stream.
type tlsRecord struct {
	hs     handshakes
	plain  *TLS    // what the record's messages say; nil where they say nothing in plain
	alert  [2]byte // the first bytes of an alert
	got    int     // content bytes of the record seen
	broken bool    // content is missing: what follows can't be read
	torn   bool    // handshake content went missing before: what can't be read need not be encrypted
	ccs    bool    // ChangeCipherSpec came
	// afterCCS: it was the record just before.
	afterCCS bool
}

func (s *Stream) stepTLS(b []byte) int {
	if !s.open {
		return s.beginRecord(b)
	}
	n := min(uint64(len(b)), s.left)
	s.content(b[:n])
	s.pass(n)
	return int(n)
}

// beginRecord reads a record's header.
func (s *Stream) beginRecord(b []byte) int {
	n, head := s.gather(b, recordHeader)
	if len(head) < recordHeader {
		s.keep(head)
		return n
	}
	if !isTLSRecord(head[:recordHeader]) { // where content may go on from the record before
		s.lose()
		return 0
	}
	length := uint64(binary.BigEndian.Uint16(head[3:]))
	var t *TLS
	if head[0] == ContentHandshake || head[0] == ContentAlert {
		t = &TLS{Record: binary.BigEndian.Uint16(head[1:])}
	}
	m := StreamMessage{Proto: ProtoTLS, Kind: contentName(head[0]), Record: head[0], HeadLen: recordHeader,
		Len: recordHeader + length, Body: BodyLength, TLS: t}
	off, taken := s.origin(head, n), rest(head, n, recordHeader)
	s.drop()
	s.begin(m, off)
	s.left = length
	s.record.plain, s.record.got, s.record.broken = t, 0, false
	return taken
}

// contentName names a record by its content type.
func contentName(content uint8) string {
	switch content {
	case ContentChangeCipherSpec:
		return kindCCS
	case ContentAlert:
		return kindAlert
	case ContentHandshake:
		return "Handshake"
	case ContentHeartbeat:
		return kindHeartbeat
	}
	return kindAppData
}

// content reads bytes of a record.
func (s *Stream) content(b []byte) {
	r := &s.record
	switch s.cur.Record {
	case ContentAlert:
		if r.got < len(r.alert) {
			copy(r.alert[r.got:], b)
		}
	case ContentHandshake:
		if r.got == 0 && plainHello(b, int(s.cur.Len)-recordHeader) {
			r.hs.encrypted = false
		}
		if !r.broken {
			r.hs.feed(b, 0, s.tookHandshake)
		}
	}
	r.got += len(b)
}

// missContent counts n bytes of a record as missing.
func (s *Stream) missContent(n int) {
	r := &s.record
	if s.mode != modeTLS || s.cur.Record == ContentHandshake && !r.broken && r.hs.skip(n, s.tookHandshake) {
		return
	}
	r.broken = true
	if s.cur.Record == ContentHandshake {
		r.hs.flush(s.tookHandshake)
		r.torn = true
	}
}

// tookHandshake names a handshake message that ends, or breaks off, in this record.
func (s *Stream) tookHandshake(kind uint8, body []byte, _, _ int, _ bool) {
	name := s.record.plain.handshake(kind, body, false)
	if s.cur.Label == "" {
		s.cur.Label = name
	} else if len(s.cur.Label) < MaxLabel {
		s.cur.Label += ", " + name
	}
}

// endRecord emits a record.
func (s *Stream) endRecord() {
	r := &s.record
	switch s.cur.Record {
	case ContentChangeCipherSpec:
		r.hs.reset()
		r.hs.encrypted, r.ccs = true, true
	case ContentAlert:
		t := r.plain
		switch {
		case s.cur.Len != recordHeader+2:
			s.cur.Label = kindEncAlert
		case !r.broken && r.got == 2:
			t.HasAlert, t.AlertLevel, t.Alert = true, r.alert[0], r.alert[1]
			s.cur.Label = alertLabel(t.AlertLevel, t.Alert)
		}
	case ContentHandshake:
		s.cur.Label = r.handshakeLabel(s.cur.Label)
	}
	r.afterCCS = s.cur.Record == ContentChangeCipherSpec
	if s.cur.Label == "" {
		s.cur.Label = s.cur.Kind
	}
	s.emit()
}

// handshakeLabel completes the label of a handshake record: what follows ChangeCipherSpec at once is Finished.
func (r *tlsRecord) handshakeLabel(label string) string {
	encrypted := r.hs.encrypted
	if r.torn {
		r.hs.encrypted = r.ccs
	}
	switch {
	case label != "" || !encrypted || r.torn && !r.ccs:
		return label
	case r.afterCCS:
		return "Finished"
	}
	return kindEncrypted
}
