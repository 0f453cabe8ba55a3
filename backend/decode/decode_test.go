package decode

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

// summary writes what a test wants to know of a packet on one line: reach, kind, tunnels, addresses, ports, payload.
func summary(p *Packet) string {
	var s []string
	add := func(format string, args ...any) { s = append(s, fmt.Sprintf(format, args...)) }
	if p.Reach < ReachNetwork {
		add("%s", [...]string{"nothing", "link"}[p.Reach])
	}
	if p.Kind != KindOther {
		add("%s", p.Kind)
	}
	if p.VLANs > 0 {
		add("vlan %d×%d", p.VLAN, p.VLANs)
	}
	for _, t := range p.Tunnel[:p.NTunnel] {
		add("%s", t)
	}
	if p.VNI != 0 {
		add("vni %d", p.VNI)
	}
	if p.Reach >= ReachNetwork {
		add("%s→%s proto %d", p.IP.Src.Text(p.IP.Version), p.IP.Dst.Text(p.IP.Version), p.IP.Proto)
		add("len %d", p.IP.Len)
	}
	if p.IP.Fragment() {
		add("fragment %d+%d", p.IP.FragOff, p.IP.DataLen)
	}
	if p.Reach == ReachTransport {
		add("%d→%d", p.Sport, p.Dport)
	}
	if p.Reach >= ReachNetwork {
		add("payload %x/%d", p.Payload, p.PayloadLen)
	}
	if p.NSocket > 1 || p.NSocket == 1 && p.Reach < ReachTransport {
		add("sockets %d", p.NSocket)
	}
	if p.Cut {
		add("cut")
	}
	return strings.Join(s, " ")
}

const (
	in4TCP  = "10.0.0.1→10.0.0.2 proto 6 len 40 4000→443 payload /0"
	in4UDP  = "10.0.0.1→10.0.0.2 proto 17 len 32 5000→53 payload 01020304/4"
	in6UDP  = "2001:db8::1→2001:db8::2 proto 17 len 52 5000→53 payload 01020304/4"
	padding = "000000000000 "
)

type frameTest struct {
	name string
	link capture.LinkType
	hex  string
	want string
}

