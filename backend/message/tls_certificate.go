package message

import "bytes"

// certificate reads a Certificate message of TLS 1.2 and older (RFC 5246 §7.4.2); in 1.3 it is encrypted.
func (t *TLS) certificate(b []byte) {
	c := cursor{b: b}
	t.Chain = c.uint(3)
	if c.short {
		t.Chain = 0
		return
	}
	for first := true; len(c.b) >= 3; first = false {
		length := c.uint(3)
		cert := c.take(length)
		if first {
			t.leaf(cert)
		}
		if c.short {
			return
		}
		t.Certificates++
	}
}

// DER tags and object identifiers that are read.
const (
	derSequence = 0x30
	derSet      = 0x31
	derOctets   = 0x04
	derVersion  = 0xa0 // [0]
	derExts     = 0xa3 // [3]
	derDNSName  = 0x82 // GeneralName [2]
)

var (
	oidCommonName = []byte{6, 3, 0x55, 4, 3}
	oidAltNames   = []byte{6, 3, 0x55, 0x1d, 0x11}
)

// der takes one element off the front: its tag and content, which may be cut.
func (c *cursor) der() (tag int, content cursor) {
	tag = c.uint(1)
	n := c.uint(1)
	switch {
	case n > 0x84 || n == 0x80:
		c.short, c.b = true, nil
		return 0, cursor{}
	case n > 0x80:
		n = c.uint(n - 0x80)
	}
	return tag, cursor{b: c.take(n)}
}

// leaf reads subject and names of a certificate (RFC 5280 §4.1) that may be cut, and nothing else of it: a full parse
// costs a hundred times as much and refuses cut ones.
func (t *TLS) leaf(cert []byte) {
	c := cursor{b: cert}
	_, c = c.der() // Certificate
	_, c = c.der() // TBSCertificate
	if len(c.b) > 0 && c.b[0] == derVersion {
		c.der()
	}
	c.der() // serial number
	c.der() // signature algorithm
	c.der() // issuer
	c.der() // validity
	if c.short {
		return
	}
	_, subject := c.der()
	t.Subject = commonName(subject)
	for len(c.b) > 0 {
		tag, e := c.der()
		if tag == derExts {
			_, list := e.der()
			t.altNames(list)
		}
	}
}

// commonName finds the last common name of a distinguished name.
func commonName(c cursor) string {
	name := ""
	for len(c.b) > 0 {
		tag, set := c.der()
		_, pair := set.der()
		if tag == derSet && bytes.HasPrefix(pair.b, oidCommonName) {
			pair.der()
			if _, value := pair.der(); !pair.short {
				name = text(value.b)
			}
		}
	}
	return name
}

// altNames reads the DNS names of the subjectAltName extension.
func (t *TLS) altNames(list cursor) {
	for len(list.b) > 0 {
		_, e := list.der()
		if !bytes.HasPrefix(e.b, oidAltNames) {
			continue
		}
		e.der()
		for len(e.b) > 0 {
			tag, value := e.der()
			if tag != derOctets {
				continue // critical
			}
			_, names := value.der()
			for len(names.b) > 0 && len(t.Names) < maxNames {
				if tag, name := names.der(); tag == derDNSName && !names.short {
					t.Names = append(t.Names, text(name.b))
				}
			}
		}
	}
}
