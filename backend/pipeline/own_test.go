package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/exchange"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/lab"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/tlskey"
)

// What a proxy answered itself, by the recordings' truth: none is claimed that went on, and of the queries that a cache
// answered none is missed. Of HTTP inside of TLS those are found that nothing behind resembles.
func TestProxyAnswers(t *testing.T) {
	for _, x := range []struct {
		name, a, b string
		keys       bool
		least      int
	}{{"tls-offload", "a.pcap", "b.pcapng", false, 3}, {"tls-offload", "a.pcap", "b.pcapng", true, 8}, {"quic-nat", "a.pcap", "b.pcapng", false, 12}} {
		from := "../../testdata/" + x.name + "/"
		o := Options{Inputs: []Input{{Path: from + x.a}, {Path: from + x.b}}, Progress: silent{}}
		points, err := resolve(o.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		in, err := read(context.Background(), points, nil, o)
		if err != nil {
			t.Fatal(err)
		}
		caps := []*flow.Capture{in[0].Capture, in[1].Capture}
		r, err := match.Run(context.Background(), caps, nil)
		if err != nil {
			t.Fatal(err)
		}
		var truth struct {
			Keys     []string `json:"tls_keys"`
			Requests []struct {
				Request string
				By      string `json:"answer_by"`
				A       struct{ Request [2]uint32 }
			}
		}
		b, err := os.ReadFile(from + "truth.json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &truth); err != nil {
			t.Fatal(err)
		}
		keys := tlskey.NewLog()
		if x.keys {
			keys.Add([]byte(strings.Join(truth.Keys, "\n")))
		}
		found, err := exchange.Tie(context.Background(), r, keys, nil)
		if err != nil {
			t.Fatal(err)
		}
		own := map[uint32]bool{}
		for _, q := range truth.Requests {
			own[q.A.Request[0]] = q.By == "middlebox"
		}
		hits := 0
		for _, w := range found.Owns {
			if n := uint32(caps[0].Frame(w.Front.Request.Pieces[0].Frame)); !own[n] {
				t.Errorf("%s: the request in frame %d is said to end at the proxy", x.name, n)
			} else {
				hits++
			}
		}
		if hits < x.least {
			t.Errorf("%s: %d answers of the proxy's own found, want %d", x.name, hits, x.least)
		}
	}
}

// Behind the proxy two points see the same connections: its messages are found where they are nearest to it.
func TestMessagesWithAPointMore(t *testing.T) {
	c, err := lab.Load("../../testdata/tls-offload")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply("hops=1@server", 1); err != nil { // b, one router further from the server
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := c.Write(dir); err != nil {
		t.Fatal(err)
	}
	doc, err := Correlate(context.Background(), Options{Out: filepath.Join(dir, "out"), Inputs: []Input{
		{Label: "server", Path: "../../testdata/tls-offload/b.pcapng"}, {Label: "middle", Path: filepath.Join(dir, "b.pcapng")}, {Label: "client", Path: filepath.Join(dir, "a.pcap")}}})
	if err != nil {
		t.Fatal(err)
	}
	ann, err := annotate.Open(filepath.Join(dir, "out", "corr.ann"))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := annotate.WriteMessages(&b, ann); err != nil {
		t.Fatal(err)
	}
	if err := ann.Close(); err != nil {
		t.Fatal(err)
	}
	n := strings.Count(b.String(), "\n") - 1
	if n < 600 {
		t.Errorf("%d messages", n)
	}
	kinds := ""
	for _, s := range doc.Segments {
		for _, m := range s.Middleboxes {
			kinds += fmt.Sprintf("%s-%s %s; ", s.A, s.B, m.Kind)
		}
	}
	if kinds != "client-middle terminating-proxy; " {
		t.Errorf("found %s", kinds)
	}
}
