package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

// fields are what tshark is asked; of several values the last counts, as it is the innermost header's.
var fields = []string{"ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ip.ttl", "ipv6.hlim", "ip.id", "tcp.srcport", "tcp.dstport", "tcp.seq", "tcp.seq_raw", "tcp.ack_raw",
	"tcp.flags", "tcp.window_size_value", "tcp.len", "tcp.options.timestamp.tsval", "tcp.options.mss_val", "tcp.options.wscale.shift",
	"udp.srcport", "udp.dstport", "udp.length", "icmp.type", "icmpv6.type", "frame.protocols"}

// TestFieldsEqualWireshark compares every frame of the recorded cases.
func TestFieldsEqualWireshark(t *testing.T) {
	files, err := filepath.Glob("../../testdata/*/*.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded cases in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimPrefix(file, "../../testdata/"), func(t *testing.T) { sameFields(t, file) })
	}
}

func sameFields(t *testing.T, file string) {
	// Whole datagrams are not asked for: a fragment's header is compared where it lies.
	args := []string{"-n", "-r", file, "-o", "ip.defragment:FALSE", "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	var stderr bytes.Buffer
	cmd := exec.Command("tshark", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark %s: %v\n%s", file, err, stderr.String())
	}
	r, err := capture.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var (
		in capture.Packet
		p  Packet
	)
	for line := range strings.Lines(string(out)) {
		if err := r.Next(&in); err != nil {
			t.Fatalf("%s ends at frame %d: %v", file, in.Number, err)
		}
		values := map[string]string{}
		for i, v := range strings.Split(strings.TrimRight(line, "\n"), "\t") {
			values[fields[i]] = v
		}
		Decode(in.Link, in.Data, in.OrigLen, &p)
		for _, d := range differences(&p, values) {
			t.Errorf("%s frame %d: %s; repeat: tshark -r %s -Y frame.number==%d -V", file, in.Number, d, file, in.Number)
		}
	}
}

// TestTablesEqualWireshark asks tshark about the frames of the tables too.
func TestTablesEqualWireshark(t *testing.T) {
	files := map[capture.LinkType][]byte{}
	names := map[capture.LinkType][]string{}
	for _, test := range slices.Concat(linkTests(), tunnelTests(), transportTests()) {
		if differently[test.name] {
			continue
		}
		files[test.link] = appendFrame(files[test.link], test.link, unhex(test.hex))
		names[test.link] = append(names[test.link], test.name)
	}
	for link, b := range files {
		t.Run(fmt.Sprint(link), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "made.pcap")
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
			sameFields(t, file)
			if t.Failed() {
				t.Logf("frames in order: %q", names[link])
			}
		})
	}
}

// differently names frames that Wireshark 4.0 reads otherwise, and why.
var differently = map[string]bool{
	"wrong version":                         true, // it goes by the version, where only half a header follows
	"null, IPv6 of Linux":                   true, // it doesn't know the family
	"MPLS, pseudowire with control word":    true, // it wants MAC addresses with a known vendor
	"MPLS, pseudowire without":              true,
	"MPLS, pseudowire, MAC begins with 8":   true,
	"port of VXLAN, flags":                  true, // it takes the port for proof
	"length below the header's":             true, // it shows no address
	"first fragment":                        true, // UDP's length is not the fragment's
	"UDP length longer":                     true, // it shows the field, we the payload
	"IPv6 length 0 of segmentation offload": true, // off by default
}

// appendFrame writes a frame to a capture, with its header if it is the first.
func appendFrame(b []byte, link capture.LinkType, frame []byte) []byte {
	le := binary.LittleEndian
	if len(b) == 0 {
		b = le.AppendUint32(b, 0xa1b2c3d4)
		b = le.AppendUint16(le.AppendUint16(b, 2), 4)
		b = le.AppendUint32(le.AppendUint64(b, 0), 65535)
		b = le.AppendUint32(b, uint32(link))
	}
	b = le.AppendUint64(b, 1e9)
	b = le.AppendUint32(le.AppendUint32(b, uint32(len(frame))), uint32(len(frame)))
	return append(b, frame...)
}

