package pipeline

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/lab"
	"github.com/corr-dev/corr/backend/model"
)

// derived gives what corr says of a recorded case that is changed.
func derived(t *testing.T, seed int64, name, apply string) *model.Document {
	t.Helper()
	_, doc := derivedCase(t, seed, name, apply)
	return doc
}

// derivedCase is derived with the case itself.
func derivedCase(t *testing.T, seed int64, name, apply string) (*lab.Case, *model.Document) {
	t.Helper()
	unlessShort(t)
	c, err := lab.Load("../../testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(apply, seed); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := c.Write(dir); err != nil {
		t.Fatal(err)
	}
	o := Options{Out: filepath.Join(t.TempDir(), "out")}
	for _, path := range c.Paths(dir) {
		o.Inputs = append(o.Inputs, Input{Path: path})
	}
	doc, err := Correlate(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c, doc
}

// What a recorder could not see, for it began late or ended early, is neither lost nor made by anybody, and no conversation
// failed because of it.
func TestRecorderNotRunning(t *testing.T) {
	for _, f := range derived(t, 11, "mss-loss-reorder", "early=0.6@a").Flows {
		if f.Outcome != "ok" {
			t.Errorf("ended early: conversation %d is %s", f.ID, f.Outcome)
		}
	}
	for _, c := range derived(t, 11, "gso-split", "late=0.3@b").Captures {
		if n := c.Fates["injected"]; n > 0 {
			t.Errorf("began late: %d frames of %s are injected", n, c.Name)
		}
	}
	for _, c := range derived(t, 11, "gso-split", "early=0.6@a").Captures {
		if n := c.Fates["lost"]; n > 0 {
			t.Errorf("ended early: %d frames of %s are lost", n, c.Name)
		}
	}
	// A device closed conversations that one of the captures does not hold the end of.
	derived(t, 11, "tls-offload", "early=0.6@a")
}

// Whoever closed first is told by time where a file's order is another.
func TestFramesOutOfOrder(t *testing.T) {
	for seed := range int64(8) {
		f := derived(t, seed, "skype-story", "disorder=30@a.pcap,disorder=50@b.pcapng").Flows[0]
		if f.Outcome != "closed-by-middlebox" || f.ClosedBy != "middlebox" {
			t.Errorf("seed %d: %s by %s", seed, f.Outcome, f.ClosedBy)
		}
	}
}

// Frames that a recorder missed make no device of anything: who ended a conversation is told as if they were there, or not at
// all.
func TestRecorderMissedFrames(t *testing.T) {
	for seed := range int64(5) {
		var closed []uint32
		for _, f := range derived(t, seed+1, "tls-offload", "drop=2@b.pcapng").Flows {
			if f.Outcome == "closed-by-middlebox" {
				closed = append(closed, f.At["a"].First)
			}
		}
		if len(closed) != 2 {
			t.Errorf("seed %d: the device closed those that begin with frames %v of a, want the two whose server was silent", seed+1, closed)
		}
	}
}

// Conditions under which corr once said what was not so: no such finding, and no such end of a conversation.
func TestNotSaid(t *testing.T) {
	for _, x := range []struct {
		seed              int64
		name, apply, word string
	}{
		{3, "partial-reuse-span", "drop=6@a", "tcp-terminated"}, // the SYN of a connection on ports used again is missed
		{11, "haproxy-tcp", "renumber,isn,drop=6@a,ipid=zero", "closed-by-middlebox"},
		{11, "quic-nat", "drop=10@a,drop=10@b", "payload-rewritten"},
		{1, "udp-icmp-nat", "drop=4@a,drop=4@b", "rst-injected"}, // the recorder before it missed an end's RST
		{3, "sip-alg", "ipid=zero,isn", "message-forwarder"},
		{15, "lb-two-servers", "ipid=random,drop=6@a,drop=6@c", "reset-injector"}, // the RST of a closed port was missed at one point
		{13, "quic-nat", "drop=3@b,isn", "no-answer"},                             // answers that a forwarder gave on were only missed
		{13, "four-points", "renumber,isn,late=0.2@d,disorder=5@a", "asymmetric-path"},
		{1, "four-points", "drop=12@b,drop=10@d", "asymmetric-path"}, // recorders missed one datagram of two
		{11, "lb-two-servers", "renumber,isn,ipid=random,snaplen=200@a,drop=6@a,clock=26280h@c", "clock-step"},
	} {
		doc := derived(t, x.seed, x.name, x.apply)
		for _, f := range doc.Findings {
			if f.ID == x.word {
				t.Errorf("%s %s: %s", x.name, x.apply, f.Title)
			}
		}
		for _, f := range doc.Flows {
			if f.Outcome == x.word {
				t.Errorf("%s %s: conversation %d is %s", x.name, x.apply, f.ID, f.Outcome)
			}
		}
		for _, s := range doc.Segments {
			for _, m := range s.Middleboxes {
				if m.Kind == x.word {
					t.Errorf("%s %s: a %s between %s and %s", x.name, x.apply, m.Name, s.A, s.B)
				}
			}
		}
	}
	// What asks for the same again and again agrees with itself at other times too; and what a capture that ended has not heard of
	// may have gone anywhere.
	for _, f := range derived(t, 5, "tls-offload", "late=0.35@b,early=0.85@a").Flows {
		if f.At["a"] != nil && f.At["b"] != nil {
			t.Errorf("tls-offload with little overlap: %v and %v are one conversation", f.At["a"].Tuple, f.At["b"].Tuple)
		}
	}
}

// Where recorders missed requests, answers, or a whole conversation's share of them, and where a clock jumped as well, none is said to
// carry on another's, and a fair share is told.
func TestMissedAtProxy(t *testing.T) {
	var truth struct {
		Flows []struct {
			At    map[string]*struct{ Tuple [4]any }
			Alike any // others that nothing tells it from
		}
	}
	b, err := os.ReadFile("../../testdata/tls-offload/truth.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &truth); err != nil {
		t.Fatal(err)
	}
	pair := func(a, b [4]any) string { return fmt.Sprint(a[:2], b[:2]) }
	right, alike := map[string]bool{}, map[string]bool{}
	for _, f := range truth.Flows {
		if a, b := f.At["a.pcap"], f.At["b.pcapng"]; a != nil && b != nil {
			right[pair(a.Tuple, b.Tuple)] = true
			if f.Alike != nil {
				alike[fmt.Sprint(a.Tuple)], alike[fmt.Sprint(b.Tuple)] = true, true
			}
		}
	}
	for apply, seeds := range map[string][]int64{"drop=5@a": {3, 5, 6}, "drop=6@b": {1, 4, 5}, "drop=4@a,drop=4@b": {2, 4, 6}, "drop=5@a,drop=5@b": {100, 110, 111}, "drop=4@a,step=15ms@b": {101, 103}, "drop=4@a,step=-15ms@b": {100, 101, 103}, "drop=5@a,step=100ms@a": {101, 102, 103, 104}, "step=7ms@b": {100}, "step=-30ms@a": {100}, "step=60ms@b": {100}, "drop=10@a,drop=10@b": {1, 2, 3, 4, 5, 100, 102, 106, 107, 108, 110}} {
		for _, seed := range seeds {
			joined := 0
			for _, f := range derived(t, seed, "tls-offload", apply).Flows {
				if f.At["a"] == nil || f.At["b"] == nil || alike[fmt.Sprint(f.At["a"].Tuple)] || alike[fmt.Sprint(f.At["b"].Tuple)] {
					continue
				}
				joined++
				if !right[pair(f.At["a"].Tuple, f.At["b"].Tuple)] {
					t.Errorf("%s, seed %d: %v does not go on as %v, said at %d %%", apply, seed, f.At["a"].Tuple, f.At["b"].Tuple, f.Confidence)
				}
			}
			if joined < len(right)/3 {
				t.Errorf("%s, seed %d: %d conversations are joined", apply, seed, joined)
			}
		}
	}
}

// A reset that goes on where its end's packets stood is that end's, though the recorder before it missed it.
func TestResetThatARecorderMissed(t *testing.T) {
	for _, f := range derived(t, 12, "rst-inject", "renumber,drop=5@a,snaplen=128@b").Flows {
		if a := f.At["a"]; a != nil && fmt.Sprint(a.Tuple[3]) == "7002" && f.ClosedBy == "middlebox" {
			t.Errorf("conversation %d: %s by %s", f.ID, f.Outcome, f.ClosedBy)
		}
	}
}

// Large packets that vanish are told from what passed on the wire, not from what a card was handed in one piece.
func TestLargeLostBehindOffload(t *testing.T) {
	for _, seed := range []int64{1, 3} {
		if f := derived(t, seed, "blackhole", "gro@b.pcap").Flows[0]; f.Outcome != "blackholed-large" {
			t.Errorf("seed %d: %s", seed, f.Outcome)
		}
	}
}

// Datagrams that are alike to the last bit and come through translations of which several are possible are not said to be
// lost: which is which is not known.
func TestAlikeDatagramsAreNotLost(t *testing.T) {
	for _, f := range derived(t, 3, "quic-nat", "ipid=zero").Flows {
		if f.Outcome == "blackholed" {
			t.Errorf("conversation %d, %v: %s", f.ID, f.At["a"].Tuple, f.Outcome)
		}
	}
}

// An acknowledgement of which a wire made two, and nothing tells which is the first, is not lost, nor is either made by anybody.
func TestCopiesAreNotLost(t *testing.T) {
	for _, c := range derived(t, 13, "ipv6-routers", "dup=4@a-b,isn").Captures {
		if c.Fates["lost"]+c.Fates["injected"] > 0 {
			t.Errorf("%s: %v", c.Name, c.Fates)
		}
	}
}

// A mirror port that hands on all twice changes nothing about what became of the other capture's frames, not even of those that
// were sent twice.
func TestMirrorPort(t *testing.T) {
	once, twice := derived(t, 14, "quic-nat", "isn"), derived(t, 14, "quic-nat", "span@a,isn")
	for k, c := range once.Captures {
		if c.Name == "b" && !maps.Equal(c.Fates, twice.Captures[k].Fates) {
			t.Errorf("%v, behind a mirror port %v", c.Fates, twice.Captures[k].Fates)
		}
	}
}

// A queue at the begin of a capture is no step of its clock.
func TestQueueIsNoStep(t *testing.T) {
	for _, c := range derived(t, 938, "lb-two-servers", "idle=0.2@a.pcap-c.pcap").Captures {
		if len(c.Clock.Steps) > 0 {
			t.Errorf("%s: %+v", c.Name, c.Clock.Steps)
		}
	}
}

// A step is found whichever of the two clocks makes it, by what is on its way at that moment too.
func TestStepOfEitherClock(t *testing.T) {
	for apply, want := range map[string]float64{"step=30ms@b.pcapng": 0.03, "step=30ms@a.pcap": -0.03} {
		c := derived(t, 5, "mss-loss-reorder", apply).Captures[1].Clock
		if c.OffsetS == nil || math.Abs(*c.OffsetS-1.1) > *c.OffsetErrorS || len(c.Steps) != 1 || math.Abs(c.Steps[0].StepS-want) > 0.005 {
			t.Errorf("%s: %+v", apply, c.Steps)
		}
	}
}

// A recorder that missed whole conversations of few packets is no branch of the path, and a gateway's own one no second translator.
func TestMissedConversationsAreNoBranch(t *testing.T) {
	for name, want := range map[string]string{
		"four-points": "a-b b-c c-d", "softwire": "a-b b-c", "asymmetric-route": "a-b a-c b-d c-d", "gateway": "a-b b-c",
	} {
		apply := "drop=8@a,drop=8@b,drop=8@c"
		if len(want) > len("a-b b-c") {
			apply += ",drop=8@d"
		}
		for _, seed := range []int64{21, 22} {
			var got []string
			for _, s := range derived(t, seed, name, apply).Segments {
				got = append(got, s.A+"-"+s.B)
				if name == "gateway" && s.A == "a" && len(s.Middleboxes) > 0 {
					t.Errorf("%s, seed %d: a %s between a and b", name, seed, s.Middleboxes[0].Kind)
				}
			}
			if slices.Sort(got); strings.Join(got, " ") != want {
				t.Errorf("%s, seed %d: stretches %v, want %s", name, seed, got, want)
			}
		}
	}
}

// Cards by two makers on the two sides of a device name neither, whichever of their frames a recorder missed.
func TestMakersOfBothSides(t *testing.T) {
	for seed := range int64(4) {
		for _, s := range derived(t, seed+1, "vxlan-middle", "drop=8@a,drop=8@b,drop=8@c").Segments {
			for _, b := range s.Middleboxes {
				if b.Vendor != "" {
					t.Errorf("seed %d: %s between %s and %s by %s", seed+1, b.Kind, s.A, s.B, b.Vendor)
				}
			}
		}
	}
}

// Requests and answers nest at two offsets where a clock jumped, and the jump is known from nothing else.
func TestStepWhereTLSEnds(t *testing.T) {
	for apply, want := range map[string]float64{"step=-300ms@a": 0.3, "step=2s@b": 2} {
		doc := derived(t, 3, "tls-offload", apply)
		c := doc.Captures[1].Clock
		if c.OffsetS == nil || math.Abs(*c.OffsetS+3.217) > *c.OffsetErrorS || len(c.Steps) != 1 || math.Abs(c.Steps[0].StepS-want) > 0.01 {
			t.Errorf("%s: %v, steps %+v", apply, c.OffsetS, c.Steps)
		}
		joined := 0
		for _, f := range doc.Flows {
			if f.At["a"] != nil && f.At["b"] != nil {
				joined++
			}
		}
		if joined < 30 {
			t.Errorf("%s: %d conversations are joined", apply, joined)
		}
	}
}

// The clock of a point in the middle drifts, over a span too short to tell of it or not: those behind it are related to the first
// point's all the same, and nothing jumps.
func TestDriftInTheMiddle(t *testing.T) {
	for _, x := range []struct {
		name, apply string
		offset      float64
	}{{"gateway", "drift=80@b", 0}, {"gateway", "drift=-150@b", 0}, {"softwire", "drift=80@b", 0}, {"softwire", "drift=-150@b", 0}, {"vlan-middle", "drift=100@b", 0.6}} {
		doc := derived(t, 11, x.name, x.apply)
		c := doc.Captures[2].Clock
		if c.OffsetS == nil || math.Abs(*c.OffsetS-x.offset) > *c.OffsetErrorS || *c.OffsetErrorS > 2e-3 {
			t.Errorf("%s, %s: the clock behind it is %s, want an offset of %v s", x.name, x.apply, said(c), x.offset)
		}
		for _, c := range doc.Captures {
			if len(c.Clock.Steps) > 0 {
				t.Errorf("%s, %s: %s jumps: %+v", x.name, x.apply, c.Name, c.Clock.Steps)
			}
		}
	}
}

// Where each stretch is passed in one direction only, a jump is no longer way: packets tell that are followed around it.
func TestStepWithAsymmetricRouting(t *testing.T) {
	offsets := []float64{0, 2.25, -6.5, 0.4}
	for apply, jumps := range map[string][4]float64{"step=2s@c": {0, 0, 2, 0}, "step=40ms@a": {0, -0.04, -0.04, -0.04}, "step=-300ms@d,drop=2@b": {0, 0, 0, -0.3}} {
		for k, c := range derived(t, 11, "asymmetric-route", apply).Captures {
			by := 0.
			for _, s := range c.Clock.Steps {
				by += s.StepS
			}
			if c.Clock.OffsetS == nil || math.Abs(*c.Clock.OffsetS-offsets[k]) > *c.Clock.OffsetErrorS || *c.Clock.OffsetErrorS > 3e-3 || math.Abs(by-jumps[k]) > 0.005 {
				t.Errorf("%s: %s has %s, want an offset of %v s and a jump by %v s", apply, c.Name, said(c.Clock), offsets[k], jumps[k])
			}
		}
	}
}

// A connection during which a clock was set goes the way that others to the same proxy go, and the jump is known by all of them.
func TestStepAtProxy(t *testing.T) {
	for _, seed := range []int64{5, 6} {
		c := derived(t, seed, "haproxy-tcp", "step=40ms@b").Captures[1]
		if c.Clock.OffsetS == nil || math.Abs(*c.Clock.OffsetS+1.25) > *c.Clock.OffsetErrorS || len(c.Clock.Steps) != 1 || math.Abs(c.Clock.Steps[0].StepS-0.04) > 0.005 {
			t.Errorf("seed %d: %s", seed, said(c.Clock))
		}
	}
}

// A jump that delays hide is not found; the offset before it is then said with a bound that holds all the same, and a drift that it
// looks like is not told.
func TestHiddenStep(t *testing.T) {
	for _, x := range []struct {
		seed        int64
		from, apply string
		offsets     []float64
	}{
		{21, "asymmetric-route", "step=4ms@a", []float64{0, 2.25, -6.5, 0.4}},
		{104, "asymmetric-route", "step=1ms@a", []float64{0, 2.25, -6.5, 0.4}},
		{105, "asymmetric-route", "step=2ms@a", []float64{0, 2.25, -6.5, 0.4}},
		{102, "blackhole", "step=2ms@a", []float64{0, 0.25}},
		{21, "haproxy-tcp", "step=-4ms@b", []float64{0, -1.25}},
		{21, "quic-nat", "step=10ms@a", []float64{0, 18.604}},
		{21, "quic-nat", "drop=4@a,step=15ms@b", []float64{0, 18.604}},
		{21, "tls-offload", "step=4ms@a", []float64{0, -3.217}},
		{100, "tls-offload", "step=-7ms@b", []float64{0, -3.217}},
		{100, "haproxy-tcp", "step=-7ms@b", []float64{0, -1.25}},
		{33, "gateway", "step=500us@b", []float64{0, 0, 0}},
		{33, "vxlan-middle", "step=3ms@b", []float64{0, 0.44, -0.91}},
		{5, "clock-drift", "step=5ms@b", []float64{0, 37.412}},
		{100, "clock-drift", "step=1ms@a", []float64{0, 37.412}},
		{101, "clock-drift", "step=2ms@b", []float64{0, 37.412}},
	} {
		for k, c := range derived(t, x.seed, x.from, x.apply).Captures {
			if c.Clock.OffsetS == nil || math.Abs(*c.Clock.OffsetS-x.offsets[k]) > *c.Clock.OffsetErrorS || *c.Clock.OffsetErrorS > 0.02 {
				t.Errorf("%s, %s: %s has %s, want an offset of %v s", x.from, x.apply, c.Name, said(c.Clock), x.offsets[k])
			}
			if d := c.Clock.DriftPPM; x.from == "clock-drift" && k == 1 && d != nil && math.Abs(*d-35) > *c.Clock.DriftErrorPPM {
				t.Errorf("%s, %s: drift of %v ± %v ppm, 35 is true", x.from, x.apply, *d, *c.Clock.DriftErrorPPM)
			}
		}
	}
}

// Clocks that both jump are known all the same, with the jumps of either.
func TestStepsOfBothClocks(t *testing.T) {
	for _, x := range []struct {
		seed        int64
		from, apply string
		offset      float64
		steps       []float64 // in the order of time: forward ones of a are backward ones of b against it
	}{
		{100, "nat64", "step=40ms@a,step=-25ms@b", 0, []float64{-0.04, -0.025}},
		{101, "nat64", "step=300ms@a,step=2s@b", 0, []float64{2, -0.3}},
		{100, "sip-alg", "step=40ms@a,step=-25ms@b", 7.0091, []float64{-0.04, -0.025}},
		{100, "mss-loss-reorder", "step=40ms@a,step=-25ms@b", 1.1, []float64{-0.04, -0.025}},
		{101, "udp-icmp-nat", "step=300ms@a,step=2s@b", -0.19, []float64{2, -0.3}},
	} {
		c := derived(t, x.seed, x.from, x.apply).Captures[1].Clock
		if c.OffsetS == nil || math.Abs(*c.OffsetS-x.offset) > *c.OffsetErrorS {
			t.Errorf("%s, %s: %s, want an offset of %v s", x.from, x.apply, said(c), x.offset)
			continue
		}
		if len(c.Steps) != len(x.steps) {
			t.Errorf("%s, %s: %s, want %d steps", x.from, x.apply, said(c), len(x.steps))
			continue
		}
		for k, s := range c.Steps {
			if math.Abs(s.StepS-x.steps[k]) > 0.005 {
				t.Errorf("%s, %s: step of %v s, want %v", x.from, x.apply, s.StepS, x.steps[k])
			}
		}
	}
}

// Of large captures many packets are looked at together, some of either side of a jump.
func TestStepsOfLargeCaptures(t *testing.T) {
	dir := t.TempDir()
	b := lab.Bulks["mixed"]
	b.Frames = 60_000
	if _, err := b.Write(dir); err != nil {
		t.Fatal(err)
	}
	paths := []string{filepath.Join(dir, "p00.pcap"), filepath.Join(dir, "p01.pcap")}
	setClock(t, paths[1], map[int]time.Duration{18_000: 50 * time.Millisecond, 42_000: -200 * time.Millisecond})
	setClock(t, paths[0], map[int]time.Duration{30_000: 300 * time.Millisecond})
	doc, err := Correlate(context.Background(), Options{Out: filepath.Join(dir, "out"), Inputs: []Input{{Path: paths[0]}, {Path: paths[1]}}})
	if err != nil {
		t.Fatal(err)
	}
	c := doc.Captures[1].Clock
	if c.OffsetS == nil || math.Abs(*c.OffsetS-7.3) > *c.OffsetErrorS || *c.OffsetErrorS > 0.01 {
		t.Fatalf("%s, want an offset of 7.3 s", said(c))
	}
	want := []float64{0.05, -0.3, -0.2}
	for k, s := range c.Steps {
		if k < len(want) && math.Abs(s.StepS-want[k]) > 0.005 {
			t.Errorf("step of %v s, want %v", s.StepS, want[k])
		}
	}
	if len(c.Steps) != len(want) {
		t.Errorf("%s, want %d steps", said(c), len(want))
	}
}

// setClock sets the clock of a capture, nanosecond pcap, in front of some frames, by their index.
func setClock(t *testing.T, path string, at map[int]time.Duration) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	by := time.Duration(0)
	for n, o := 0, 24; o+16 <= len(b); n++ {
		by += at[n]
		now := time.Unix(int64(binary.LittleEndian.Uint32(b[o:])), int64(binary.LittleEndian.Uint32(b[o+4:]))).Add(by)
		binary.LittleEndian.PutUint32(b[o:], uint32(now.Unix()))
		binary.LittleEndian.PutUint32(b[o+4:], uint32(now.Nanosecond()))
		o += 16 + int(binary.LittleEndian.Uint32(b[o+8:]))
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Where a proxy ends TLS and a clock jumps meanwhile, requests near the jump are not taken for others.
func TestRequestsAtJump(t *testing.T) {
	var truth struct {
		Pairs []struct{ Messages [][2]int }
	}
	b, err := os.ReadFile("../../testdata/tls-offload/truth.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &truth); err != nil {
		t.Fatal(err)
	}
	right := map[string]bool{}
	for _, p := range truth.Pairs {
		for _, m := range p.Messages {
			right[fmt.Sprint(m)] = true
		}
	}
	for _, apply := range []string{"step=-30ms@a", "step=15ms@b"} {
		c, err := lab.Load("../../testdata/tls-offload")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Apply(apply, 100); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := c.Write(dir); err != nil {
			t.Fatal(err)
		}
		r := correlateDir(t, dir, filepath.Join(dir, "out"))
		defer r.ann.Close()
		var out strings.Builder
		if err := annotate.WriteMessages(&out, r.ann); err != nil {
			t.Fatal(err)
		}
		found, wrong := 0, 0
		for _, row := range strings.Split(strings.TrimSpace(out.String()), "\n")[1:] {
			f := strings.Split(row, "\t")
			if pair := "[" + f[1] + " " + f[3] + "]"; right[pair] {
				found++
			} else if f[4] == "request" {
				wrong++
				t.Logf("%s: %s", apply, row)
			}
		}
		if wrong > 0 || found*5 < len(right)*4 {
			t.Errorf("%s: %d of %d pairs of messages found, %d requests wrong", apply, found, len(right), wrong)
		}
	}
}

// said words a clock without what it is made from.
func said(c model.Clock) string {
	c.Residuals = nil
	b, err := json.Marshal(c)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// What is left of a path's drift between two jumps is told with an error that holds, or not at all.
func TestDriftBetweenSteps(t *testing.T) {
	for _, seed := range []int64{105, 106, 109} {
		c := derived(t, seed, "clock-drift", "step=-300ms@b").Captures[1].Clock
		if c.DriftPPM != nil && math.Abs(*c.DriftPPM-35) > *c.DriftErrorPPM || len(c.Steps) != 1 {
			t.Errorf("seed %d: %s", seed, said(c))
		}
	}
}

// A refused connection belongs to the request that waits for it alone: not to one of those whose own connections the recorder behind
// the proxy saw the beginning of only.
func TestRefusedBehindProxy(t *testing.T) {
	for _, early := range []string{"early=0.2@b", "early=0.15@b"} {
		_, dir := changed(t, "tls-offload", early)
		r := correlateDir(t, dir, filepath.Join(dir, "out"))
		defer r.ann.Close()
		whose := map[string]int{}
		for _, f := range r.truth.Flows {
			for c, at := range f.At {
				if at != nil {
					whose[key(f.Proto, c, at.Tuple)] = f.ID
				}
			}
		}
		for _, f := range r.doc.Flows {
			a, b := f.At["a"], f.At["b"]
			if a == nil || b == nil || b.BytesF+b.BytesR > 0 {
				continue
			}
			if x, y := whose[key(f.Proto, r.file("a"), a.Tuple)], whose[key(f.Proto, r.file("b"), b.Tuple)]; x != y {
				t.Errorf("%s: conversation %v, of %d, is joined to %v, of %d", early, a.Tuple, x, b.Tuple, y)
			}
		}
	}
}

// A clock that jumps jumps against all others, however many points lie between, and no other one does; to the frame, so that nothing
// lies outside of a capture for it.
func TestStepAmongManyPoints(t *testing.T) {
	for _, name := range []string{"vxlan-middle", "four-points", "mss-loss-reorder"} {
		for n, at := range []string{"a", "b", "c", "d"} {
			c, err := lab.Load("../../testdata/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if n >= len(c.Captures) {
				break
			}
			by := []float64{2, -0.3}[n%2]
			for k, x := range derived(t, 4, name, fmt.Sprintf("step=%.0fms@%s", by*1000, at)).Captures {
				want := 0.
				switch {
				case n == 0 && k > 0: // the reference
					want = -by
				case n == k && k > 0:
					want = by
				}
				got := 0.
				for _, s := range x.Clock.Steps {
					got += s.StepS
				}
				if len(x.Clock.Steps) > 1 || math.Abs(got-want) > 0.005 || x.Fates["outside"] > 0 {
					t.Errorf("%s: %s jumps by %v s: %s has %+v, %d frames outside", name, at, by, x.Name, x.Clock.Steps, x.Fates["outside"])
				}
			}
		}
	}
}

// What a capturing host does to its capture is named where it does it, and nowhere else.
func TestCaptureNotes(t *testing.T) {
	for _, x := range []struct {
		name, apply string
		want        [2]string // beginnings of notes, after another
	}{
		{"snat-basic", "rename", [2]string{}},
		{"snat-basic", "zerosums@a.pcap,snaplen=96@a.pcap,disorder=20@b.pcapng", [2]string{"301 frames cut; checksums left", "72 frames out"}},
		{"gso-split", "rename", [2]string{"checksums left", ""}},
	} {
		doc := derived(t, 1, x.name, x.apply)
		for i, c := range doc.Captures {
			var got []string
			for _, n := range c.Notes {
				w := strings.Fields(n)
				if _, err := strconv.Atoi(w[0]); err == nil {
					got = append(got, strings.Join(w[:3], " "))
				} else {
					got = append(got, strings.Join(w[:2], " "))
				}
			}
			if s := strings.Join(got, "; "); s != x.want[i] {
				t.Errorf("%s %s: %s: %q, want %q", x.name, x.apply, c.Name, s, x.want[i])
			}
		}
	}
}

// A SYN that a capture ends with was not answered yet: that is no connection which vanished, nor one that nobody answers.
func TestEndsWithSYN(t *testing.T) {
	m := derived(t, 357716, "haproxy-tcp", "gro@b,loop@a,early=0.3@a")
	alone := 0
	for _, f := range m.Flows {
		if at := f.At["a"]; at != nil && at.Frames == 1 {
			alone++
			if f.Outcome != "open" {
				t.Errorf("conversation %d, one SYN in front of the capture's end: %s", f.ID, f.Outcome)
			}
		}
	}
	if alone == 0 {
		t.Fatal("no conversation of one SYN")
	}
	for _, x := range m.Findings {
		if x.ID == "syn-not-delivered" {
			t.Errorf("%s: %s", x.ID, x.Title)
		}
	}
}

// Answers that a recorder missed, which is known to miss frames, were not lost on the way: there are no more of them than it misses of
// all others.
func TestAnswersMissed(t *testing.T) {
	d := derived(t, 442320, "reject", "ipid=random,isn,drop=1@a,drop=1@b")
	for _, f := range d.Flows {
		if f.Outcome == "blackholed-reply" {
			t.Errorf("conversation %d: %s", f.ID, f.Outcome)
		}
	}
	drops := 0
	for _, f := range d.Findings {
		switch f.ID {
		case "capture-drops":
			drops++
		case "synack-not-delivered", "message-not-delivered":
			t.Errorf("%s: %s", f.ID, f.Title)
		}
	}
	if drops != 2 {
		t.Errorf("%d recorders are known to miss frames, not both", drops)
	}
}

// A device that forgets silent conversations is a packet filter, unless what stands there anyway keeps state of them.
func TestForgotten(t *testing.T) {
	for _, c := range []struct{ name, apply, want string }{
		{"routers-3-8", "idle=30@a-b", "packet-filter"},
		{"routers-3-8", "idle=300@a-b,clock=-2h@b", "packet-filter"},
		{"snat-basic", "idle=30@a-b", "source-nat"},
		{"siit", "idle=30@a-b", "packet-filter siit"},
	} {
		doc := derived(t, 3, c.name, c.apply)
		var got []string
		for _, s := range doc.Segments {
			for _, m := range s.Middleboxes {
				got = append(got, m.Kind)
				if after := strings.Join(slices.Collect(maps.Values(m.Changes)), ""); m.Kind == "packet-filter" && !strings.Contains(after, "of silence") {
					t.Errorf("%s, %s: a packet filter that does not say what it forgets after: %v", c.name, c.apply, m.Changes)
				}
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s, %s: %q, want %s", c.name, c.apply, got, c.want)
		}
		if !slices.ContainsFunc(doc.Findings, func(f model.Finding) bool { return f.ID == "idle-expired" }) {
			t.Errorf("%s, %s: nothing is told of it", c.name, c.apply)
		}
	}
}

// Equal queries of two clients, sent as far apart as a clock steps: those next to the step, of which it is not known on which side they
// lie, are told apart all the same.
func TestQueriesAtStep(t *testing.T) {
	for seed := range int64(6) {
		doc := derived(t, seed, "nat64", "step=2s@b")
		for _, c := range doc.Captures {
			if c.Frames != 637 || c.Fates["delivered"] != 637 {
				t.Errorf("seed %d: %s: %v", seed, c.Name, c.Fates)
			}
		}
		for _, m := range doc.Segments[0].Middleboxes {
			if m.Kind != "nat64" {
				t.Errorf("seed %d: a %s", seed, m.Kind)
			}
		}
	}
}

// Clocks that drift faster than oscillators do, and packets in two or three bursts: neither is taken for jumps of the clock.
func TestDriftInBursts(t *testing.T) {
	for _, c := range []struct {
		name, apply string
		ppm, within float64 // within 0: what the estimate says of itself
	}{
		{"nat64", "drift=300@b", 300, 0},
		{"nat64", "drift=100@b", 100, 0},
		{"siit", "drift=-110@b", -110, 0},
		{"prefix-translation", "drift=100@a", -100, 0},
		{"mss-loss-reorder", "drift=300@a,idle=120@a-b", -300, 1},
		{"rst-inject", "drift=300@a,idle=120@a-b", -300, 1},
		{"prefix-translation", "drift=90@a,idle=30@a-b", -90, 1},
		{"clock-drift", "drift=100@b", 135, 1}, // whose own is 35
	} {
		doc := derived(t, 7, c.name, c.apply)
		k := doc.Captures[1].Clock
		if k.DriftPPM == nil || k.DriftErrorPPM == nil || k.OffsetS == nil || k.Steps != nil {
			t.Errorf("%s, %s: %+v", c.name, c.apply, k)
			continue
		}
		within := max(*k.DriftErrorPPM, 0.1)
		if c.within > 0 {
			within = min(within, c.within)
		}
		if by := *k.DriftPPM - c.ppm; math.Abs(by) > within {
			t.Errorf("%s, %s: %.2f ± %.2f ppm", c.name, c.apply, *k.DriftPPM, *k.DriftErrorPPM)
		}
	}
}

// A step beside a drift, and one so large that a drift adds to it while it lasts, are as large as they were made.
func TestStepBesideDrift(t *testing.T) {
	for _, c := range []struct {
		name, apply string
		step        float64
	}{
		{"nat64", "drift=300@b,step=2s@b", 2},
		{"siit", "drift=300@b,step=40ms@b", 0.04},
		{"siit", "drift=300@b,step=7ms@b", 0.007},
		{"prefix-translation", "drift=300@b,step=-7ms@a", 0.007},
		{"siit", "step=1h@a,loss=1@a-b,isn", -3600},
	} {
		for seed := range int64(4) {
			doc := derived(t, seed, c.name, c.apply)
			k := doc.Captures[1].Clock
			if len(k.Steps) != 1 || k.OffsetS == nil {
				t.Errorf("%s, %s, seed %d: steps %v, offset %v", c.name, c.apply, seed, k.Steps, k.OffsetS)
				continue
			}
			if by := k.Steps[0].StepS - c.step; math.Abs(by) > 100e-6+math.Abs(c.step)*300e-6 {
				t.Errorf("%s, %s, seed %d: a step of %f s", c.name, c.apply, seed, k.Steps[0].StepS)
			}
			if math.Abs(*k.OffsetS) > *k.OffsetErrorS+2e-6 {
				t.Errorf("%s, %s, seed %d: offset %f ± %f s, want 0", c.name, c.apply, seed, *k.OffsetS, *k.OffsetErrorS)
			}
		}
	}
}
