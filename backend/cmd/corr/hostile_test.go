package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
	"github.com/corr-dev/corr/backend/model"
)

// evil is text that wants to be more than text: in HTML, in a script, in a terminal, in a table, in a shell, in Lua.
const evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\x07\u009b2J\t\"'`$(touch pwned)`]]--{{.}}|"

// evilLabel is evil as far as a label can be: = ends one.
var evilLabel = strings.NewReplacer("/", "", "\\", "", "=", "-").Replace(evil)

// frame makes an Ethernet frame of a UDP datagram or TCP segment between two hosts.
func frame(ttl byte, fromServer bool, id uint16, transport []byte, proto byte) []byte {
	b := make([]byte, 34, 34+len(transport))
	binary.BigEndian.PutUint16(b[12:], 0x0800)
	ip := b[14:]
	src, dst := [4]byte{10, 0, 0, 1}, [4]byte{10, 9, 0, 1}
	if fromServer {
		src, dst = dst, src
	}
	ip[0], ip[6], ip[8], ip[9] = 0x45, 0x40, ttl, proto
	binary.BigEndian.PutUint16(ip[2:], uint16(20+len(transport)))
	binary.BigEndian.PutUint16(ip[4:], id)
	copy(ip[12:], src[:])
	copy(ip[16:], dst[:])
	return append(b, transport...)
}

func datagram(sport, dport uint16, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, sport)
	b = binary.BigEndian.AppendUint16(b, dport)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	return append(append(b, 0, 0), payload...)
}

func segment(sport, dport uint16, seq, ack uint32, flags byte, payload string) []byte {
	b := binary.BigEndian.AppendUint16(nil, sport)
	b = binary.BigEndian.AppendUint16(b, dport)
	b = binary.BigEndian.AppendUint32(b, seq)
	b = binary.BigEndian.AppendUint32(b, ack)
	return append(append(b, 5<<4, flags, 0x10, 0, 0, 0, 0, 0), payload...)
}

// overheard notes what is written to a connection.
type overheard struct {
	net.Conn
	client bool
	mu     *sync.Mutex
	said   *[]spoken
}

type spoken struct {
	client bool
	bytes  string
	lost   bool // between the first point and the others
}

func (o overheard) Write(b []byte) (int, error) {
	o.mu.Lock()
	*o.said = append(*o.said, spoken{client: o.client, bytes: string(b)})
	o.mu.Unlock()
	return o.Conn.Write(b)
}

// evilTLS is a handshake of TLS 1.2 that asks for evil and gets a certificate of evil.
var evilTLS = sync.OnceValues(func() (said []spoken, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: evil, Organization: []string{evil}}, NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		return nil, err
	}
	a, b := net.Pipe() // a write waits for its reader, so both ends take turns
	var mu sync.Mutex
	client := tls.Client(overheard{a, true, &mu, &said}, &tls.Config{ServerName: evil, InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, NextProtos: []string{evil[:40]}})
	server := tls.Server(overheard{b, false, &mu, &said}, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{evil[:40]}})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	err = errors.Join(client.Handshake(), <-done)
	return said, err
})

// point writes the capture of a point that lies some hops behind the client.
type point struct {
	w    *capturetest.Writer
	hops byte
	now  capture.LocalTime
	id   uint16
	port uint16 // of the client, of the next conversation
}