// differences compares what tshark shows of a frame's innermost headers.
func differences(p *Packet, values map[string]string) (out []string) {
	last := func(field string) string { v := values[field]; return v[strings.LastIndexByte(v, ',')+1:] }
	want := func(field string, got any) {
		if g, w := fmt.Sprint(got), number(last(field)); g != w {
			out = append(out, fmt.Sprintf("%s: got %s, tshark %s", field, g, w))
		}
	}
	ip, sport, dport := &p.IP, p.Sport, p.Dport
	if q := &p.Quote; q.Valid { // the innermost header is a quoted one
		ip, sport, dport = &q.IP, q.Sport, q.Dport
	}
	switch ip.Version {
	case 4:
		want("ip.src", ip.Src.Text(4))
		want("ip.dst", ip.Dst.Text(4))
		want("ip.ttl", ip.TTL)
		want("ip.id", ip.ID)
	case 6:
		want("ipv6.src", ip.Src.Text(6))
		want("ipv6.dst", ip.Dst.Text(6))
		want("ipv6.hlim", ip.TTL)
	default:
		if values["ip.src"] != "" || values["ipv6.src"] != "" {
			out = append(out, "no IP found where tshark has one")
		}
		return out
	}
	protocols := values["frame.protocols"]
	tcp, udp, icmp := strings.LastIndex(protocols, ":tcp"), strings.LastIndex(protocols, ":udp"), strings.LastIndex(protocols, ":icmp")
	switch {
	case p.Quote.Valid:
		if ip.Proto == protoTCP && tcp > 0 {
			want("tcp.srcport", sport)
			want("tcp.dstport", dport)
			want("tcp.seq", p.Quote.Seq) // never relative in a quote
		} else if ip.Proto == protoUDP && udp > 0 {
			want("udp.srcport", sport)
			want("udp.dstport", dport)
		}
	case tcp > max(udp, icmp):
		wantTCP(p, want)
		if p.TCP.HasTS != (last("tcp.options.timestamp.tsval") != "") || (p.TCP.WScale >= 0) != (last("tcp.options.wscale.shift") != "") {
			out = append(out, fmt.Sprintf("options: %+v, tshark %v", p.TCP, values))
		}
	case udp > max(tcp, icmp):
		want("udp.srcport", sport)
		want("udp.dstport", dport)
		want("udp.length", p.PayloadLen+udpLen)
	case icmp > 0 && ip.Version == 4:
		want("icmp.type", p.ICMPType)
	case icmp > 0:
		want("icmpv6.type", p.ICMPType)
	}
	return out
}

func wantTCP(p *Packet, want func(string, any)) {
	want("tcp.srcport", p.Sport)
	want("tcp.dstport", p.Dport)
	want("tcp.seq_raw", p.TCP.Seq)
	want("tcp.ack_raw", p.TCP.Ack)
	want("tcp.flags", p.TCP.Flags)
	want("tcp.window_size_value", p.TCP.Window)
	want("tcp.len", p.PayloadLen)
	if p.TCP.HasTS {
		want("tcp.options.timestamp.tsval", p.TCP.TSval)
	}
	if p.TCP.MSS >= 0 {
		want("tcp.options.mss_val", p.TCP.MSS)
	}
	if p.TCP.WScale >= 0 {
		want("tcp.options.wscale.shift", p.TCP.WScale)
	}
}

// number turns tshark's hexadecimal values into decimal ones.
func number(v string) string {
	if n, err := strconv.ParseUint(strings.TrimPrefix(v, "0x"), 16, 64); err == nil && strings.HasPrefix(v, "0x") {
		return strconv.FormatUint(n, 10)
	}
	return v
}
