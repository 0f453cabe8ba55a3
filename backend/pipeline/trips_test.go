package pipeline

import (
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tsharkFields runs tshark on a capture and gives the fields of each frame that a filter lets through.
func tsharkFields(t *testing.T, capture, filter string, fields ...string) [][]string {
	t.Helper()
	return tsharkWith(t, nil, capture, filter, fields...)
}

// tsharkWith is the same with options for tshark.
func tsharkWith(t *testing.T, options []string, capture, filter string, fields ...string) [][]string {
	t.Helper()
	args := append([]string{"-r", capture, "-Y", filter, "-T", "fields"}, options...)
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	var rows [][]string
	for _, l := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		rows = append(rows, strings.Split(l, "\t"))
	}
	return rows
}

// Round trips all along are what tshark says they are at either point, and a round trip's shares add up to it.
func TestRoundTrips(t *testing.T) {
	const name = "mss-loss-reorder"
	doc := derived(t, 1, name, "rename")
	compared := 0
	for _, file := range []string{"a.pcap", "b.pcapng"} {
		capture := "../../testdata/" + name + "/" + file
		times := map[string][]float64{} // by stream and the port that acknowledges
		for _, r := range tsharkFields(t, capture, "tcp.analysis.ack_rtt && tcp.flags.syn==0 && tcp.flags.fin==0 && tcp.flags.reset==0", "tcp.stream", "tcp.srcport", "tcp.analysis.ack_rtt") {
			s, err := strconv.ParseFloat(r[2], 64)
			if err != nil {
				t.Fatal(err)
			}
			times[r[0]+" "+r[1]] = append(times[r[0]+" "+r[1]], s)
		}
		point := map[string]int{"a.pcap": 0, "b.pcapng": 1}[file]
		for _, f := range doc.Flows {
			at := f.At[doc.Captures[point].Name]
			if f.Proto != "tcp" || at == nil {
				continue
			}
			check := func(port any, median *float64, n int) {
				want := times[fmt.Sprintf("%d %v", *at.Stream, port)]
				if n < 20 || len(want) < 20 {
					return
				}
				slices.Sort(want)
				compared++
				if m := want[len(want)/2]; math.Abs(*median-m) > 0.2*m {
					t.Errorf("%s, conversation %d, acknowledged by port %v: median %v s of %d, tshark has %v of %d", file, f.ID, port, *median, n, m, len(want))
				}
			}
			if x := at.DataRTTServer; x != nil {
				check(at.Tuple[3], &x.MedianS, x.Count)
			}
			if x := at.DataRTTClient; x != nil {
				check(at.Tuple[1], &x.MedianS, x.Count)
			}
		}
	}
	if compared < 3 {
		t.Errorf("%d medians compared", compared)
	}
	for _, f := range doc.Flows {
		if f.RTT == nil || len(f.RTTSplit) == 0 {
			continue
		}
		sum := 0.
		for _, x := range f.RTTSplit {
			sum += x.S
		}
		if sum > f.RTT.TotalS*1.1 {
			t.Errorf("conversation %d: the shares of the shortest round trip add up to %v, the handshake took %v", f.ID, sum, f.RTT.TotalS)
		}
	}
}

// Of each segment that was sent again it is told what became of the original, as many as repeat a sequence number at their
// sender.
func TestSentAgain(t *testing.T) {
	doc := derived(t, 1, "mss-loss-reorder", "rename")
	repeated := map[string]int{}
	seen := map[string]bool{}
	for _, r := range tsharkFields(t, "../../testdata/mss-loss-reorder/b.pcapng", "tcp.len > 1", "tcp.stream", "tcp.srcport", "tcp.seq_raw") {
		if k := strings.Join(r, " "); seen[k] {
			repeated[r[0]+" "+r[1]]++
		} else {
			seen[k] = true
		}
	}
	total := 0
	for _, f := range doc.Flows {
		for _, a := range f.Again {
			lost := 0
			for _, l := range a.Lost {
				lost += l.Count
			}
			if lost+a.AckLost+a.Needless+a.Unknown != a.Segments {
				t.Errorf("conversation %d: %+v does not add up", f.ID, a)
			}
			if at := f.At[doc.Captures[1].Name]; a.Dir == "r" {
				total += a.Segments
				if want := repeated[fmt.Sprintf("%d %v", *at.Stream, at.Tuple[3])]; a.Segments != want {
					t.Errorf("conversation %d: %d segments sent again, tshark shows %d", f.ID, a.Segments, want)
				}
			}
		}
	}
	if total < 10 {
		t.Errorf("%d segments sent again: this tests nothing", total)
	}
}
