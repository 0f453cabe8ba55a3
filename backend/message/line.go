package message

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
)

// Command holds what a line of SMTP, FTP, POP or IMAP says. Arguments are kept for addresses only, never for passwords.
type Command struct {
	Verb string // of a command, upper case, else ""
	Code int    // of a reply that has one (SMTP, FTP), else 0
	// Data is where an FTP data connection will go: PORT, EPRT, replies 227 and 229 (there only the port, RFC 2428 §3).
	// Zero: none in this line.
	Data netip.AddrPort
}

const maxLine = 512 // RFC 5321 §4.5.3.1.5; longer replies are cut

// What a verb may belong to.
const (
	inSMTP = 1 << iota
	inFTP
	inPOP
)

// verbOf finds the verb that a line begins with: its length, and whose it may be; sure: no port is needed to believe it.
func verbOf(line []byte) (n, whose int, sure bool) {
	for n < len(line) && n < 9 && (line[n]|0x20 >= 'a' && line[n]|0x20 <= 'z') {
		n++
	}
	if n < 3 || n < len(line) && line[n] != ' ' {
		return 0, 0, false
	}
	var upper [9]byte
	for k, c := range line[:n] {
		upper[k] = c &^ 0x20
	}
	if whose, sure = verbs(upper[:n], line[n:]); whose == 0 {
		return 0, 0, false
	}
	return n, whose, sure
}

// verbs is the table of commands: RFC 5321, 959 with 2228, 2428, 3659, and 1939 with 2449.
func verbs(verb, args []byte) (whose int, sure bool) {
	some := len(args) > 1
	switch string(verb) {
	case "EHLO", "HELO", "LHLO", "VRFY", "ETRN", "BDAT":
		return inSMTP, some && string(verb) != "VRFY"
	case "MAIL":
		return inSMTP, len(args) > 6 && fold(args[:6], " from:")
	case "RCPT":
		return inSMTP, len(args) > 4 && fold(args[:4], " to:")
	case "DATA", "STARTTLS":
		return inSMTP, !some
	case "QUIT", "NOOP", "RSET", "HELP":
		return inSMTP | inFTP | inPOP, false
	case "AUTH":
		return inSMTP | inFTP | inPOP, false
	case "USER", "PASS", "STAT", "LIST", "RETR", "DELE":
		return inFTP | inPOP, false
	case "UIDL", "APOP", "CAPA", "STLS", "TOP":
		return inPOP, false
	case "PORT":
		return inFTP, hostPort(args).IsValid()
	case "EPRT":
		return inFTP, some && args[1] == '|'
	case "PASV", "EPSV", "SYST", "FEAT", "CDUP", "PWD":
		return inFTP, !some || string(verb) == "EPSV"
	case "STOR", "APPE", "CWD", "MLSD", "MLST", "NLST", "SIZE", "MDTM", "RNFR", "RNTO", "MKD", "RMD", "PBSZ", "PROT",
		"OPTS", "TYPE", "REST":
		return inFTP, some
	case "ABOR", "ACCT", "ALLO", "MODE", "SITE", "STOU", "STRU", "ADAT", "CCC", "REIN":
		return inFTP, false
	}
	return 0, false
}

// firstLine returns the first line without its end; ok: it ends in b, and holds nothing but text.
func firstLine(b []byte) ([]byte, bool) {
	end := bytes.IndexByte(b[:min(len(b), maxLine)], '\n')
	line := b[:max(end, 0)]
	if end < 0 {
		line = b[:min(len(b), maxLine)]
	}
	line = bytes.TrimSuffix(line, []byte{'\r'})
	for _, c := range line {
		if c < ' ' && c != '\t' || c == 0x7f {
			return nil, false
		}
	}
	return line, end >= 0
}

// replyCode reads the code of a reply: three digits, then a space, a hyphen or the line's end; 0: none.
func replyCode(line []byte) int {
	if len(line) < 3 || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
		return 0
	}
	if line[0] < '1' || line[0] > '5' || line[1] < '0' || line[1] > '5' || line[2] < '0' || line[2] > '9' {
		return 0
	}
	return int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
}

// sniffLine recognises lines that are beyond doubt without a port.
func sniffLine(b []byte, wire int) Proto {
	if c := b[0]; c >= 'A' {
		// A command is the only line of its segment, and whole.
		if wire > maxLine || len(b) < wire || b[len(b)-1] != '\n' {
			return ProtoNone
		}
	} else if c > '5' || len(b) < 5 {
		return ProtoNone
	}
	line, ok := firstLine(b)
	if !ok || len(line) < 3 {
		return ProtoNone
	}
	switch c := line[0]; {
	case c >= 'A':
		_, whose, sure := verbOf(line)
		switch {
		case !sure:
		case whose == inSMTP:
			return ProtoSMTP
		case whose == inFTP:
			return ProtoFTP
		}
	case c >= '1':
		return sniffReply(line)
	case hasPrefix(line, "* OK "):
		return ProtoIMAP
	case hasPrefix(line, "+OK ") && containsFold(line, "pop"):
		return ProtoPOP
	}
	return ProtoNone
}

