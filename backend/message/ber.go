package message

import "strconv"

// sniffBER recognises LDAP and SNMP: a sequence that begins with an integer.
func sniffBER(b []byte, wire int) Proto {
	c := cursor{b: b}
	tag, body := c.der()
	if tag != derSequence {
		return ProtoNone
	}
	kind, first := body.der()
	if kind != 2 || first.short || len(first.b) == 0 || len(first.b) > 4 || len(body.b) < 2 {
		return ProtoNone
	}
	switch next := body.b[0]; {
	case len(first.b) == 1 && first.b[0] <= 1 && next == derOctets, len(first.b) == 1 && first.b[0] == 3 && next == derSequence:
		if snmpPDU(first.b[0], body) != "" {
			return ProtoSNMP
		}
	case next >= 0x42 && ldapOp(next) != "":
		return ProtoLDAP
	}
	return ProtoNone
}

// ldapOp names an operation (RFC 4511 §4.2 on) by its tag.
func ldapOp(tag uint8) string {
	switch tag {
	case 0x60:
		return "bindRequest"
	case 0x61:
		return "bindResponse"
	case 0x42:
		return "unbindRequest"
	case 0x63:
		return "searchRequest"
	case 0x64:
		return "searchResEntry"
	case 0x65:
		return "searchResDone"
	case 0x73:
		return "searchResRef"
	case 0x66:
		return "modifyRequest"
	case 0x67:
		return "modifyResponse"
	case 0x68:
		return "addRequest"
	case 0x69:
		return "addResponse"
	case 0x4a:
		return "delRequest"
	case 0x6b:
		return "delResponse"
	case 0x6c:
		return "modDNRequest"
	case 0x6d:
		return "modDNResponse"
	case 0x6e:
		return "compareRequest"
	case 0x6f:
		return "compareResponse"
	case 0x50:
		return "abandonRequest"
	case 0x77:
		return "extendedReq"
	case 0x78:
		return "extendedResp"
	}
	return ""
}

func nameLDAP(i *Info, b []byte, wire int, _ uint8) bool {
	c := cursor{b: b}
	tag, body := c.der()
	kind, _ := body.der()
	if tag != derSequence || kind != 2 || len(body.b) == 0 {
		return false
	}
	op := ldapOp(body.b[0])
	if op == "" {
		return false
	}
	i.only(op, op, wire, len(b))
	return true
}

// snmpPDU names the PDU behind the version (RFC 3416 §3); version 3 is named as a whole.
func snmpPDU(version uint8, c cursor) string {
	if version == 3 {
		return "v3"
	}
	c.der() // community: a password in effect, never kept
	if c.short || len(c.b) == 0 {
		return ""
	}
	names := [...]string{"get-request", "get-next-request", "response", "set-request", "trap", "get-bulk-request",
		"inform-request", "snmpV2-trap", "report"}
	if k := int(c.b[0]) - 0xa0; k >= 0 && k < len(names) {
		return names[k]
	}
	return ""
}

func nameSNMP(i *Info, b []byte, wire int, _ uint8) bool {
	c := cursor{b: b}
	tag, body := c.der()
	kind, version := body.der()
	if tag != derSequence || kind != 2 || len(version.b) != 1 {
		return false
	}
	pdu := snmpPDU(version.b[0], body)
	if pdu == "" {
		return false
	}
	i.only(pdu, pdu, wire, len(b))
	return true
}

// kerberosType names a message by its application tag (RFC 4120 §5.10), "" for none.
func kerberosType(tag int) string {
	switch tag {
	case 0x6a:
		return "AS-REQ"
	case 0x6b:
		return "AS-REP"
	case 0x6c:
		return "TGS-REQ"
	case 0x6d:
		return "TGS-REP"
	case 0x6e:
		return "AP-REQ"
	case 0x6f:
		return "AP-REP"
	case 0x7e:
		return "KRB-ERROR"
	}
	return ""
}

// isKerberos: application tag, sequence, protocol version 5, and the message's type again, all in their places.
func isKerberos(b []byte) bool {
	c := cursor{b: b}
	tag, app := c.der()
	seq, body := app.der()
	if kerberosType(tag) == "" || seq != derSequence {
		return false
	}
	_, pvno := body.der()
	kind, version := pvno.der()
	_, mtype := body.der()
	kind2, value := mtype.der()
	return kind == 2 && kind2 == 2 && len(version.b) == 1 && version.b[0] == 5 &&
		len(value.b) == 1 && int(value.b[0]) == tag&0x1f
}

// nameKerberos names a message; over TCP a length of four bytes comes first.
func nameKerberos(i *Info, b []byte, wire int, _ uint8) bool {
	if len(b) > 4 && b[0] == 0 {
		b = b[4:]
		wire -= 4
	}
	if !isKerberos(b) {
		return false
	}
	label := kerberosType(int(b[0]))
	kind := label
	if label == "KRB-ERROR" {
		if code := kerberosError(b); code >= 0 {
			label += " " + strconv.Itoa(code)
		}
	}
	i.only(kind, label, wire, len(b))
	return true
}

// kerberosError reads error-code, element 6 of KRB-ERROR; -1 where it is cut.
func kerberosError(b []byte) int {
	c := cursor{b: b}
	_, app := c.der()
	_, body := app.der()
	for len(body.b) > 0 {
		if tag, e := body.der(); tag == 0xa6 {
			if _, v := e.der(); len(v.b) >= 1 && len(v.b) <= 4 {
				return v.uint(len(v.b))
			}
		}
	}
	return -1
}