// linkTests cover link types and their headers.
func linkTests() []frameTest {
	return []frameTest{
		{"ethernet", 1, eth4 + in4("06", tcpPlain), in4TCP},
		{"ethernet, padding is no payload", 1, eth4 + in4("06", tcpPlain) + padding, in4TCP},
		{"ethernet, IPv6", 1, ethIPv6 + in6("11", udp4), in6UDP},
		{"ethernet, IPv6, padding", 1, ethIPv6 + in6("11", udp4) + padding, in6UDP},
		{"802.1Q", 1, macs + "8100 2064 0800" + in4("06", tcpPlain), "vlan 100×1 " + in4TCP},
		{"802.1ad", 1, macs + "88a8 0007 8100 0064 0800" + in4("06", tcpPlain), "vlan 7×2 " + in4TCP},
		{"tag of 0x9100", 1, macs + "9100 0007 8100 0064 86dd" + in6("11", udp4), "vlan 7×2 " + in6UDP},
		{"tag cut", 1, macs + "8100 00", "link non-IP"},
		{"LLC, IP", 1, macs + "0023 060603" + in4("11", udp4), in4UDP},
		{"LLC, SNAP", 1, macs + "0028 aaaa03 000000 0800" + in4("11", udp4) + padding, in4UDP},
		{"LLC behind a tag", 1, macs + "8100 0005 0028 aaaa03 000000 0800" + in4("11", udp4), "vlan 5×1 " + in4UDP},
		{"spanning tree", 1, "0180c2000000 020000000001 0026 424203 0000 00 00", "link STP"},
		{"CDP", 1, "01000ccccccc 020000000001 0028 aaaa03 00000c 2000 02b4", "link LLDP"},
		{"PVST", 1, "01000ccccccd 020000000001 0028 aaaa03 00000c 010b 0000", "link STP"},
		{"ARP", 1, macs + "0806 0001 0800 06 04 0001", "link ARP"},
		{"ARP, tagged", 1, macs + "8100 0009 0806 0001 0800 06 04 0001", "link ARP vlan 9×1"},
		{"LLDP", 1, macs + "88cc 0207", "link LLDP"},
		{"EAPOL", 1, macs + "888e 0100 0000", "link EAPOL"},
		{"PPPoE discovery", 1, macs + "8863 1109 0000 0000", "link PPPoED"},
		{"PPPoE session", 1, macs + "8864 1100 0001 0022 0021" + in4("11", udp4) + padding, "PPPoE " + in4UDP},
		{"PPPoE session, IPv6", 1, macs + "8864 1100 0001 0036 0057" + in6("11", udp4), "PPPoE " + in6UDP},
		{"PPPoE session, LCP", 1, macs + "8864 1100 0001 000a c021 0901 0008", "link non-IP"},
		{"slow protocols", 1, macs + "8809 0101", "link non-IP"},
		{"wrong version", 1, eth4 + "65" + strings.Repeat("00", 30), "link non-IP"},
		{"header length below 20", 1, eth4 + "44" + strings.Repeat("00", 30), "link non-IP"},
		{"empty", 1, "", "nothing"},
		{"nothing but addresses", 1, macs, "nothing"},
		{"MPLS", 1, macs + "8847 00010 0 40 00020 1 40" + in4("11", udp4), "MPLS " + in4UDP},
		{"MPLS, IPv6", 1, macs + "8848 00010 1 40" + in6("11", udp4), "MPLS " + in6UDP},
		{"MPLS, pseudowire with control word", 1, macs + "8847 00010 1 40 00000005" + eth4 + in4("11", udp4), "MPLS " + in4UDP},
		{"MPLS, pseudowire without", 1, macs + "8847 00010 1 40" + eth4 + in4("11", udp4), "MPLS " + in4UDP},
		{"MPLS, pseudowire, MAC begins with 8", 1, macs + "8847 00010 1 40 80 0000000002 020000000001 0800" + in4("11", udp4), "MPLS " + in4UDP},
		{"MPLS, associated channel", 1, macs + "8847 00010 1 40 10000021 00000000", "link non-IP"},
		{"MPLS, no bottom", 1, macs + "8847 00010 0 40 00010 0 40", "link non-IP"},
		{"cooked", 113, "0000 0001 0006 020000000001 0000 0800" + in4("11", udp4), in4UDP},
		{"cooked, tagged", 113, "0000 0001 0006 020000000001 0000 8100 0005 86dd" + in6("11", udp4), "vlan 5×1 " + in6UDP},
		{"cooked, ARP", 113, "0000 0001 0006 020000000001 0000 0806 0001", "link ARP"},
		{"cooked, LLC", 113, "0000 0001 0006 020000000001 0000 0004 424203", "link STP"},
		{"cooked, netlink", 113, "0000 0338 0000 0000000000000000 0800 4500", "link non-IP"},
		{"cooked 2", 276, "0800 0000 00000003 0001 00 06 0200000000010000" + in4("11", udp4), in4UDP},
		{"cooked 2, IPv6", 276, "86dd 0000 00000003 0304 00 00 0000000000000000" + in6("11", udp4), in6UDP},
		{"raw", 101, in4("11", udp4), in4UDP},
		{"raw, IPv6", 101, in6("11", udp4), in6UDP},
		{"raw, BSD", 12, in4("11", udp4), in4UDP},
		{"raw, OpenBSD", 14, in4("11", udp4), in4UDP},
		{"raw, neither", 101, "00" + in4("11", udp4), "link non-IP"},
		{"IPv4", 228, in4("11", udp4), in4UDP},
		{"IPv6", 229, in6("11", udp4), in6UDP},
		{"null, little-endian", 0, "02000000" + in4("11", udp4), in4UDP},
		{"null, big-endian", 0, "00000002" + in4("11", udp4), in4UDP},
		{"null, IPv6 of Linux", 0, "0a000000" + in6("11", udp4), in6UDP},
		{"null, IPv6 of NetBSD", 0, "18000000" + in6("11", udp4), in6UDP},
		{"null, IPv6 of FreeBSD", 0, "1c000000" + in6("11", udp4), in6UDP},
		{"null, IPv6 of Darwin", 0, "1e000000" + in6("11", udp4), in6UDP},
		{"null, other", 0, "10000000" + in4("11", udp4), "link non-IP"},
		{"loop", 108, "00000002" + in4("11", udp4), in4UDP},
		{"loop, IPv6", 108, "0000001c" + in6("11", udp4), in6UDP},
		{"PPP", 9, "0021" + in4("11", udp4), in4UDP},
		{"PPP, compressed protocol", 9, "57" + in6("11", udp4), in6UDP},
		{"PPP, HDLC", 9, "ff03 0021" + in4("11", udp4), in4UDP},
		{"PPP, MPLS", 9, "ff03 0281 00010 1 40" + in4("11", udp4), "MPLS " + in4UDP},
		{"PPP, LCP", 9, "ff03 c021 0101 0004", "link non-IP"},
		{"PPP serial, Cisco HDLC", 50, "0f00 0800" + in4("11", udp4), in4UDP},
		{"PPP serial, HDLC", 50, "ff03 0021" + in4("11", udp4), in4UDP},
		{"PPP with direction", 204, "01 ff03 0021" + in4("11", udp4), in4UDP},
		{"PPPoE alone", 51, "1100 0001 0022 0021" + in4("11", udp4), "PPPoE " + in4UDP},
		{"unknown", 147, in4("11", udp4), "nothing"},
	}
}