func sniffReply(line []byte) Proto {
	switch code := replyCode(line); {
	case code == 220 && (containsFold(line, "smtp") || containsFold(line, "postfix")):
		return ProtoSMTP
	case code == 220 && containsFold(line, "ftp"):
		return ProtoFTP
	case code == 227 && containsFold(line, "passive mode"), code == 229 && containsFold(line, "passive mode"):
		return ProtoFTP
	case code == 331 && containsFold(line, "password"), code == 230 && containsFold(line, "login"),
		code == 226 && containsFold(line, "complete"), code == 226 && containsFold(line, "send ok"),
		code == 150 && containsFold(line, "data connection"):
		return ProtoFTP
	case code == 354 && len(line) > 4, code == 250 && containsFold(line, "pipelining"):
		return ProtoSMTP
	}
	return ProtoNone
}

// containsFold looks for a lower-case word without regard to case.
func containsFold(b []byte, word string) bool {
	for len(b) >= len(word) {
		if fold(b[:len(word)], word) {
			return true
		}
		b = b[1:]
	}
	return false
}

// isLineOf reports whether a segment's first line has the protocol's form, the port having spoken for it.
func isLineOf(p Proto, b []byte) bool {
	var i Info
	i.Proto = p
	return nameLine(&i, b, len(b), tcp)
}

// nameLine names a command or reply of SMTP, FTP, POP or IMAP.
func nameLine(i *Info, b []byte, wire int, _ uint8) bool {
	line, _ := firstLine(b)
	if len(line) < 3 {
		return false
	}
	c := &Command{}
	kind, label := "reply", string(line)
	switch {
	case (i.Proto == ProtoSMTP || i.Proto == ProtoFTP) && replyCode(line) != 0:
		c.Code = replyCode(line)
		if i.Proto == ProtoFTP {
			c.Data = replyData(c.Code, line)
		}
	case i.Proto == ProtoPOP && (hasPrefix(line, "+OK") || hasPrefix(line, "-ERR")):
	case i.Proto == ProtoIMAP:
		if label = imapLabel(line); label == "" {
			return false
		}
	default:
		kind = "command"
		if label = c.command(i.Proto, line); label == "" {
			return false
		}
	}
	i.Command = c
	i.only(kind, label, wire, len(b))
	return true
}

// command reads a verb and returns the line's label, secrets left out; "": none of p's.
func (c *Command) command(p Proto, line []byte) string {
	n, whose, _ := verbOf(line)
	if p == ProtoSMTP && whose&inSMTP == 0 || p == ProtoFTP && whose&inFTP == 0 || p == ProtoPOP && whose&inPOP == 0 {
		return ""
	}
	verb, args := strings.ToUpper(string(line[:n])), bytes.TrimSpace(line[n:])
	c.Verb = verb
	switch verb {
	case "PASS", "APOP", "ACCT", "ADAT":
		return verb
	case "AUTH": // the mechanism, not the initial response
		args, _, _ = bytes.Cut(args, []byte{' '})
	case "PORT":
		c.Data = hostPort(args)
	case "EPRT":
		c.Data = extended(args)
	}
	if len(args) == 0 {
		return verb
	}
	return verb + " " + string(args)
}

// imapLabel names a line of IMAP (RFC 3501 §2.2): tag and command, or an untagged answer; never a LOGIN's arguments.
func imapLabel(line []byte) string {
	tag, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok || len(tag) == 0 || len(tag) > 16 {
		return ""
	}
	word, _, _ := bytes.Cut(rest, []byte{' '})
	if len(word) < 2 || len(word) > 16 {
		return ""
	}
	for _, c := range word {
		if !(c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9') {
			return ""
		}
	}
	if tag[0] == '*' {
		return string(line)
	}
	return string(tag) + " " + string(word)
}

// replyData reads the address that a server listens on for data.
func replyData(code int, line []byte) netip.AddrPort {
	open := bytes.IndexByte(line, '(')
	end := bytes.LastIndexByte(line, ')')
	switch {
	case code == 227 && open > 0 && end > open:
		return hostPort(line[open+1 : end])
	case code == 227: // some servers write no parentheses: from the first digit behind the code
		if at := bytes.IndexAny(line[3:], "0123456789"); at >= 0 {
			return hostPort(bytes.TrimRight(line[3+at:], " ."))
		}
	case code == 229 && open > 0 && end > open:
		return extended(line[open+1 : end])
	}
	return netip.AddrPort{}
}

// hostPort reads h1,h2,h3,h4,p1,p2 (RFC 959 §4.1.2).
func hostPort(b []byte) netip.AddrPort {
	var v [6]byte
	k := 0
	for part := range bytes.SplitSeq(bytes.TrimSpace(b), []byte{','}) {
		n := number(bytes.TrimSpace(part))
		if k == len(v) || n < 0 || n > 255 {
			return netip.AddrPort{}
		}
		v[k] = byte(n)
		k++
	}
	if k != len(v) {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(v[:4])), uint16(v[4])<<8|uint16(v[5]))
}

// extended reads |proto|address|port| (RFC 2428 §2), in replies |||port|: then the address is the zero one.
func extended(b []byte) netip.AddrPort {
	if len(b) < 4 {
		return netip.AddrPort{}
	}
	part := bytes.Split(b, b[:1])
	if len(part) < 4 {
		return netip.AddrPort{}
	}
	port, err := strconv.ParseUint(string(part[3]), 10, 16)
	if err != nil {
		return netip.AddrPort{}
	}
	addr, _ := netip.ParseAddr(string(part[2]))
	return netip.AddrPortFrom(addr.WithZone(""), uint16(port))
}
