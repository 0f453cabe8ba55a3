package flow

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

// TestStreamsEqualWireshark asks tshark for the stream numbers of every frame of the recorded cases.
func TestStreamsEqualWireshark(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	files, err := filepath.Glob("../../testdata/*/*.pcap*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded cases in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimPrefix(file, "../../testdata/"), func(t *testing.T) { sameStreams(t, file) })
	}
}

// sameStreams compares each frame's innermost stream number with tshark's and returns the indexes of those that differ.
func sameStreams(t *testing.T, file string) (differ []int) {
	t.Helper()
	want := tsharkStreams(t, file)
	got := tableStreams(t, file)
	if len(got) != len(want) {
		t.Fatalf("%s: %d frames, tshark has %d", file, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			if differ = append(differ, i); len(differ) <= 5 {
				t.Errorf("%s frame %d: got %q, tshark %q; repeat: tshark -r %s -Y frame.number==%d -T fields -e tcp.stream -e udp.stream",
					file, i+1, got[i], want[i], file, i+1)
			}
		}
	}
	if len(differ) > 5 {
		t.Errorf("%s: %d frames differ in all", file, len(differ))
	}
	return differ
}

// tsharkStreams returns "tcp N" or "udp N" for each frame, the last of several numbers, empty for none. A frame with
// both is one with TCP in a UDP tunnel, or an ICMP error inside one.
func tsharkStreams(t *testing.T, file string) []string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("tshark", "-n", "-r", file, "-T", "fields", "-e", "tcp.stream", "-e", "udp.stream", "-e", "frame.protocols")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark %s: %v\n%s", file, err, stderr.String())
	}
	var s []string
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		s = append(s, innermostStream(f[0], f[1], f[2]))
	}
	return s
}

// innermostStream picks the last number of the innermost header.
func innermostStream(tcp, udp, protocols string) string {
	if i := strings.LastIndex(protocols, ":icmp"); i > strings.LastIndex(protocols, ":udp") && i > strings.LastIndex(protocols, ":tcp") {
		return "" // the numbers are those of the tunnel around it
	}
	name, list := "tcp", tcp
	if strings.LastIndex(protocols, ":udp") > strings.LastIndex(protocols, ":tcp") || tcp == "" {
		name, list = "udp", udp
	}
	if list == "" {
		return ""
	}
	return name + " " + list[strings.LastIndexByte(list, ',')+1:]
}

// tableStreams is the same from Table.
func tableStreams(t *testing.T, file string) []string {
	t.Helper()
	r, err := capture.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var (
		s   []string
		in  capture.Packet
		p   decode.Packet
		tab = NewTable()
	)
	for r.Next(&in) == nil {
		decode.Decode(in.Link, in.Data, in.OrigLen, &p)
		tab.stream = -1
		id, _ := tab.Add(&p, in.Number)
		s = append(s, "")
		if tab.stream < 0 || id == NoConv {
			continue
		}
		if c := tab.Conv(id); c.Proto == protoTCP || c.Proto == protoUDP {
			s[len(s)-1] = fmt.Sprintf("%s %d", map[uint8]string{protoTCP: "tcp", protoUDP: "udp"}[c.Proto], tab.stream)
		}
	}
	return s
}
