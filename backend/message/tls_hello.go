package message

// Extensions that are read (IANA, TLS ExtensionType Values).
const (
	extServerName        = 0
	extALPN              = 16
	extSessionTicket     = 35
	extPreSharedKey      = 41
	extEarlyData         = 42
	extSupportedVersions = 43
	extECH               = 0xfe0d
)

// maxNames bounds lists of names that are kept: ALPN offers, certificate names.
const maxNames = 8

// clientHello reads a ClientHello's body (RFC 8446 §4.1.2; DTLS has a cookie: RFC 6347 §4.2.1).
func (t *TLS) clientHello(b []byte, dtls bool) {
	c := cursor{b: b}
	legacy := uint16(c.uint(2))
	random := c.take(32)
	if c.short {
		return
	}
	t.Version = legacy
	t.Random = append([]byte(nil), random...)
	id := c.vector(1)
	t.SessionID = append([]byte(nil), id.b...)
	if dtls {
		c.vector(1)
	}
	c.vector(2) // cipher suites
	c.vector(1) // compression
	t.extensions(&c, true)
}

// serverHello reads a ServerHello's body (RFC 8446 §4.1.3).
func (t *TLS) serverHello(b []byte) {
	c := cursor{b: b}
	legacy := uint16(c.uint(2))
	random := c.take(32)
	if c.short {
		return
	}
	t.Version = legacy
	t.Random = append([]byte(nil), random...)
	id := c.vector(1)
	t.SessionID = append([]byte(nil), id.b...)
	t.Cipher = uint16(c.uint(2))
	c.uint(1)
	t.extensions(&c, false)
}

// extensions reads a hello's extensions, as many as are there.
func (t *TLS) extensions(hello *cursor, client bool) {
	none := len(hello.b) == 0 && !hello.short // old hellos end here
	c, said := hello.vector(2), false
	defer func() { t.guessed = hello.short && !none && !said }()
	for len(c.b) >= 4 {
		kind := c.uint(2)
		length := c.uint(2)
		whole := length <= len(c.b)
		e := cursor{b: c.take(length)}
		switch kind {
		case extServerName:
			if client && whole {
				t.serverName(e)
			}
		case extALPN:
			t.alpn(e.vector(2))
		case extSupportedVersions:
			t.versions(e, client)
			said = true
		case extPreSharedKey:
			t.Resumes = true
		case extSessionTicket:
			// Empty: the client would take one (RFC 5077 §3.2). The server's is always empty.
			t.Resumes = t.Resumes || client && length > 0
		case extEarlyData:
			t.EarlyData = client
		case extECH:
			t.ECH = client
		}
	}
}

// serverName reads the first host_name of the list.
func (t *TLS) serverName(e cursor) {
	list := e.vector(2)
	if list.uint(1) == 0 {
		name := list.vector(2)
		t.SNI = text(name.b)
	}
}

func (t *TLS) alpn(list cursor) {
	t.ALPN = nil
	for len(list.b) > 0 && len(t.ALPN) < maxNames {
		name := list.vector(1)
		if list.short || len(name.b) == 0 {
			return
		}
		if !grease(name.b) {
			t.ALPN = append(t.ALPN, text(name.b))
		}
	}
}

func (t *TLS) versions(e cursor, client bool) {
	if !client {
		if v := uint16(e.uint(2)); !e.short {
			t.Version = v
		}
		return
	}
	list := e.vector(1)
	best := uint16(0)
	for len(list.b) >= 2 {
		pair := list.take(2)
		v := uint16(pair[0])<<8 | uint16(pair[1])
		// DTLS counts downward: 0xfefc is newer than 0xfefd.
		if !grease(pair) && v != 0 && (best == 0 || v < 0xfe00 && v > best || v >= 0xfe00 && v < best) {
			best = v
		}
	}
	if best != 0 {
		t.Version = best
	}
}

// grease reports a value that only keeps receivers tolerant (RFC 8701 §2).
func grease(b []byte) bool { return len(b) == 2 && b[0] == b[1] && b[0]&0x0f == 0x0a }
