package message

// Steps of a SOCKS5 handshake, in either direction.
const (
	socksMethods = iota // greeting, or the method chosen
	socksAuth           // authentication, left out without one
	socksConnect        // request, or its reply
)

// socksFits reports whether a stream may begin with SOCKS. The server's first two bytes prove little: they must be a
// segment of their own, or come from the usual port.
func (s *Stream) socksFits(b []byte) bool {
	switch {
	case b[0] == 4:
		return len(b) >= 2 && (b[1] == 1 || b[1] == 2) && socks4Len(b) > 0
	case b[0] == 0:
		return !s.initiator && isSOCKS4Reply(b, len(b))
	case s.initiator:
		return len(b) >= 3 && len(b) >= 2+int(b[1]) && isSOCKS5Greeting(b[:2+int(b[1])])
	}
	return len(b) >= 2 && (b[1] <= 2 || b[1] == 0xff) && (len(b) == 2 || s.port == portSOCKS)
}

// stepSOCKS reads one message of the handshake; behind the last the payload proper begins.
func (s *Stream) stepSOCKS(b []byte) int {
	n, all := s.gather(b, 1024)
	kind, size := s.socksMessage(all)
	switch {
	case size < 0 && len(all) < 1024:
		s.keep(all)
		return n
	case size <= 0:
		s.lose()
		return 0
	}
	p := &Proxy{Protocol: "5", HeadLen: size}
	label := "5 " + kind
	last := kind == "request" || kind == "reply"
	switch {
	case all[0] == 4:
		p.Protocol = "4"
		label = "4 " + p.socks4(all[:size])
	case all[0] == 0:
		p.Protocol = "4"
		label = "4 reply"
	case kind == "request":
		label = "5 " + p.socks5(all[:size])
	case kind == "reply":
		label = "5 reply " + socksReply(all[1])
	}
	m := StreamMessage{Proto: ProtoSOCKS, Kind: kind, Label: label, HeadLen: uint64(size), Len: uint64(size), Proxy: p}
	if last {
		s.enter(s.origin(all, n) + uint64(size))
	}
	return s.head(m, all, n, 0)
}

// socksMessage names the message that b begins with and gives its length; -1: it goes on, 0: it is none.
func (s *Stream) socksMessage(b []byte) (kind string, size int) {
	switch {
	case s.socks == socksMethods && b[0] == 4:
		return "request", socks4Len(b)
	case s.socks == socksMethods && b[0] == 0:
		if len(b) < 8 {
			return "reply", -1
		}
		return "reply", 8
	case len(b) < 2:
		return "", -1
	case s.socks == socksMethods && s.initiator:
		s.socks++
		return "greeting", 2 + int(b[1])
	case s.socks == socksMethods:
		s.socks++
		return "method", 2
	case s.socks == socksAuth && b[0] == 1: // RFC 1929
		return s.socksPassword(b)
	case !s.initiator:
		return "reply", socks5Len(b)
	}
	return "request", socks5Len(b)
}

// socksPassword passes over a user name and password, or the answer to them.
func (s *Stream) socksPassword(b []byte) (kind string, size int) {
	if !s.initiator {
		s.socks++
		return "authentication", 2
	}
	user := 2 + int(b[1])
	if len(b) <= user {
		return "", -1
	}
	size = user + 1 + int(b[user])
	if len(b) < size {
		return "", -1
	}
	s.socks++
	return "authentication", size
}