// TestFrames compares each frame's summary.
func TestFrames(t *testing.T) {
	for _, test := range slices.Concat(linkTests(), tunnelTests(), transportTests()) {
		t.Run(test.name, func(t *testing.T) { expect(t, test.link, test.hex, 0, test.want) })
	}
}

// expect decodes a frame, of which the snaplen left n bytes (0: all), and compares its summary.
func expect(t *testing.T, link capture.LinkType, text string, n int, want string) {
	t.Helper()
	frame := unhex(text)
	data := frame
	if n > 0 {
		data = frame[:n]
	}
	var p Packet
	Decode(link, data, uint32(len(frame)), &p)
	if got := summary(&p); got != want {
		t.Errorf("link type %d, frame %x\n got %s\nwant %s", link, data, got, want)
	}
}

// tunnelTests cover what lies between the link and the innermost IP header.
func tunnelTests() []frameTest {
	vxlan := "08000000 00002a00"
	inner := eth4 + in4("11", udp4)
	arp := macs + "0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002"
	plain := func(n int, payload string) string { // UDP that isn't a tunnel
		return fmt.Sprintf("10.0.0.1→10.0.0.2 proto 17 len %d 12345→%s", 28+n, payload)
	}
	return []frameTest{
		{"IPv4 in IPv4", 1, eth4 + in4("04", in4("11", udp4)), "IPIP " + in4UDP},
		{"IPv6 in IPv4", 1, eth4 + in4("29", in6("11", udp4)), "IPIP " + in6UDP},
		{"IPv4 in IPv6", 1, ethIPv6 + in6("04", in4("11", udp4)), "IPv6 " + in4UDP},
		{"IPv6 in IPv6", 1, ethIPv6 + in6("29", in6("11", udp4)), "IPv6 " + in6UDP},
		{"EtherIP is not followed", 1, eth4 + in4("61", "3000"), "10.0.0.1→10.0.0.2 proto 97 len 22 payload 3000/2"},
		{"MPLS in IP", 1, eth4 + in4("89", "00010 1 40"+in4("11", udp4)), "MPLS " + in4UDP},
		{"GRE", 1, eth4 + in4("2f", "0000 0800"+in4("11", udp4)), "GRE " + in4UDP},
		{"GRE, IPv6", 1, eth4 + in4("2f", "0000 86dd"+in6("11", udp4)), "GRE " + in6UDP},
		{"GRE, all options", 1, eth4 + in4("2f", "b000 0800 00000000 00000007 00000001"+in4("11", udp4)), "GRE vni 7 " + in4UDP},
		{"GRE, key", 1, eth4 + in4("2f", "2000 0800 00000009"+in4("11", udp4)), "GRE vni 9 " + in4UDP},
		{"GRE, Ethernet", 1, eth4 + in4("2f", "0000 6558"+inner), "GRE " + in4UDP},
		{"GRE, MPLS", 1, eth4 + in4("2f", "0000 8847 00010 1 40"+in4("11", udp4)), "GRE MPLS " + in4UDP},
		{"GRE, WCCP 2", 1, eth4 + in4("2f", "0000 883e 00000000"+in4("11", udp4)), "GRE " + in4UDP},
		{"GRE 1, PPTP", 1, eth4 + in4("2f", "3081 880b 0024 0001 00000001 00000001 ff03 0021"+in4("11", udp4)), "GRE " + in4UDP},
		{"GRE, keepalive", 1, eth4 + in4("2f", "0000 0000"), "10.0.0.1→10.0.0.2 proto 47 len 24 payload 00000000/4"},
		{"GRE, ARP inside stays GRE", 1, eth4 + in4("2f", "0000 6558"+arp), "10.0.0.1→10.0.0.2 proto 47 len 66 payload " + hexOf("0000 6558"+arp) + "/46"},
		{"ERSPAN I", 1, eth4 + in4("2f", "0000 88be"+inner), "ERSPAN " + in4UDP},
		{"ERSPAN II", 1, eth4 + in4("2f", "1000 88be 00000001 1001 0001 00000000"+inner), "ERSPAN " + in4UDP},
		{"ERSPAN III", 1, eth4 + in4("2f", "1000 22eb 00000001 2001 0001 00000000 0000 0000"+inner), "ERSPAN " + in4UDP},
		{"ERSPAN III, subheader", 1, eth4 + in4("2f", "1000 22eb 00000001 2001 0001 00000000 0000 0001 0000000000000000"+inner), "ERSPAN " + in4UDP},
		{"VXLAN", 1, eth4 + in4("11", inUDP(4789, vxlan+inner)), "VXLAN vni 42 " + in4UDP + " sockets 2"},
		{"VXLAN, tagged inside", 1, eth4 + in4("11", inUDP(4789, vxlan+macs+"8100 0005 0800"+in4("11", udp4))), "vlan 5×1 VXLAN vni 42 " + in4UDP + " sockets 2"},
		{"VXLAN, ARP inside", 1, eth4 + in4("11", inUDP(4789, vxlan+arp)), plain(50, "4789 payload "+hexOf(vxlan+arp)+"/50")},
		{"port of VXLAN, user data", 1, eth4 + in4("11", inUDP(4789, "08000000 00002a00 0102")), plain(10, "4789 payload 0800000000002a000102/10")},
		{"port of VXLAN, flags", 1, eth4 + in4("11", inUDP(4789, "0c000000 00002a00"+inner)), plain(54, "4789 payload "+hexOf("0c000000 00002a00"+inner)+"/54")},
		{"port of VXLAN, inner length beyond", 1, eth4 + in4("11", inUDP(4789, vxlan+eth4+ip4("11", 100))), plain(42, "4789 payload "+hexOf(vxlan+eth4+ip4("11", 100))+"/42")},
		{"GENEVE", 1, eth4 + in4("11", inUDP(6081, "0000 6558 00002a00"+inner)), "GENEVE vni 42 " + in4UDP + " sockets 2"},
		{"GENEVE, options", 1, eth4 + in4("11", inUDP(6081, "0240 6558 00002a00 0000 0001 00000000"+inner)), "GENEVE vni 42 " + in4UDP + " sockets 2"},
		{"GENEVE, IP inside", 1, eth4 + in4("11", inUDP(6081, "0000 0800 00002a00"+in4("11", udp4))), "GENEVE vni 42 " + in4UDP + " sockets 2"},
		{"GTP-U", 1, eth4 + in4("11", inUDP(2152, "30ff 0020 0000002a"+in4("11", udp4))), "GTP-U vni 42 " + in4UDP + " sockets 2"},
		{"GTP-U, extension", 1, eth4 + in4("11", inUDP(2152, "34ff 0028 0000002a 0000 00 85 01 0001 00"+in4("11", udp4))), "GTP-U vni 42 " + in4UDP + " sockets 2"},
		{"GTP-U, echo", 1, eth4 + in4("11", inUDP(2152, "3201 0004 00000000 0001 0000")), plain(12, "2152 payload 320100040000000000010000/12")},
		{"VXLAN in GRE in IPIP", 1, eth4 + in4("04", in4("2f", "0000 0800"+in4("11", inUDP(4789, vxlan+inner)))), "IPIP GRE VXLAN vni 42 " + in4UDP + " sockets 2"},
		{"AH", 1, eth4 + in4("33", "11 04 0000 00000001 00000001 000000000000000000000000"+udp4), "10.0.0.1→10.0.0.2 proto 17 len 56 5000→53 payload 01020304/4"},
	}
}

