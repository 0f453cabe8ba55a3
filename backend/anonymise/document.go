package anonymise

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/corr-dev/corr/backend/model"
)

// Key makes a key of a passphrase: who uses the same twice gets the same replacements.
func Key(passphrase string) [KeySize]byte { return sha256.Sum256([]byte(passphrase)) }

// Document replaces in place.
func Document(doc *model.Document, key [KeySize]byte) error {
	p, err := NewPrefix(key)
	if err != nil {
		return err
	}
	a := &anonymiser{prefix: p, key: key[:], texts: map[string]string{}}
	a.files(doc)
	a.logs(doc)
	a.labels(doc)
	from := slices.SortedFunc(maps.Keys(a.texts), func(x, y string) int { return cmp.Or(len(y)-len(x), cmp.Compare(x, y)) })
	var pairs []string // of several that fit at one place the replacer takes the first: the longest
	for _, s := range from {
		pairs = append(pairs, s, a.texts[s])
	}
	a.replacer = strings.NewReplacer(pairs...)
	a.walk(reflect.ValueOf(doc).Elem())
	return nil
}

type anonymiser struct {
	prefix   *Prefix
	key      []byte
	texts    map[string]string // whole texts: messages and files
	replacer *strings.Replacer // of texts
}

// pseudonym names something by a keyed digest.
func (a *anonymiser) pseudonym(s string) string {
	m := hmac.New(sha256.New, a.key)
	m.Write([]byte(strings.ToLower(s))) // names of hosts are the same in either case
	return "name-" + hex.EncodeToString(m.Sum(nil)[:4])
}

// files keeps the last part of paths.
func (a *anonymiser) files(doc *model.Document) {
	for i := range doc.Captures {
		c := &doc.Captures[i]
		if base := filepath.Base(c.File); base != c.File {
			a.texts[c.File] = base
		}
	}
	for i := range doc.Logs {
		if f := doc.Logs[i].File; filepath.Base(f) != f {
			a.texts[f] = filepath.Base(f)
		}
	}
}

// withheld stands for what a log wrote.
const withheld = "withheld"

// logs takes out what records say, and what findings quote of it.
func (a *anonymiser) logs(doc *model.Document) {
	for i := range doc.Logs {
		l := &doc.Logs[i]
		l.Text, l.Fields = withheld, nil
		if l.Reason != "" {
			l.Reason = withheld
		}
	}
	for i := range doc.Findings {
		f := &doc.Findings[i]
		if slices.ContainsFunc(f.Evidence, func(e model.Evidence) bool { return strings.HasPrefix(e.Field, "corr.log") }) {
			f.Detail = "seen: records of these conversations in the logs given"
			f.Next = "look at the records of these conversations in the log itself"
		}
	}
}

// labels finds what messages are called.
func (a *anonymiser) labels(doc *model.Document) {
	add := func(s string) {
		if t := a.label(s); t != s {
			a.texts[s] = t
		}
	}
	for i := range doc.Flows {
		add(doc.Flows[i].App)
		for k := range doc.Flows[i].Ladder {
			add(doc.Flows[i].Ladder[k].Label)
		}
	}
}

// words are what protocols define: all else in a message's name was chosen by somebody.
var words = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`SYN ACK FIN RST PSH URG ECE CWR AE RST FIN bytes byte answer answers of and more error
		ClientHello ServerHello HelloRetryRequest Certificate CertificateRequest CertificateVerify CertificateStatus ServerKeyExchange
		ServerHelloDone ClientKeyExchange ChangeCipherSpec Finished EncryptedAlert EncryptedHandshake EncryptedExtensions
		1.0 1.1 1.2 1.3 3.0 ALPN h2 h3 http/1.0 http/1.1 certificate
		HELO EHLO MAIL RCPT RSET NOOP QUIT STARTTLS AUTH USER PASS TYPE PWD CWD PASV EPSV PORT EPRT LIST NLST SIZE MDTM RETR STOR
		ApplicationData NewSessionTicket HelloRequest KeyUpdate Alert Heartbeat Continuation Data TLS DTLS SSL
		GET POST PUT HEAD DELETE OPTIONS PATCH CONNECT TRACE HTTP HTTP/1.0 HTTP/1.1 HTTP/2
		SIP REGISTER INVITE BYE CANCEL SUBSCRIBE NOTIFY PRACK UPDATE INFO MESSAGE REFER PUBLISH Trying Ringing
		DNS A AAAA CNAME MX NS PTR SOA SRV TXT HTTPS SVCB ANY DS DNSKEY NAPTR CAA
		QUIC Initial Handshake 0-RTT 1-RTT Retry NTP client server ICMP ICMPv6 echo request reply ESP SCTP INIT
		SSH FTP SMTP IMAP POP3 RTP RTCP STUN DHCP SNMP Syslog LDAP Kerberos SMB RDP MQTT PROXY SOCKS`) {
		m[w] = true
	}
	for code := 100; code < 600; code++ {
		for _, w := range strings.Fields(http.StatusText(code)) {
			m[w] = true
		}
	}
	return m
}()

// label renames what was chosen by somebody in a message's name. In a DNS question all but the type is a name.
func (a *anonymiser) label(s string) string {
	parts := strings.Split(s, " ")
	for i, part := range parts {
		core := strings.Trim(part, "(),:;\"")
		if core == "" {
			continue
		}
		question := parts[0] == "DNS" && i == 2
		if question || !known(core) {
			parts[i] = strings.Replace(part, core, a.pseudonym(core), 1)
		}
	}
	return strings.Join(parts, " ")
}

// known reports whether protocols define a word: one of words, several with a slash, a question's type, a number.
func known(w string) bool {
	if words[strings.TrimSuffix(w, "?")] {
		return true
	}
	if _, err := strconv.Atoi(w); err == nil {
		return true
	}
	flags := strings.Split(strings.TrimSuffix(w, "*"), "/")
	return len(flags) > 1 && !slices.ContainsFunc(flags, func(f string) bool { return !words[f] })
}

// walk replaces in every string that a value holds, keys of maps left out: they are the points' labels and field names.
func (a *anonymiser) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() {
			v.SetString(a.text(v.String()))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			a.walk(v.Elem())
		}
	case reflect.Interface:
		if s, ok := v.Interface().(string); ok && v.CanSet() {
			v.Set(reflect.ValueOf(a.text(s)))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			a.walk(v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			a.walk(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			x := reflect.New(v.Type().Elem()).Elem()
			x.Set(v.MapIndex(k))
			a.walk(x)
			v.SetMapIndex(k, x)
		}
	}
}

var (
	macText  = regexp.MustCompile(`\b[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}\b`)
	addrText = regexp.MustCompile(`[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*|\b\d{1,3}(?:\.\d{1,3}){3}\b`)
)

// text replaces in one text.
func (a *anonymiser) text(s string) string {
	s = macText.ReplaceAllStringFunc(a.replacer.Replace(s), func(m string) string {
		hw, err := net.ParseMAC(m)
		if err != nil {
			return m
		}
		sum := hmac.New(sha256.New, a.key)
		sum.Write(hw)
		copy(hw[3:], sum.Sum(nil))
		return hw.String()
	})
	return addrText.ReplaceAllStringFunc(s, func(m string) string {
		// A port may follow an IPv6 address outside of brackets; a sentence may end behind it.
		trimmed := strings.TrimRight(m, ".:")
		if strings.HasSuffix(m, "::") {
			trimmed = m
		}
		ip, err := netip.ParseAddr(trimmed)
		if err != nil || ip.IsUnspecified() {
			return m
		}
		return a.prefix.Addr(ip).String() + m[len(trimmed):]
	})
}
