package pipeline

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/corr-dev/corr/backend/exchange"
	"github.com/corr-dev/corr/backend/match"
)

// What a proxy answered itself, by the recordings' truth: none is claimed that went on, and of the queries that a cache
// answered none is missed. Of HTTP inside of TLS those are found that nothing behind resembles.
func TestProxyAnswers(t *testing.T) {
	for _, x := range []struct {
		name, a, b string
		least      int
	}{{"tls-offload", "a.pcap", "b.pcapng", 3}, {"quic-nat", "a.pcap", "b.pcapng", 12}} {
		from := "../../testdata/" + x.name + "/"
		o := Options{Inputs: []Input{{Path: from + x.a}, {Path: from + x.b}}, Progress: silent{}}
		points, err := resolve(o.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		caps, err := read(context.Background(), points, o)
		if err != nil {
			t.Fatal(err)
		}
		r, err := match.Run(context.Background(), caps, nil)
		if err != nil {
			t.Fatal(err)
		}
		found, err := exchange.Tie(context.Background(), r, nil)
		if err != nil {
			t.Fatal(err)
		}
		var truth struct {
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
		own := map[uint32]bool{}
		for _, q := range truth.Requests {
			own[q.A.Request[0]] = q.By == "middlebox"
		}
		hits := 0
		for _, w := range found.Owns {
			if n := w.Front.Request.Pieces[0].Frame + 1; !own[n] {
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
