package pipeline

import (
	"strconv"
	"testing"
)

const sipCase = "testdata/sip/"

// Each transaction through a SIP proxy is found on its other side. tshark tells them by Call-ID and CSeq.
func TestSIPProxy(t *testing.T) {
	frames := func(file, filter string) map[string]uint32 {
		out := map[string]uint32{}
		for _, r := range tsharkFields(t, sipCase+file, filter, "frame.number", "sip.Call-ID", "sip.CSeq") {
			n, err := strconv.ParseUint(r[0], 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			if _, again := out[r[1]+" "+r[2]]; !again {
				out[r[1]+" "+r[2]] = uint32(n)
			}
		}
		return out
	}
	doc, requests, _ := told(t, Options{Inputs: []Input{{Path: sipCase + "client.pcap.gz"}, {Path: sipCase + "server.pcap.gz"}}})
	front, back := frames("client.pcap.gz", "sip.Method && ip.src == 10.31.1.10"), frames("server.pcap.gz", "sip.Method && ip.dst == 203.0.113.80")
	if len(back) < 8 {
		t.Fatalf("tshark finds %d requests behind the proxy", len(back))
	}
	want := map[[2]uint32]bool{}
	for key, n := range back {
		if front[key] == 0 {
			t.Errorf("%s, frame %d behind, is not in front", key, n)
		}
		want[[2]uint32{front[key], n}] = true
	}
	for p, conf := range requests {
		if !want[p] {
			t.Errorf("frame %d is said to go on as frame %d, confidence %d", p[0], p[1], conf)
		}
	}
	if len(requests) != len(want) {
		t.Errorf("%d of %d requests found", len(requests), len(want))
	}
	if len(doc.Relations) != 1 || doc.Relations[0].Kind != "forwarded" {
		t.Errorf("relations: %+v", doc.Relations)
	}
	for _, s := range doc.Segments {
		if len(s.Middleboxes) != 1 || s.Middleboxes[0].Kind != "message-forwarder" || s.Middleboxes[0].Changes["sip.Via"] == "" {
			t.Errorf("middleboxes: %+v", s.Middleboxes)
		}
	}
}
