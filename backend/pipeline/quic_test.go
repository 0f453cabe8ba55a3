package pipeline

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The recording: HTTP/3 of quic-go's client in front of a proxy of net/http/httputil, HTTP/1 behind it, between the network
// namespaces of scripts/record. Requests are numbered in their path; those of one burst are asked at once or one after
// another.
const quicCase = "testdata/quic/"

// With the keys of QUIC every request finds what it became behind the proxy. tshark, which opens QUIC too, says which
// frames in front hold requests and how many; the proxy says of each, behind it, whose it was.
func TestQUICWithKeys(t *testing.T) {
	keys := []string{"-o", "tls.keylog_file:" + quicCase + "keys", "-d", "tcp.port==8080,http"}
	type front struct {
		stream, client string
		n              int // requests
	}
	fronts := map[uint32]front{}
	number := func(s string) uint32 {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		return uint32(n)
	}
	total := 0
	for _, r := range tsharkWith(t, keys, quicCase+"client.pcap.gz", "http3.frame_type==1 && ip.dst==10.31.2.2", "frame.number", "udp.stream", "ip.src", "http3.frame_type") {
		f := front{stream: r[1], client: r[2]}
		for kind := range strings.SplitSeq(r[3], ",") {
			if n, err := strconv.ParseUint(kind, 0, 64); err == nil && n == 1 {
				f.n++
			}
		}
		total += f.n
		fronts[number(r[0])] = f
	}
	type back struct {
		number uint32 // of the request
		client string
	}
	backs := map[uint32]back{}
	for _, r := range tsharkWith(t, keys, quicCase+"server.pcap.gz", `http.request.method == "GET"`, "frame.number", "http.request.uri", "http.x_forwarded_for") {
		backs[number(r[0])] = back{number(strings.Split(r[1], "/")[1]), r[2]}
	}
	if len(backs) < 50 || total < len(backs) {
		t.Fatalf("tshark finds %d requests in front and %d behind", total, len(backs))
	}
	doc, requests, _ := told(t, Options{Keylogs: []string{quicCase + "keys"}, Inputs: []Input{{Path: quicCase + "client.pcap.gz"}, {Path: quicCase + "server.pcap.gz"}}})
	claimed, taken := map[uint32][]uint32{}, map[uint32]int{}
	for p, conf := range requests {
		if _, ok := backs[p[1]]; !ok {
			continue // of the one with a body
		}
		f, ok := fronts[p[0]]
		if !ok || f.client != backs[p[1]].client || conf < 90 {
			t.Errorf("frame %d (%+v) is said to go on as frame %d (%+v), confidence %d", p[0], f, p[1], backs[p[1]], conf)
		}
		claimed[p[1]] = append(claimed[p[1]], p[0])
		taken[p[0]]++
	}
	byNumber := map[uint32]uint32{}
	for b, x := range backs {
		if len(claimed[b]) != 1 {
			t.Errorf("request %d, frame %d, is said to come from %v", x.number, b, claimed[b])
			continue
		}
		byNumber[x.number] = claimed[b][0]
	}
	for frame, n := range taken {
		if n > fronts[frame].n {
			t.Errorf("frame %d holds %d requests, %d are said to go on", frame, fronts[frame].n, n)
		}
	}
	// Of eighteen, the last five come one after another: four over one connection, and one.
	for first := uint32(14); first <= 50; first += 18 {
		frames := []uint32{byNumber[first], byNumber[first+1], byNumber[first+2], byNumber[first+3]}
		if !slices.IsSorted(frames) || fronts[frames[0]].stream != fronts[frames[3]].stream || fronts[frames[0]].stream == fronts[byNumber[first+4]].stream {
			t.Errorf("requests %d to %d are said to be in frames %v", first, first+3, frames)
		}
	}
	if len(doc.Summary.Notes) > 0 {
		t.Errorf("notes: %q", doc.Summary.Notes)
	}
	kinds := map[string]int{}
	for _, r := range doc.Relations {
		kinds[r.Kind]++
	}
	if kinds["multiplexed"] == 0 || len(kinds) != 1 {
		t.Errorf("relations: %v", kinds)
	}
}

// Neither keys nor what they open reach an index.
func TestQUICLeavesNoTrace(t *testing.T) {
	text := unpacked(t, quicCase+"client.pcap.gz", quicCase+"keys")
	if bytes.Equal(text, unpacked(t, quicCase+"client.pcap.gz")) {
		t.Error("the keys opened nothing")
	}
	for n := range 3 {
		if s := fmt.Sprintf("GET /%d/", n+1); bytes.Contains(text, []byte(s)) {
			t.Errorf("the index of %s holds %q", filepath.Base(quicCase), s)
		}
	}
	for _, s := range []string{"quic-go", "user-agent", "10.31.2.2/"} {
		if bytes.Contains(text, []byte(s)) {
			t.Errorf("the index holds %q", s)
		}
	}
}
