package message_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
	"github.com/corr-dev/corr/backend/message"
)

// recorded lists the captures of the recorded cases.
func recorded(t testing.TB) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir("../../testdata", func(path string, d fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); err == nil && (ext == ".pcap" || ext == ".pcapng") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("testdata: %d captures, %v", len(files), err)
	}
	return files
}

// eachPacket calls f for each frame of a capture, decoded.
func eachPacket(t testing.TB, file string, f func(n int, p *decode.Packet)) {
	t.Helper()
	r, err := capture.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var frame capture.Packet
	var p decode.Packet
	for {
		if err := r.Next(&frame); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		decode.Decode(frame.Link, frame.Data, frame.OrigLen, &p)
		f(int(frame.Number), &p)
	}
}

// asked are tshark's fields of a frame; no segment is put together with others.
type asked struct {
	protocols                     string
	handshakes, sni               string
	method, code, uri, host       string
	dnsID, dnsName, dnsResp       string
	sipMethod, sipCode, sipCallID string
	ftpCommand, ftpCode           string
	quicType, quicDCID            string
}

func askTshark(t testing.TB, file string) map[int]asked {
	t.Helper()
	fields := []string{"frame.number", "frame.protocols", "tls.handshake.type", "tls.handshake.extensions_server_name",
		"http.request.method", "http.response.code", "http.request.uri", "http.host", "dns.id", "dns.qry.name", "dns.flags.response",
		"sip.Method", "sip.Status-Code", "sip.Call-ID", "ftp.request.command", "ftp.response.code",
		"quic.long.packet_type", "quic.dcid"}
	args := []string{"-n", "-r", file, "-o", "tcp.desegment_tcp_streams:FALSE", "-T", "fields", "-E", "occurrence=a"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark %s: %v", strings.Join(args, " "), err)
	}
	frames := make(map[int]asked)
	for line := range strings.Lines(string(out)) {
		v := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(v) != len(fields) {
			t.Fatalf("%s: tshark gave %d fields: %q", file, len(v), line)
		}
		n, _ := strconv.Atoi(v[0])
		frames[n] = asked{v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11], v[12], v[13], v[14], v[15], v[16], v[17]}
	}
	return frames
}

// TestTshark asks tshark about every frame: what it reads of a segment by itself, Name must read alike, and what Name
// recognises, tshark must not read as something else.
func TestTshark(t *testing.T) {
	for _, file := range recorded(t) {
		t.Run(strings.TrimPrefix(file, "../../testdata/"), func(t *testing.T) {
			t.Parallel()
			theirs := askTshark(t, file)
			named := 0
			eachPacket(t, file, func(n int, p *decode.Packet) {
				if p.Reach != decode.ReachTransport || len(p.Payload) == 0 || p.IP.Proto != 6 && p.IP.Proto != 17 {
					return
				}
				i := message.Name(p.IP.Proto, p.Sport, p.Dport, p.Payload, int(p.PayloadLen))
				if i.Proto != message.ProtoNone {
					named++
				}
				for _, d := range compare(&i, theirs[n]) {
					t.Errorf("frame %d, %s: %s\n  tshark -r %s -Y frame.number==%d -O tls,http,dns,sip,ftp,quic",
						n, i.Text(), d, file, n)
				}
			})
			t.Logf("%d messages named", named)
		})
	}
}

// readAs says which of tshark's protocols may stand for what Name recognised. A name asked over a port of multicast
// DNS is unicast DNS all the same.
var readAs = map[message.Proto]string{message.ProtoTLS: ":tls", message.ProtoHTTP: ":http", message.ProtoDNS: "dns",
	message.ProtoSIP: ":sip", message.ProtoFTP: ":ftp", message.ProtoQUIC: ":quic", message.ProtoNTP: ":ntp"}

func compare(i *message.Info, they asked) (diffs []string) {
	eq := func(what, ours, theirs string) {
		if ours != theirs {
			diffs = append(diffs, fmt.Sprintf("%s %q, tshark %q", what, ours, theirs))
		}
	}
	// tshark reads nothing in what it takes for a retransmission, and knows no QUIC without its beginning.
	unread := strings.HasSuffix(they.protocols, ":tcp") || strings.HasSuffix(they.protocols, ":udp:data")
	if i.Proto != message.ProtoNone && !unread && !strings.Contains(they.protocols, readAs[i.Proto]) {
		diffs = append(diffs, "tshark reads "+they.protocols)
	}
	if unread {
		return diffs
	}
	if i.Proto == message.ProtoTLS || i.Proto == message.ProtoNone {
		eq("handshake types", handshakeTypes(i), they.handshakes)
	}
	var sni string
	if i.TLS != nil {
		sni = i.TLS.SNI
	}
	if i.Proto != message.ProtoQUIC || sni != "" { // tshark puts hellos of several Initials together
		eq("SNI", sni, they.sni)
	}
	http, dns, sip := message.HTTP{}, message.DNS{}, message.SIP{}
	if i.HTTP != nil {
		http = *i.HTTP
	}
	eq("HTTP method", http.Method, they.method)
	eq("HTTP status", digits(http.Status), they.code)
	eq("HTTP target", http.Target, they.uri)
	eq("HTTP host", http.Host, they.host)
	if i.DNS != nil {
		dns = *i.DNS
		eq("DNS id", fmt.Sprintf("0x%04x", dns.ID), they.dnsID)
		eq("DNS response", strconv.Itoa(map[bool]int{true: 1}[dns.Response]), they.dnsResp)
	} else {
		eq("DNS id", "", they.dnsID)
	}
	eq("DNS name", dns.Name, they.dnsName)
	if i.SIP != nil {
		sip = *i.SIP
	}
	eq("SIP method", sip.Method, they.sipMethod)
	eq("SIP status", digits(sip.Status), they.sipCode)
	eq("Call-ID", sip.CallID, they.sipCallID)
	if i.Command != nil || they.ftpCommand+they.ftpCode != "" {
		command := message.Command{}
		if i.Command != nil {
			command = *i.Command
		}
		eq("FTP command", command.Verb, they.ftpCommand)
		eq("FTP code", digits(command.Code), they.ftpCode)
	}
	if i.QUIC != nil && i.QUIC.Long {
		first, _, _ := strings.Cut(they.quicType, ",")
		dcid, _, _ := strings.Cut(they.quicDCID, ",")
		eq("QUIC type", strconv.Itoa(map[string]int{"Initial": 0, "0-RTT": 1, "Handshake": 2, "Retry": 3}[i.Messages[0].Kind]), first)
		eq("QUIC DCID", fmt.Sprintf("%x", i.QUIC.DCID), dcid)
	} else {
		eq("QUIC type", "", they.quicType)
	}
	return diffs
}

// handshakeTypes lists the plain handshake messages of a segment as tshark does.
func handshakeTypes(i *message.Info) string {
	number := map[string]string{"ClientHello": "1", "ServerHello": "2", "HelloRetryRequest": "2", "NewSessionTicket": "4",
		"Certificate": "11", "ServerKeyExchange": "12", "CertificateRequest": "13", "ServerHelloDone": "14",
		"CertificateVerify": "15", "ClientKeyExchange": "16", "CertificateStatus": "22"}
	var types []string
	for _, m := range i.Messages {
		if n := number[m.Kind]; n != "" && m.Whole { // tshark leaves out what goes on behind the segment
			types = append(types, n)
		}
	}
	return strings.Join(types, ",")
}

func digits(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
