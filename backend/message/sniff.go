package message

import "encoding/binary"

// Sniff says which protocol a payload begins with, by its bytes alone, and allocates nothing. ProtoNone: none that can
// be told; a payload from the middle of a message is that. A payload cut by the snaplen is recognised where its
// beginning is enough.
func Sniff(payload []byte) Proto { return sniff(payload, len(payload), 0) }

// sniff is Sniff with the length on the wire and the IP protocol, 0 for either.
func sniff(b []byte, wire int, proto uint8) Proto {
	if len(b) < 2 {
		return ProtoNone
	}
	if proto != udp {
		if p := sniffTCP(b, wire); p != ProtoNone {
			return p
		}
	}
	if proto != tcp {
		if p := sniffUDP(b, wire); p != ProtoNone {
			return p
		}
	}
	// These are spoken over either.
	switch c := b[0]; {
	case c >= 'A' && c <= 'Z':
		return sniffStart(b)
	case c < 2 && isSTUN(b, wire):
		return ProtoSTUN
	case c == 0x30:
		return sniffBER(b, wire)
	case c >= 0x6a && c <= 0x7e && isKerberos(b):
		return ProtoKerberos
	}
	return ProtoNone
}

// sniffTCP recognises what only streams carry.
func sniffTCP(b []byte, wire int) Proto {
	switch c := b[0]; {
	case c >= 20 && c <= 24:
		if isTLSRecord(b) {
			return ProtoTLS
		}
	case c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z':
		return sniffStreamText(b, wire)
	case c >= '1' && c <= '5', c == '+', c == '-', c == '*':
		if p := sniffLine(b, wire); p != ProtoNone {
			return p
		}
	case c == '\r':
		if isPROXYv2(b) {
			return ProtoPROXY
		}
	case c == 0:
		if p := sniffZero(b, wire); p != ProtoNone {
			return p
		}
	case c == 3:
		if isRDP(b, wire) {
			return ProtoRDP
		}
	case c == 4, c == 5:
		if isSOCKS(b, wire) {
			return ProtoSOCKS
		}
	case c == 0x10:
		if isMQTTConnect(b) {
			return ProtoMQTT
		}
	}
	if wire > 14 && int(binary.BigEndian.Uint16(b)) == wire-2 && isDNS(b[2:], wire-2) {
		return ProtoDNS
	}
	return ProtoNone
}

// sniffStreamText recognises streams that begin with a letter.
func sniffStreamText(b []byte, wire int) Proto {
	switch b[0] {
	case 'P':
		switch {
		case isPROXYv1(b):
			return ProtoPROXY
		case hasPrefix(b, "PRI * HTTP/2.0\r\n"):
			return ProtoHTTP2
		}
	case 'S':
		if hasPrefix(b, "SSH-2.0-") || hasPrefix(b, "SSH-1.") {
			return ProtoSSH
		}
	}
	if p := sniffStart(b); p != ProtoNone {
		return p
	}
	return sniffLine(b, wire)
}

// sniffZero recognises streams that begin with a zero byte: lengths of 24 or 32 bits.
func sniffZero(b []byte, wire int) Proto {
	switch {
	case isSMB(b):
		return ProtoSMB
	case isHTTP2Settings(b):
		return ProtoHTTP2
	case isSSHKexInit(b):
		return ProtoSSH
	case len(b) > 5 && int(binary.BigEndian.Uint32(b)) >= wire-4 && isKerberos(b[4:]):
		return ProtoKerberos
	case isSOCKS4Reply(b, wire):
		return ProtoSOCKS
	}
	return ProtoNone
}

// sniffUDP recognises what only datagrams carry.
func sniffUDP(b []byte, wire int) Proto {
	switch c := b[0]; {
	case c >= 0x80 && isQUICLong(b, wire):
		return ProtoQUIC
	case c >= 20 && c <= 25 && isDTLSRecord(b):
		return ProtoDTLS
	case c <= 2 && isDHCP(b):
		return ProtoDHCP
	case isDNS(b, wire):
		return ProtoDNS
	}
	return ProtoNone
}

// hasPrefix is bytes.HasPrefix without the conversion.
func hasPrefix(b []byte, s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }

// Ports that decide where bytes alone don't.
const (
	portFTP    = 21
	portSSH    = 22
	portSMTP   = 25
	portDNS    = 53
	portPOP    = 110
	portNTP    = 123
	portIMAP   = 143
	portHTTPS  = 443
	portSubmit = 587
	portSOCKS  = 1080
	portMQTT   = 1883
	portMDNS   = 5353
	portLLMNR  = 5355
	portDHCP6c = 546
	portDHCP6s = 547
)

// hinted says what the ports make of a payload that its bytes alone read as p; ProtoNone: nothing else than p.
func hinted(p Proto, proto uint8, sport, dport uint16, b []byte, wire int) Proto {
	either := func(port uint16) bool { return sport == port || dport == port }
	switch p {
	case ProtoNone, ProtoSMTP, ProtoFTP, ProtoPOP, ProtoIMAP:
		if proto == tcp {
			return hintedTCP(either, b)
		}
		return hintedUDP(either, b, wire)
	case ProtoDNS:
		switch {
		case either(portLLMNR):
			return ProtoLLMNR
		case either(portMDNS) && b[0] == 0 && b[1] == 0: // RFC 6762 §18.1: multicast has id 0
			return ProtoMDNS
		}
	}
	return ProtoNone
}

func hintedTCP(either func(uint16) bool, b []byte) Proto {
	var p Proto
	switch {
	case either(portSMTP), either(portSubmit):
		p = ProtoSMTP
	case either(portFTP):
		p = ProtoFTP
	case either(portPOP):
		p = ProtoPOP
	case either(portIMAP):
		p = ProtoIMAP
	case either(portSOCKS):
		return ProtoSOCKS
	case either(portMQTT):
		return ProtoMQTT
	case either(portDNS):
		return ProtoDNS
	default:
		return ProtoNone
	}
	if !isLineOf(p, b) {
		return ProtoNone
	}
	return p
}

func hintedUDP(either func(uint16) bool, b []byte, wire int) Proto {
	switch {
	case either(portDNS):
		return ProtoDNS
	case either(portMDNS) && len(b) > 1 && b[0] == 0 && b[1] == 0:
		return ProtoMDNS
	case either(portNTP):
		return ProtoNTP
	case either(portDHCP6c), either(portDHCP6s):
		return ProtoDHCPv6
	case either(portHTTPS) && isQUICShort(b, wire):
		return ProtoQUIC
	}
	return ProtoNone
}
