package message

// Proto is an application protocol.
type Proto uint8

const (
	ProtoNone Proto = iota
	ProtoTLS
	ProtoDTLS
	ProtoHTTP // HTTP/1.0 and 1.1, SSDP too
	ProtoHTTP2
	ProtoDNS
	ProtoMDNS
	ProtoLLMNR
	ProtoSIP
	ProtoRTSP
	ProtoSMTP
	ProtoFTP
	ProtoPOP
	ProtoIMAP
	ProtoSSH
	ProtoSOCKS
	ProtoPROXY // the PROXY protocol's header, nothing recognised behind it
	ProtoQUIC
	ProtoMQTT
	ProtoLDAP
	ProtoKerberos
	ProtoSMB
	ProtoRDP
	ProtoSTUN
	ProtoNTP
	ProtoDHCP
	ProtoDHCPv6
	ProtoSNMP
)

var protoNames = [...]string{"", "TLS", "DTLS", "HTTP", "HTTP2", "DNS", "mDNS", "LLMNR", "SIP", "RTSP", "SMTP", "FTP",
	"POP", "IMAP", "SSH", "SOCKS", "PROXY", "QUIC", "MQTT", "LDAP", "Kerberos", "SMB", "RDP", "STUN", "NTP", "DHCP",
	"DHCPv6", "SNMP"}

// Lines reports a protocol whose messages are lines of text, of which one alone may not show what it belongs to.
func (p Proto) Lines() bool {
	return p == ProtoSMTP || p == ProtoFTP || p == ProtoPOP || p == ProtoIMAP
}

// String returns the protocol's usual name, "" for ProtoNone.
func (p Proto) String() string {
	if int(p) < len(protoNames) {
		return protoNames[p]
	}
	return ""
}

// IP protocol numbers, as Name takes them.
const (
	tcp uint8 = 6
	udp uint8 = 17
)
