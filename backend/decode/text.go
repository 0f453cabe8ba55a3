package decode

import "net/netip"

// Netip returns the address as IPv4 where it is of an IPv4 header.
func (a Addr) Netip(version uint8) netip.Addr {
	if version == 4 {
		return netip.AddrFrom4([4]byte(a[12:]))
	}
	return netip.AddrFrom16(a)
}

// Text returns the address as Wireshark prints it (RFC 5952).
func (a Addr) Text(version uint8) string { return a.Netip(version).String() }

var kindNames = [...]string{"other", "ARP", "ND", "STP", "LLDP", "EAPOL", "PPPoED", "non-IP", "IGMP"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

var tunnelNames = [...]string{"none", "VLAN", "MPLS", "PPPoE", "GRE", "IPIP", "IPv6", "VXLAN", "GENEVE", "ERSPAN", "GTP-U"}

func (t Tunnel) String() string {
	if int(t) < len(tunnelNames) {
		return tunnelNames[t]
	}
	return "unknown"
}