func hexOf(text string) string { return fmt.Sprintf("%x", unhex(text)) }

// transportTests cover IP and what lies above.
func transportTests() []frameTest {
	a := "10.0.0.1→10.0.0.2 "
	v6 := "2001:db8::1→2001:db8::2 "
	return []frameTest{
		{"TCP with payload", 1, eth4 + in4("06", tcpTS+"aabb"), a + "proto 6 len 54 4000→443 payload aabb/2"},
		{"IP options", 1, eth4 + "4600 0024 1234 4000 40 11 0000 0a000001 0a000002 01010101" + udp4, a + "proto 17 len 36 5000→53 payload 01020304/4"},
		{"length 0 of segmentation offload", 1, eth4 + "4500 0000 1234 4000 40 06 0000 0a000001 0a000002" + tcpPlain + "aabb", a + "proto 6 len 42 4000→443 payload aabb/2"},
		{"length beyond the frame", 1, eth4 + "4500 0100 1234 4000 40 11 0000 0a000001 0a000002" + udp4, a + "proto 17 len 32 5000→53 payload 01020304/4"},
		{"length below the header's", 1, eth4 + "4500 0010 1234 4000 40 11 0000 0a000001 0a000002" + udp4, a + "proto 17 len 16 payload /0"},
		{"first fragment", 1, eth4 + sized(func(p string, n int) string { return ip4frag(p, n, "2000") }, "11", "1388 0035 0100 0000 01020304"), a + "proto 17 len 32 fragment 0+12 5000→53 payload 01020304/4"},
		{"later fragment", 1, eth4 + sized(func(p string, n int) string { return ip4frag(p, n, "2002") }, "11", udp4), a + "proto 17 len 32 fragment 16+12 payload 138800" + "35000c000001020304/12"},
		{"UDP length shorter than IP's", 1, eth4 + in4("11", "1388 0035 000a 0000 01020304"), a + "proto 17 len 32 5000→53 payload 0102/2"},
		{"UDP length longer", 1, eth4 + in4("11", "1388 0035 00ff 0000 01020304"), a + "proto 17 len 32 5000→53 payload 01020304/4"},
		{"UDP-Lite", 1, eth4 + in4("88", "1388 0035 0008 0000 01020304"), a + "proto 136 len 32 5000→53 payload 01020304/4"},
		{"SCTP", 1, eth4 + in4("84", "1388 0035 0000002a 00000000 00 03 0011 00000007 0000 0000 00000000 41 000000"), a + "proto 132 len 52 5000→53 payload 00030011000000070000000000000000" + "41000000/20"},
		{"ESP", 1, eth4 + in4("32", "0000002a 00000007 aabbccdd"), a + "proto 50 len 32 0→0 payload aabbccdd/4"},
		{"IGMP", 1, eth4 + in4("02", "1600 0000 e0000001"), "IGMP " + a + "proto 2 len 28 payload 16000000e0000001/8"},
		{"ICMP echo", 1, eth4 + in4("01", "0800 0000 002a 0007 aabb"), a + "proto 1 len 30 42→42 payload aabb/2"},
		{"ICMPv6 echo", 1, ethIPv6 + in6("3a", "8000 0000 002a 0007 aabb"), v6 + "proto 58 len 50 42→42 payload aabb/2"},
		{"neighbour solicitation", 1, ethIPv6 + in6("3a", "8700 0000 00000000"), "ND " + v6 + "proto 58 len 48 0→0 payload /0"},
		{"MLD behind hop-by-hop", 1, ethIPv6 + in6("00", "3a00 0502 0000 0100 8f00 0000 0000 0001"), "ND " + v6 + "proto 58 len 56 0→0 payload /0"},
		{"all extension headers", 1, ethIPv6 + in6("00", "3c00 0104 00000000 2b00 0104 00000000 3300 0000 00000000 2c04 0000 00000001 00000001 000000000000000000000000 1100 0000 0000002a"+udp4), v6 + "proto 17 len 108 5000→53 payload 01020304/4"},
		{"IPv6 first fragment", 1, ethIPv6 + in6("2c", "1100 0001 0000002a"+udp4), v6 + "proto 17 len 60 fragment 0+12 5000→53 payload 01020304/4"},
		{"IPv6 later fragment", 1, ethIPv6 + in6("2c", "1100 0010 0000002a"+udp4), v6 + "proto 17 len 60 fragment 16+12 payload 13880035000c000001020304/12"},
		{"IPv6 no next header", 1, ethIPv6 + in6("3b", "aabb"), v6 + "proto 59 len 42 payload aabb/2"},
		{"IPv6 length 0 of segmentation offload", 1, ethIPv6 + ip6("11", 0) + udp4, v6 + "proto 17 len 52 5000→53 payload 01020304/4"},
	}
}

