package pipeline

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// balanced writes captures in front of a load balancer and behind it: twelve connections to one address, spread over
// servers in turn. refuses says which connections a server refuses.
func balanced(t *testing.T, refuses func(conn, server int) bool) (front, back string) {
	t.Helper()
	dir := t.TempDir()
	var files [2]*os.File
	var out [2]*capturetest.Writer
	for k, name := range []string{"front.pcap", "back.pcap"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files[k], out[k] = f, capturetest.NewWriter(f, capturetest.Options{Interface: capturetest.Interface{Link: capture.LinkEthernet}})
	}
	at, id := time.Unix(1_800_000_000, 0), uint16(100)
	send := func(conn, server int, toServer bool, flags string, seq, ack uint32, data string) {
		id++
		for k := range out {
			dst := net.IP{192, 0, 2, 1}
			if k == 1 {
				dst = net.IP{10, 0, 0, byte(1 + server)}
			}
			ip := &layers.IPv4{Version: 4, TTL: byte(64 - k), Protocol: layers.IPProtocolTCP, Id: id, SrcIP: net.IP{198, 51, 100, 9}, DstIP: dst}
			tcp := &layers.TCP{SrcPort: layers.TCPPort(40000 + conn), DstPort: 80, Seq: seq, Ack: ack, Window: 64000,
				SYN: strings.Contains(flags, "S"), ACK: strings.Contains(flags, "A"), FIN: strings.Contains(flags, "F"), RST: strings.Contains(flags, "R")}
			if !toServer {
				ip.TTL = byte(63 + k)
				ip.SrcIP, ip.DstIP, tcp.SrcPort, tcp.DstPort = ip.DstIP, ip.SrcIP, tcp.DstPort, tcp.SrcPort
			}
			if err := tcp.SetNetworkLayerForChecksum(ip); err != nil {
				t.Fatal(err)
			}
			b := gopacket.NewSerializeBuffer()
			eth := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}
			if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth, ip, tcp, gopacket.Payload(data)); err != nil {
				t.Fatal(err)
			}
			when := at
			if toServer == (k == 1) {
				when = when.Add(300 * time.Microsecond)
			}
			out[k].Frame(capturetest.Frame{Time: capture.LocalTime(when.UnixNano()), OrigLen: uint32(len(b.Bytes())), Data: b.Bytes()})
		}
		at = at.Add(time.Millisecond)
	}
	for n := range 12 {
		s, x, y := n%3, uint32(1_000_003*(n+1)), uint32(7_000_001*(n+1))
		send(n, s, true, "S", x, 0, "")
		if refuses(n, s) {
			send(n, s, false, "RA", 0, x+1, "")
			continue
		}
		ask, tell := fmt.Sprintf("GET /%d HTTP/1.1\r\n\r\n", n), fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n%02d", n)
		p, q := x+1+uint32(len(ask)), y+1+uint32(len(tell))
		send(n, s, false, "SA", y, x+1, "")
		send(n, s, true, "A", x+1, y+1, "")
		send(n, s, true, "A", x+1, y+1, ask)
		send(n, s, false, "A", y+1, p, tell)
		send(n, s, true, "FA", p, q, "")
		send(n, s, false, "FA", q, p+1, "")
		send(n, s, true, "A", p+1, q+1, "")
	}
	for k, f := range files {
		if err := out[k].Close(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return files[0].Name(), files[1].Name()
}

// One of three servers refuses: its address is named. Servers that all refuse now and then, or none, are no such case.
func TestFailsThrough(t *testing.T) {
	for _, x := range []struct {
		name    string
		refuses func(conn, server int) bool
		want    string
	}{
		{"one server", func(_, server int) bool { return server == 1 }, "of the conversations with 192.0.2.1:80 only those served by 10.0.0.2 fail"},
		{"none", func(int, int) bool { return false }, ""},
		{"one server now and then", func(conn, server int) bool { return server == 1 && conn < 6 }, ""},
		{"two servers", func(_, server int) bool { return server != 1 }, ""},
	} {
		front, back := balanced(t, x.refuses)
		doc, err := Correlate(context.Background(), Options{Out: filepath.Join(t.TempDir(), "out"), Inputs: []Input{{Path: front}, {Path: back}}})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, f := range doc.Findings {
			if f.ID == "fails-through" {
				got = f.Title
			}
		}
		if got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
}
