package pipeline

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/annotate"
)

// What follows a handshake with a proxy is relayed byte by byte: the handshake has its names, and each request, whose
// path tells it, is the same on both sides.
func TestTunnels(t *testing.T) {
	const of = "testdata/tunnel/"
	out := filepath.Join(t.TempDir(), "out")
	doc, err := Correlate(context.Background(), Options{Out: out, Inputs: []Input{{Path: of + "client.pcap.gz"}, {Path: of + "server.pcap.gz"}}})
	if err != nil {
		t.Fatal(err)
	}
	front, back := map[string]string{}, map[string]string{}
	for file, m := range map[string]map[string]string{"client.pcap.gz": front, "server.pcap.gz": back} {
		for _, r := range tsharkFields(t, of+file, `tcp.payload[0:5] == "GET /"`, "frame.number", "tcp.payload") {
			text, _, _ := strings.Cut(r[1], ",") // once more for the protocol inside
			payload, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
			if err != nil {
				t.Fatal(err)
			}
			line, _, _ := strings.Cut(string(payload), "\r\n")
			if strings.Contains(line, "/5/") { // not those that tried whether all works
				m[line] = r[0]
			}
		}
	}
	if len(back) != 8 || len(front) != 8 {
		t.Fatalf("tshark finds %d requests in front and %d behind", len(front), len(back))
	}
	ann, err := annotate.Open(filepath.Join(out, "corr.ann"))
	if err != nil {
		t.Fatal(err)
	}
	defer ann.Close()
	var b strings.Builder
	if err := annotate.WriteMatches(&b, ann); err != nil {
		t.Fatal(err)
	}
	for path, f := range front {
		if want := fmt.Sprintf("client.pcap.gz\t%s\tserver.pcap.gz\t%s\trelayed\t", f, back[path]); !strings.Contains(b.String(), "\n"+want) {
			t.Errorf("%s: no line %q", path, want)
		}
	}
	var apps []string
	for _, f := range doc.Flows {
		if f.Proto == "tcp" {
			apps = append(apps, f.App)
			for name, at := range f.At {
				if at == nil {
					t.Errorf("conversation %d is not at %s", f.ID, name)
				}
			}
		}
	}
	slices.Sort(apps)
	if got, want := strings.Join(slices.Compact(apps), ", "), "CONNECT 203.0.113.80:8080, SOCKS 5 greeting"; got != want || len(apps) != 8 {
		t.Errorf("%d conversations carry %s, want %s", len(apps), got, want)
	}
	text, err := os.ReadFile(filepath.Join(out, "correlation.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "SOCKS 5 CONNECT 203.0.113.80:8080") {
		t.Error("the SOCKS request has no name")
	}
}
