package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// evil is text that wants to be more than text: in HTML, in a script, in a terminal, in a table, in a shell, in Lua.
const evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\x07\u009b2J\t\"'`$(touch pwned)`]]--{{.}}|"

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

// evilCapture writes what a point sees of a DNS query, an HTTP request and SMTP, all with evil in every name.
func evilCapture(t *testing.T, path string, hops byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := capturetest.NewWriter(f, capturetest.Options{Interface: capturetest.Interface{Link: capture.LinkEthernet}})
	now, id := capture.LocalTime(1.7e18)+capture.LocalTime(hops)*1e6, uint16(100)
	put := func(fromServer bool, proto byte, transport []byte) {
		ttl := 64 - hops
		if fromServer {
			ttl = 60 + hops
		}
		at := now
		if fromServer { // seen at the server's side first
			at -= 2 * capture.LocalTime(hops) * 1e6
		}
		w.Frame(capturetest.Frame{Time: at, Data: frame(ttl, fromServer, id, transport, proto)})
		now += 10_000_000
		id++
	}
	name := evil[:60]
	query := []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + string(rune(len(name))) + name + "\x00\x00\x01\x00\x01")
	put(false, 17, datagram(5353, 53, query))
	query[2] |= 0x80
	put(true, 17, datagram(53, 5353, query))
	for k, talk := range [][2]string{
		{"GET /" + evil + " HTTP/1.1\r\nHost: " + evil + "\r\nUser-Agent: " + evil + "\r\n\r\n", "HTTP/1.1 404 " + evil + "\r\nServer: " + evil + "\r\nContent-Length: 0\r\n\r\n"},
		{"EHLO " + evil + "\r\n", "550 " + evil + "\r\n"},
	} {
		port, sport := [2]uint16{80, 25}[k], uint16(40000+k)
		put(false, 6, segment(sport, port, 1000, 0, 0x02, ""))
		put(true, 6, segment(port, sport, 5000, 1001, 0x12, ""))
		put(false, 6, segment(sport, port, 1001, 5001, 0x18, talk[0]))
		put(true, 6, segment(port, sport, 5001, 1001+uint32(len(talk[0])), 0x18, talk[1]))
		put(true, 6, segment(port, sport, 5001+uint32(len(talk[1])), 1001+uint32(len(talk[0])), 0x14, ""))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Strings of captures, logs, file names and labels are text in every output: none reaches a terminal, a table, a page or a
// script as anything else.
func TestHostileStrings(t *testing.T) {
	dir := t.TempDir()
	// What no file name can hold is left out of the names.
	file := filepath.Join(dir, strings.ReplaceAll(evil, "/", "")+".pcap")
	other := filepath.Join(dir, "b\x1b[2J.pcap")
	evilCapture(t, file, 1)
	evilCapture(t, other, 3)
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
	label := strings.NewReplacer("/", "", "\\", "", "=", "-").Replace(evil) // = ends a label
	said := map[string]string{"correlate": call("correlate", label+"="+file, "b="+other, "-o", out, "--log", "keyvalue="+log)}
	for _, name := range []string{"findings", "flows", "topology", "logs", "requests", "matches", "messages", "frames"} {
		said[name] = call(name, out)
	}
	said["ladder"] = call("ladder", out, "--flow", "2")
	said["explain"] = call("explain", out, "b:5")
	for _, format := range []string{"txt", "md", "html", "pdf-ready"} {
		said["report "+format] = call("report", out, "--format", format)
	}
	said["svg"] = call("report", out, "--format", "svg", "--flow", "2")
	named := false
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
		named = named || strings.Contains(text, "GET /")
	}
	if !named {
		t.Error("no output names the request: this tests nothing")
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
