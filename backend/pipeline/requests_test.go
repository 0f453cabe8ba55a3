package pipeline

import (
	"context"
	"path/filepath"
	"testing"
)

// The parts of a request's time fit into the whole, and what lies between two captures takes no less than no time, within the
// clocks' bound.
func TestRequestTimes(t *testing.T) {
	for _, x := range []struct {
		name  string
		least int // requests with a counterpart behind
	}{{"tls-offload", 70}, {"quic-nat", 25}} {
		from := "../../testdata/" + x.name + "/"
		doc, err := Correlate(context.Background(), Options{Out: filepath.Join(t.TempDir(), "out"), Inputs: []Input{{Path: from + "a.pcap"}, {Path: from + "b.pcapng"}}})
		if err != nil {
			t.Fatal(err)
		}
		tied, own := 0, 0
		for _, r := range doc.Requests {
			if r.Back == nil {
				if own++; r.FlowBack != nil || r.BackendS != nil || r.RequestS != nil {
					t.Errorf("%s %+v: the proxy answered, and yet there are times behind it", x.name, r)
				}
				continue
			}
			tied++
			if r.TotalS == nil || r.ErrorS == nil || r.RequestS == nil {
				continue // never answered
			}
			e := *r.ErrorS + 1e-4
			if *r.RequestS < -e || r.AnswerS != nil && *r.AnswerS < -e || r.BackendS != nil && *r.BackendS < 0 || *r.ClientS < 0 {
				t.Errorf("%s frame %d: something takes less than no time: %+v", x.name, r.Front.Frame, r)
			}
			if sum := *r.RequestS; r.AnswerS != nil {
				// Both ways are off by the same error in opposite directions.
				if sum += *r.BackendS + *r.AnswerS; sum > *r.TotalS+1e-4 {
					t.Errorf("%s frame %d: the parts take %v s, the whole %v s", x.name, r.Front.Frame, sum, *r.TotalS)
				}
			}
		}
		if tied < x.least || own == 0 {
			t.Errorf("%s: %d requests tied, %d that the proxy answered", x.name, tied, own)
		}
	}
}