// capturePoint creates a capture, lets talk fill it and closes it.
func capturePoint(t *testing.T, path string, hops byte, talk func(*point)) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := capturetest.NewWriter(f, capturetest.Options{Interface: capturetest.Interface{Link: capture.LinkEthernet}})
	talk(&point{w, hops, capture.LocalTime(1.7e18) + capture.LocalTime(hops)*1e6, 100, 40000})
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// recorded is what corr says of a talk that two points see, one hop and three behind the client.
func recorded(t *testing.T, talk func(*point)) *model.Document {
	t.Helper()
	dir := t.TempDir()
	a, b, out := filepath.Join(dir, "a.pcap"), filepath.Join(dir, "b.pcap"), filepath.Join(dir, "out")
	capturePoint(t, a, 1, talk)
	capturePoint(t, b, 3, talk)
	var stdout, stderr bytes.Buffer
	if code := run(context.Background(), []string{"corr", "correlate", a, b, "-o", out}, strings.NewReader(""), &stdout, &stderr); code != 0 {
		t.Fatalf("%d, %s", code, stderr.String())
	}
	text, err := os.ReadFile(filepath.Join(out, "correlation.json"))
	if err != nil {
		t.Fatal(err)
	}
	doc := &model.Document{}
	if err := json.Unmarshal(text, doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// put writes a datagram or segment.
func (p *point) put(fromServer bool, proto byte, transport []byte) {
	ttl, at := 64-p.hops, p.now
	if fromServer { // seen at the server's side first
		ttl, at = 60+p.hops, at-2*capture.LocalTime(p.hops)*1e6
	}
	p.w.Frame(capturetest.Frame{Time: at, Data: frame(ttl, fromServer, p.id, transport, proto)})
	p.now += 10_000_000
	p.id++
}

// tcp writes a connection to a port of the server, reset by the server at its end; where the last that was said is lost,
// the reset is too.
func (p *point) tcp(port uint16, talk []spoken) {
	seq := [2]uint32{5001, 1001} // what server and client say next
	say := func(flags byte, x spoken) {
		switch {
		case x.lost && p.hops == 1:
			p.now, p.id = p.now+10_000_000, p.id+1
		case x.client:
			p.put(false, 6, segment(p.port, port, seq[1], seq[0], flags, x.bytes))
		default:
			p.put(true, 6, segment(port, p.port, seq[0], seq[1], flags, x.bytes))
		}
		seq[map[bool]int{true: 1}[x.client]] += uint32(len(x.bytes))
	}
	p.put(false, 6, segment(p.port, port, 1000, 0, 0x02, ""))
	p.put(true, 6, segment(port, p.port, 5000, 1001, 0x12, ""))
	for _, x := range talk {
		say(0x18, x)
	}
	say(0x14, spoken{lost: talk[len(talk)-1].lost})
	p.port++
}

// evilTalk is a DNS query, an HTTP request, SMTP and TLS, all with evil in every name.
func evilTalk(t *testing.T) func(*point) {
	t.Helper()
	handshake, err := evilTLS()
	if err != nil {
		t.Fatal(err)
	}
	return func(p *point) {
		name := evil[:60]
		query := []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + string(rune(len(name))) + name + "\x00\x00\x01\x00\x01")
		p.put(false, 17, datagram(5353, 53, query))
		query[2] |= 0x80
		p.put(true, 17, datagram(53, 5353, query))
		printable := strings.Map(func(r rune) rune { // no line of SMTP holds anything else
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, evil)
		p.tcp(80, []spoken{{client: true, bytes: "GET /" + evil + " HTTP/1.1\r\nHost: " + evil + "\r\nUser-Agent: " + evil + "\r\n\r\n"},
			{bytes: "HTTP/1.1 404 " + evil + "\r\nServer: " + evil + "\r\nContent-Length: 0\r\n\r\n"}})
		p.tcp(25, []spoken{{client: true, bytes: "EHLO " + printable + "\r\n"}, {bytes: "550 " + printable + "\r\n", lost: true}})
		p.tcp(443, handshake)
	}
}

// Strings of captures, logs, file names and labels are text in every output: none reaches a terminal, a table, a page or a
// script as anything else.
func TestHostileStrings(t *testing.T) {
	dir := t.TempDir()
	// What no file name can hold is left out of the names.
	file := filepath.Join(dir, strings.ReplaceAll(evil, "/", "")+".pcap")
	other := filepath.Join(dir, "b\x1b[2J.pcap")
	capturePoint(t, file, 1, evilTalk(t))
	capturePoint(t, other, 3, evilTalk(t))
	log := filepath.Join(dir, "log\x1b[31m")
	if err := os.WriteFile(log, []byte("time=2023-11-14T22:13:20Z src=10.0.0.1 dst=10.9.0.1 sport=40000 dport=80 proto=tcp action=drop reason=\""+strings.ReplaceAll(evil, `"`, "")+"\" user=\""+strings.ReplaceAll(evil, `"`, "")+"\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	call := func(args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := run(context.Background(), append([]string{"corr"}, args...), strings.NewReader(""), &stdout, &stderr); code != 0 {
			t.Fatalf("corr %q: %d, %s", args, code, stderr.String())
		}
		return stdout.String() + stderr.String()
	}
	said := map[string]string{"correlate": call("correlate", evilLabel+"="+file, "b="+other, "-o", out, "--log", "keyvalue="+log)}
	for _, name := range []string{"findings", "flows", "topology", "logs", "requests", "matches", "messages", "frames"} {
		said[name] = call(name, out)
	}
	for _, flow := range []string{"2", "3", "4"} {
		said["ladder "+flow] = call("ladder", out, "--flow", flow)
	}
	said["explain"] = call("explain", out, "b:5")
	for _, format := range []string{"txt", "md", "html", "pdf-ready"} {
		said["report "+format] = call("report", out, "--format", format)
	}
	said["svg"] = call("report", out, "--format", "svg", "--flow", "4")
	named := map[string]bool{}
	for what, text := range said {
		for _, r := range text {
			if r != '\n' && r != '\t' && unicode.IsControl(r) {
				t.Errorf("%s lets %q through", what, r)
				break
			}
		}
		if strings.HasPrefix(what, "report html") || strings.HasPrefix(what, "report pdf") || what == "svg" {
			for _, bad := range []string{"<script>alert", "<img src=x"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s holds %q", what, bad)
				}
			}
		}
		for _, name := range []string{"GET /", "DNS A?", "EHLO", "ClientHello (", "certificate of ", "550 </script>"} {
			named[name] = named[name] || strings.Contains(text, name)
		}
	}
	for name, yes := range named {
		if !yes {
			t.Errorf("no output names the %q: this tests nothing of it", name)
		}
	}
	for _, name := range []string{"matches", "messages", "frames"} { // a tab in a name would move the columns
		lines := strings.Split(strings.TrimRight(said[name], "\n"), "\n")
		for _, l := range lines {
			if strings.Count(l, "\t") != strings.Count(lines[0], "\t") {
				t.Fatalf("%s: %q has other columns than %q", name, l, lines[0])
			}
		}
	}
	b, err := os.ReadFile(filepath.Join(out, "correlation.json"))
	if err != nil || !json.Valid(b) {
		t.Errorf("correlation.json: %v", err)
	}
	plugin, err := os.ReadFile(filepath.Join(out, "corr.lua"))
	if err != nil || bytes.Contains(plugin, []byte("alert(1)")) || bytes.Contains(plugin, []byte("pwned")) {
		t.Errorf("corr.lua holds what a capture says: %v", err)
	}
	if _, err := os.Stat("pwned"); err == nil {
		t.Error("a shell ran what a name says")
	}
}