// TestCut covers headers that the snaplen ended.
func TestCut(t *testing.T) {
	a := "10.0.0.1→10.0.0.2 proto 6 len 54 "
	frame := eth4 + in4("06", tcpTS+"aabb")
	tests := []struct {
		n    int
		want string
	}{
		{13, "nothing cut"},
		{14, "link cut"},
		{33, "link cut"},
		{34, a + "payload /34 cut"},
		{37, a + "payload 0fa001/34 cut"},
		{38, a + "4000→443 payload /0 cut"},
		{48, a + "4000→443 payload /2 cut"},
		{50, a + "4000→443 payload /2 cut"},
		{54, a + "4000→443 payload /2 cut"},
		{60, a + "4000→443 payload /2 cut"},
		{66, a + "4000→443 payload /2"},
		{67, a + "4000→443 payload aa/2"},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.n), func(t *testing.T) { expect(t, capture.LinkEthernet, frame, test.n, test.want) })
	}
}

// TestCutTCP says which fields survive a cut.
func TestCutTCP(t *testing.T) {
	frame := unhex(eth4 + in4("06", tcpTS))
	for n := 38; n <= len(frame); n++ {
		var p Packet
		Decode(capture.LinkEthernet, frame[:n], uint32(len(frame)), &p)
		tcp, have := p.TCP, n-34
		want := TCP{MSS: -1, WScale: -1, Captured: uint8(min(have, 20))}
		if have >= 8 {
			want.Seq = 1
		}
		if have >= 12 {
			want.Ack = 2
		}
		if have >= 14 {
			want.Flags, want.HeaderLen = PSH|ACK, 32
		}
		if have >= 16 {
			want.Window = 0x400
		}
		if have >= 14 && have < 32 {
			want.OptionsCut = true
		}
		if have == 32 {
			want.HasTS, want.TSval, want.TSec = true, 10, 11
		}
		if tcp != want {
			t.Errorf("%d bytes:\n got %+v\nwant %+v", have, tcp, want)
		}
	}
}

