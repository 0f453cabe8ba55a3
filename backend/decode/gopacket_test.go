package decode

import (
	"path/filepath"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/corr-dev/corr/backend/capture"
)

// TestFieldsEqualGopacket compares the recorded cases' Ethernet frames with what another decoder, independent of
// Wireshark, reads: the innermost IP and TCP headers of frames that it reads whole.
func TestFieldsEqualGopacket(t *testing.T) {
	files, err := filepath.Glob("../../testdata/*/*.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded cases in testdata: %v", err)
	}
	compared := 0
	for _, file := range files {
		r, err := capture.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		var (
			in capture.Packet
			p  Packet
		)
		for r.Next(&in) == nil {
			if in.Link != capture.LinkEthernet {
				continue
			}
			other := gopacket.NewPacket(in.Data, layers.LayerTypeEthernet, gopacket.DecodeOptions{NoCopy: true})
			if other.ErrorLayer() != nil {
				continue
			}
			Decode(in.Link, in.Data, in.OrigLen, &p)
			if sameAsGopacket(t, file, in.Number, &p, other) {
				compared++
			}
		}
		r.Close()
	}
	if compared < 10_000 {
		t.Errorf("%d frames compared", compared)
	}
}

// sameAsGopacket reports whether there was a TCP header to compare.
func sameAsGopacket(t *testing.T, file string, n capture.FrameNo, p *Packet, other gopacket.Packet) bool {
	var v4 *layers.IPv4
	var v6 *layers.IPv6
	var tcp *layers.TCP
	for _, l := range other.Layers() {
		switch l := l.(type) {
		case *layers.IPv4:
			v4, v6, tcp = l, nil, nil
		case *layers.IPv6:
			v4, v6, tcp = nil, l, nil
		case *layers.TCP:
			tcp = l
		}
	}
	if tcp == nil || p.Reach != ReachTransport || p.Quote.Valid {
		return false
	}
	wrong := func(what string, got, want any) { t.Errorf("%s:%d: %s %v, gopacket says %v", file, n, what, got, want) }
	if v4 != nil && (p.IP.TTL != v4.TTL || uint16(p.IP.ID) != v4.Id || !v4.SrcIP.Equal(p.IP.Src.Netip(4).AsSlice()) || !v4.DstIP.Equal(p.IP.Dst.Netip(4).AsSlice())) {
		wrong("IPv4", p.IP, v4)
	}
	if v6 != nil && (p.IP.TTL != v6.HopLimit || !v6.SrcIP.Equal(p.IP.Src.Netip(6).AsSlice()) || !v6.DstIP.Equal(p.IP.Dst.Netip(6).AsSlice())) {
		wrong("IPv6", p.IP, v6)
	}
	if p.Sport != uint16(tcp.SrcPort) || p.Dport != uint16(tcp.DstPort) || p.TCP.Seq != tcp.Seq || p.TCP.Ack != tcp.Ack || p.TCP.Window != tcp.Window {
		wrong("TCP", p.TCP, tcp)
	}
	flags := map[uint16]bool{FIN: tcp.FIN, SYN: tcp.SYN, RST: tcp.RST, PSH: tcp.PSH, ACK: tcp.ACK, URG: tcp.URG, ECE: tcp.ECE, CWR: tcp.CWR}
	for bit, set := range flags {
		if (p.TCP.Flags&bit != 0) != set {
			wrong("TCP flags", p.TCP.Flags, flags)
		}
	}
	return true
}