// TestTCPOptions reads option lists behind a SYN.
func TestTCPOptions(t *testing.T) {
	none := TCP{MSS: -1, WScale: -1}
	with := func(set func(*TCP)) TCP { c := none; set(&c); return c }
	tests := []struct {
		name, flags, options string
		want                 TCP
	}{
		{"Linux SYN", "02", "0204 05b4 0402 080a 00000001 00000000 01 0303 07", with(func(c *TCP) {
			c.MSS, c.WScale, c.SACKPerm, c.HasTS, c.TSval = 1460, 7, true, true, 1
			c.NOptionKinds, c.OptionKinds = 5, [16]uint8{2, 4, 8, 1, 3}
		})},
		{"window scale 0 is not none", "12", "0303 00 00", with(func(c *TCP) {
			c.WScale, c.NOptionKinds, c.OptionKinds = 0, 2, [16]uint8{3, 0}
		})},
		{"fast open and MPTCP", "02", "2202 1e0c 000100000000 00000000 0101", with(func(c *TCP) {
			c.TFO, c.MPTCP = true, true
			c.NOptionKinds, c.OptionKinds = 4, [16]uint8{34, 30, 1, 1}
		})},
		{"experimental fast open", "02", "fe04 f989", with(func(c *TCP) {
			c.TFO, c.NOptionKinds, c.OptionKinds = true, 1, [16]uint8{254}
		})},
		{"MSS in a segment without SYN", "10", "0204 05b4", none},
		{"two SACK blocks", "10", "0101 0512 00000001 00000002 00000003 00000004", with(func(c *TCP) {
			c.NSACK, c.SACK = 2, [4][2]uint32{{1, 2}, {3, 4}}
		})},
		{"timestamps first", "10", "080a 00000005 00000006 0101", with(func(c *TCP) { c.HasTS, c.TSval, c.TSec = true, 5, 6 })},
		{"aligned timestamps of a SYN", "02", "0101 080a 00000005 00000006", with(func(c *TCP) {
			c.HasTS, c.TSval, c.TSec = true, 5, 6
			c.NOptionKinds, c.OptionKinds = 3, [16]uint8{1, 1, 8}
		})},
		{"length 0", "02", "0204 05b4 0300 0000", with(func(c *TCP) {
			c.MSS, c.OptionsCut, c.NOptionKinds, c.OptionKinds = 1460, true, 2, [16]uint8{2, 3}
		})},
		{"length beyond the header", "02", "0204 05b4 0101 0306", with(func(c *TCP) {
			c.MSS, c.OptionsCut, c.NOptionKinds, c.OptionKinds = 1460, true, 4, [16]uint8{2, 1, 1, 3}
		})},
		{"MSS of wrong length", "02", "0203 05 01", with(func(c *TCP) { c.NOptionKinds, c.OptionKinds = 2, [16]uint8{2, 1} })},
		{"more kinds than kept", "02", strings.Repeat("01", 20), with(func(c *TCP) {
			c.NOptionKinds = 16
			copy(c.OptionKinds[:], bytes.Repeat([]byte{1}, 16))
		})},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			n := len(unhex(test.options))
			hex := fmt.Sprintf("0fa0 01bb 00000001 00000002 %x0 %s 0400 0000 0000", (20+n)/4, test.flags) + test.options
			var p Packet
			Decode(capture.LinkRaw, unhex(in4("06", hex)), uint32(40+n), &p)
			got := p.TCP
			got.Seq, got.Ack, got.Flags, got.Window, got.HeaderLen, got.Captured = 0, 0, 0, 0, 0, 0
			if got != test.want {
				t.Errorf("\n got %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// TestFields reads every other field once.
func TestFields(t *testing.T) {
	var p Packet
	frame := unhex(eth4 + in4("06", tcpTS+"aabb"))
	Decode(capture.LinkEthernet, frame, uint32(len(frame)), &p)
	want := IP{Version: 4, TTL: 64, Proto: 6, HasID: true, DF: true, ID: 0x1234, Len: 54, DataLen: 34, Whole: true}
	got := p.IP
	got.Src, got.Dst = Addr{}, Addr{}
	if got != want || p.Outer != p.IP {
		t.Errorf("IPv4 %+v, outer %+v", p.IP, p.Outer)
	}
	if p.SrcMAC != [6]byte{2, 0, 0, 0, 0, 1} || p.DstMAC != [6]byte{2, 0, 0, 0, 0, 2} || !p.HasMAC || p.EtherType != 0x800 || p.PayloadOffset != 66 {
		t.Errorf("link %+v", p)
	}
	frame = unhex(ethIPv6 + in6("2c", "1100 0009 0000002a"+udp4))
	Decode(capture.LinkEthernet, frame, uint32(len(frame)), &p)
	want = IP{Version: 6, TTL: 60, TOS: 0xb9, Proto: 17, HasID: true, MF: true, ID: 42, FragOff: 8, Len: 60, DataLen: 12, Whole: true}
	got = p.IP
	got.Src, got.Dst = Addr{}, Addr{}
	if got != want {
		t.Errorf("IPv6 %+v", p.IP)
	}
	frame = unhex(eth4 + in4("2f", "1000 88be 00000001 1001 0001 00000000 0a0000000002 0a0000000001 0800"+in4("11", udp4)))
	Decode(capture.LinkEthernet, frame, uint32(len(frame)), &p)
	if p.SrcMAC != [6]byte{10, 0, 0, 0, 0, 1} || p.Outer.Proto != 47 || p.IP.Proto != 17 {
		t.Errorf("ERSPAN: MAC %x, outer protocol %d, inner %d", p.SrcMAC, p.Outer.Proto, p.IP.Proto)
	}
}

// TestQuotes reads what ICMP errors quote.
func TestQuotes(t *testing.T) {
	tests := []struct {
		name, hex              string
		valid, ports, seq, cut bool
		proto                  uint8
		sport, dport, mtu      uint16
		number                 uint32
		sockets                uint8
	}{
		{"eight bytes of TCP", in4("01", "0304 0000 0000 0514"+ip4("06", 100)+"0fa0 01bb 00000007"), true, true, true, false, 6, 4000, 443, 1300, 7, 0},
		{"a TCP header", in4("01", "0b00 0000 00000000"+ip4("06", 100)+tcpPlain), true, true, true, false, 6, 4000, 443, 0, 1, 1},
		{"redirect with a TCP header", in4("01", "0501 0000 0a000009"+ip4("06", 100)+tcpPlain), true, true, true, false, 6, 4000, 443, 0, 1, 0},
		{"UDP", in4("01", "0303 0000 00000000"+ip4("11", 12)+udp4), true, true, false, false, 17, 5000, 53, 0, 0, 1},
		{"echo", in4("01", "0b00 0000 00000000"+ip4("01", 8)+"0800 0000 002a 0001"), true, true, false, false, 1, 42, 42, 0, 0, 0},
		{"an ICMP error has no id", in4("01", "0b00 0000 00000000"+ip4("01", 8)+"0303 0000 0000 0001"), true, false, false, false, 1, 0, 0, 0, 0, 0},
		{"later fragment", in4("01", "0b00 0000 00000000"+ip4frag("11", 12, "0002")+udp4), true, false, false, false, 17, 0, 0, 0, 0, 0},
		{"half an IP header", in4("01", "0b00 0000 00000000 4500 0028 1234"), false, false, false, false, 0, 0, 0, 0, 0, 0},
		{"ICMPv6 too big", in6("3a", "0200 0000 00000500"+ip6("06", 100)+tcpPlain), true, true, true, false, 6, 4000, 443, 1280, 1, 1},
		{"ICMPv6, UDP behind extensions", in6("3a", "0104 0000 00000000"+ip6("3c", 20)+"1100 0104 00000000"+udp4), true, true, false, false, 17, 5000, 53, 0, 0, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			frame := unhex(test.hex)
			var p Packet
			Decode(capture.LinkRaw, frame, uint32(len(frame)), &p)
			q := p.Quote
			if q.Valid != test.valid || q.HasPorts != test.ports || q.HasSeq != test.seq || p.Cut != test.cut || q.IP.Proto != test.proto ||
				q.Sport != test.sport || q.Dport != test.dport || q.MTU != test.mtu || q.Seq != test.number || p.NSocket != test.sockets {
				t.Errorf("%+v, %d sockets, cut %v", q, p.NSocket, p.Cut)
			}
			if p.NSocket == 1 && (!p.Socket[0].Quoted || !p.Socket[0].Partial) {
				t.Errorf("socket %+v", p.Socket[0])
			}
		})
	}
}

// TestNesting decodes a thousand headers in one another without trouble.
func TestNesting(t *testing.T) {
	nest := func(head string, n int) []byte { return unhex(strings.Repeat(head, n)) }
	for name, frame := range map[string][]byte{
		"IPv4 in IPv4": nest("4500 0000 1234 4000 40 04 0000 0a000001 0a000002", 1000),
		"IPv6 in IPv6": nest("60000000 ffff 29 40 20010db8000000000000000000000001 20010db8000000000000000000000002", 1000),
		"AH in AH":     append(unhex("4500 0000 1234 4000 40 33 0000 0a000001 0a000002"), nest("3300 0000 00000000", 1000)...),
	} {
		var p Packet
		Decode(capture.LinkRaw, frame, uint32(len(frame)), &p)
		if p.Reach != ReachNetwork || p.NTunnel > 4 {
			t.Errorf("%s: reach %d, %d tunnels", name, p.Reach, p.NTunnel)
		}
	}
}

// TestReset: nothing of a frame is left in the next.
func TestReset(t *testing.T) {
	var used, fresh Packet
	for _, text := range []string{
		eth4 + in4("11", inUDP(4789, "08000000 00002a00"+macs+"8100 0005 0800"+in4("06", tcpTS))),
		eth4 + in4("01", "0304 0000 0000 0514"+ip4("06", 100)+tcpPlain),
		macs + "0806 0001",
		"",
	} {
		frame := unhex(text)
		soil(reflect.ValueOf(&used).Elem())
		Decode(capture.LinkEthernet, frame, uint32(len(frame)), &used)
		clear(used.Socket[used.NSocket:])
		fresh = Packet{}
		Decode(capture.LinkEthernet, frame, uint32(len(frame)), &fresh)
		if !reflect.DeepEqual(used, fresh) {
			t.Errorf("frame %x\nused %+v\nfresh %+v", frame, used, fresh)
		}
	}
}

// soil puts something into every field.
func soil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			soil(v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			soil(v.Index(i))
		}
	case reflect.Slice:
		v.SetBytes([]byte{1})
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int16, reflect.Int32:
		v.SetInt(1)
	default:
		v.SetUint(1)
	}
}

// TestAllocations holds Decode to none.
func TestAllocations(t *testing.T) {
	frames := [][]byte{
		unhex(eth4 + in4("06", tcpTS)),
		unhex(eth4 + in4("11", inUDP(4789, "08000000 00002a00"+eth4+in4("06", tcpTS)))),
		unhex(eth4 + in4("01", "0304 0000 0000 0514"+ip4("06", 100)+tcpPlain)),
		unhex(ethIPv6 + in6("2c", "1100 0010 0000002a"+udp4)),
	}
	var p Packet
	n := testing.AllocsPerRun(100, func() {
		for _, f := range frames {
			Decode(capture.LinkEthernet, f, uint32(len(f)), &p)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A thousand headers inside of each other, and options that lead nowhere, end as soon as any frame does.
func TestDeep(t *testing.T) {
	// 20 bytes each, protocol 4, the longest length there is.
	ipip := strings.Repeat("4500 ffff 0001 4000 40 04 0000 0a000001 0a000002", 1000)
	for name, text := range map[string]string{
		"IP in IP":   eth4 + ipip + in4("11", udp4),
		"MPLS":       macs + "8847" + strings.Repeat("00010040", 1000) + "00020140" + in4("11", udp4),
		"VLAN":       macs + strings.Repeat("81000001", 1000) + "0800" + in4("11", udp4),
		"TCP option": eth4 + in4("06", "0050 0051 00000001 00000000 f002 0010 0000 0000 0500 0500 0500 0500 0500 0500 0500 0500 0500 0500"),
	} {
		b := unhex(text)
		var p Packet
		Decode(1, b, uint32(len(b)), &p)
		if int(p.NTunnel) > len(p.Tunnel) || int(p.NSocket) > len(p.Socket) {
			t.Errorf("%s: %d tunnels, %d sockets", name, p.NTunnel, p.NSocket)
		}
		if name != "TCP option" && p.NTunnel == 0 && p.VLANs == 0 {
			t.Errorf("%s: no tunnel was entered", name)
		}
	}
}
