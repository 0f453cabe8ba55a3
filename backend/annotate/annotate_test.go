package annotate

import (
	"bytes"
	"errors"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

// sample is a correlation of two captures with every kind of content.
func sample() (Tables, []Class, [2][]Frame) {
	t := Tables{
		Points: []Point{
			{Name: "client", Cell: "a.pcap", File: "x/a.pcap", ClockKnown: true},
			{Name: "server", Cell: "b\t.pcap", File: "x/b.pcap", ClockKnown: true, At: 1_700_000_000_000_000_000, Offset: -7_000_000_123, DriftPPM: 20.25,
				Steps: []ClockStep{{From: 3, Offset: 5}}},
		},
		Flows: []Flow{
			{ID: 1, Path: "client > server", PathReverse: "server > client", At: []FlowAt{{Point: 0, Stream: 0, RTT: 3_700_000, RTTClient: -1, RTTServer: 3_700_000}, {Point: 1, Stream: 4, RTT: -1, RTTClient: -1, RTTServer: -1}}},
			{ID: 9, Path: "client", At: []FlowAt{{Point: 0, Stream: -1, RTT: -1, RTTClient: -1, RTTServer: -1}}},
		},
		Findings: []Finding{{"tcp-terminated", "error", "a device ends TCP"}, {"loss", "note", "2 of 9 lost"}},
		Logs:     []Log{{"action=drop src=10.0.0.1", "drop"}},
	}
	classes := []Class{
		{Match: "relayed", Fate: "delivered", Origin: "middlebox", Hops: 8, HopsPeer: -1, TTLInitial: 255, PeerPoint: 1, PeerDown: true, Middlebox: "TCP-terminating firewall (Check Point)",
			Kinds: []string{"terminating-transparent-proxy"}, Changed: []string{"ip.id", "tcp.seq_raw"}, Confidence: 97, DelayError: 12_000},
		{Reverse: true, Fate: "local", Hops: -1, HopsPeer: -1, TTLInitial: -1, PeerPoint: -1, Confidence: -1, DelayError: -1},
	}
	const t0 = 1_700_000_000_000_000_000
	a := []Frame{
		{Time: t0, Len: 66, Flow: 1, Class: 0, Peer: 2, HasDelay: true, Delay: -5},
		{Time: t0 + 1001, Len: 1 << 31, Class: 1, Extra: &Extra{
			Peers:       []Peer{{Point: 1, Frame: 3, Stream: 7, Down: true, Match: "resegmented", Confidence: 80, HasDelay: true, Delay: 1 << 40}, {Point: 1, Frame: 1, Stream: -1, Match: "relayed", Confidence: -1}},
			ChangedText: []string{"tcp.options.wscale.shift: 8 → 3", "ip.id: 1 → 2"}, Message: "TLS ClientHello", Findings: []int{0, 1}, Logs: []int{0},
			MessagePeers: []Peer{{Point: 1, Frame: 2, Stream: -1, Down: true, Match: "request", Confidence: 90}}}},
		{Time: 0, Class: 1},
		{Time: t0 - 5*second, Len: 60, Flow: 9, Class: 0, Peer: 1, HasDelay: true, Delay: -9 * second},
	}
	b := []Frame{{Time: math.MaxInt64, Class: 1}, {Time: t0 + 7, Flow: 1, Class: 1}, {Time: 1, Class: 0, HasDelay: true, Delay: math.MinInt32 + 1}}
	return t, classes, [2][]Frame{a, b}
}

// write makes the sample's file, classes registered in the order given.
func write(t testing.TB, path string, order []int, parallel bool) {
	t.Helper()
	tables, classes, frames := sample()
	for i := range frames {
		tables.Points[i].Frames = uint32(len(frames[i]))
	}
	w, err := Create(path, tables)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[int]ClassID{}
	for _, i := range order {
		ids[i] = w.Class(classes[i])
	}
	var wg sync.WaitGroup
	for i := range frames {
		run := func() {
			cw := w.Capture(i)
			for k, f := range frames[i] {
				f.Class = ids[int(f.Class)]
				if err := cw.Put(capture.FrameNo(k+1), &f); err != nil {
					t.Error(err)
				}
			}
		}
		if parallel {
			wg.Go(run)
		} else {
			run()
		}
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "corr.ann")
	write(t, path, []int{0, 1}, false)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tables, classes, frames := sample()
	for i := range frames {
		tables.Points[i].Frames = uint32(len(frames[i]))
	}
	if !reflect.DeepEqual(f.Tables, tables) {
		t.Errorf("tables: got %+v\nwant %+v", f.Tables, tables)
	}
	for p := range frames {
		if got := f.Frames(p); got != uint32(len(frames[p])) {
			t.Errorf("point %d: %d frames", p, got)
		}
		for i, want := range frames[p] {
			if want.Time > 1<<33*second-1 {
				want.Time = 0 // beyond what a stamp holds
			}
			got, c, err := f.Frame(p, capture.FrameNo(i+1))
			wantClass := classes[want.Class]
			got.Class, want.Class = 0, 0
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("frame %d of point %d: got %+v, %v\nwant %+v", i+1, p, got, err, want)
			}
			if !reflect.DeepEqual(c, wantClass) {
				t.Errorf("class of frame %d of point %d: got %+v, want %+v", i+1, p, c, wantClass)
			}
		}
	}
	for _, n := range []capture.FrameNo{0, 5, math.MaxUint32} {
		if _, _, err := f.Frame(0, n); err == nil {
			t.Errorf("frame %d of 4: no error", n)
		}
	}
	if l, _ := filepath.Glob(filepath.Join(dir, "*")); len(l) != 1 {
		t.Errorf("left behind: %q", l)
	}
}

// Neither goroutines nor the order in which classes were registered may show in the bytes.
func TestSameBytes(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "1"), filepath.Join(dir, "2")
	write(t, one, []int{0, 1}, false)
	write(t, two, []int{1, 0}, true)
	a, _ := os.ReadFile(one)
	b, _ := os.ReadFile(two)
	if !bytes.Equal(a, b) {
		t.Error("the same annotations gave different bytes")
	}
}

func TestClassInterning(t *testing.T) {
	w := create("x", nil, Tables{})
	_, classes, _ := sample()
	seen := map[ClassID]bool{}
	vary := []func(c *Class){
		func(c *Class) {}, func(c *Class) { c.Reverse = true }, func(c *Class) { c.Fate, c.FateWhere = "deliveredx", "" },
		func(c *Class) { c.Kinds = []string{"a", "b"} }, func(c *Class) { c.Kinds = []string{"a,1:b"} }, func(c *Class) { c.Kinds, c.Changed = nil, c.Kinds },
		func(c *Class) { c.Hops, c.HopsPeer = -1, 8 }, func(c *Class) { c.PeerDown = false }, func(c *Class) { c.DelayError++ },
	}
	for i, v := range vary {
		c := classes[0]
		v(&c)
		id := w.Class(c)
		if seen[id] {
			t.Errorf("variation %d got another's number", i)
		}
		seen[id] = true
		if w.Class(c) != id {
			t.Errorf("variation %d: asked again, got another number", i)
		}
	}
}

func TestWriterMisuse(t *testing.T) {
	tables, classes, _ := sample()
	tables.Points[0].Frames, tables.Points[1].Frames = 1, 1
	for _, tt := range []struct {
		name string
		add  []Frame
		want string
	}{
		{"too few", nil, "1 frames of client announced, 0 written"},
		{"too many", []Frame{{}, {}}, "client: more than the announced 1 frames"},
		{"class", []Frame{{Class: 7}}, "client: frame 1: class 7 was never registered"},
		{"peer", []Frame{{Extra: &Extra{Peers: []Peer{{Point: 2}}}}}, "client: frame 1: peer at point 2 of 2"},
		{"finding", []Frame{{Extra: &Extra{Findings: []int{2}}}}, "client: frame 1: finding 2 of 2"},
		{"log", []Frame{{Extra: &Extra{Logs: []int{-1}}}}, "client: frame 1: log record -1 of 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "corr.ann")
			w, err := Create(path, tables)
			if err != nil {
				t.Fatal(err)
			}
			w.Class(classes[1])
			var last error
			for i := range tt.add {
				last = w.Capture(0).Put(capture.FrameNo(i+1), &tt.add[i])
			}
			if err := w.Close(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Close: %v, want %q", err, tt.want)
			}
			if len(tt.add) > 0 && last == nil {
				t.Error("Add gave no error")
			}
			if _, err := Open(path); err == nil {
				t.Error("what was not finished opens")
			}
			if l, _ := filepath.Glob(filepath.Join(dir, "*")); len(l) != 1 {
				t.Errorf("left behind: %q", l)
			}
		})
	}
}

// failing fails from the n-th write on.
type failing struct {
	*os.File
	n int
}

var errDisk = errors.New("no space left on device")

func (f *failing) WriteAt(b []byte, off int64) (int, error) {
	if f.n--; f.n < 0 {
		return 0, errDisk
	}
	return f.File.WriteAt(b, off)
}

// Whatever write fails, Close says so and nothing that opens is left.
func TestEveryWriteFails(t *testing.T) {
	tables, classes, frames := sample()
	for i := range frames {
		tables.Points[i].Frames = uint32(len(frames[i]))
	}
	for k := 0; ; k++ {
		path := filepath.Join(t.TempDir(), "corr.ann")
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w := create(path, &failing{out, k}, tables)
		for _, c := range classes {
			w.Class(c)
		}
		for p := range frames {
			for i := range frames[p] {
				w.Capture(p).Put(capture.FrameNo(i+1), &frames[p][i])
			}
		}
		err = w.Close()
		if err == nil {
			if k < 4 {
				t.Fatalf("only %d writes", k)
			}
			return
		}
		if !errors.Is(err, errDisk) {
			t.Errorf("write %d: %v", k, err)
		}
		// The last sync may fail after all was written: then the file is whole.
		if f, err := Open(path); err == nil {
			f.Close()
			if k < 4 {
				t.Errorf("write %d failed, and the file opens", k)
			}
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "corr.ann")
	write(t, path, []int{0, 1}, false)
	good, _ := os.ReadFile(path)
	change := func(off int, b byte) []byte {
		c := bytes.Clone(good)
		c[off] ^= b
		return c
	}
	for _, tt := range []struct {
		name string
		data []byte
		want error
		text string
	}{
		{"empty", nil, ErrForeign, "not a corr.ann"},
		{"foreign", []byte("PK\x03\x04 something else entirely, and long enough for a header, is in here ......"), ErrForeign, "not a corr.ann"},
		{"short foreign", []byte("PK"), ErrForeign, "not a corr.ann"},
		{"never finished", make([]byte, 500), ErrTruncated, "cut short"},
		{"cut in the header", good[:20], ErrTruncated, "cut short"},
		{"cut", good[:len(good)-1], ErrTruncated, "cut short"},
		{"longer", append(bytes.Clone(good), 0), ErrTruncated, "cut short"},
		{"other version", change(headVersion, 2), ErrVersion, "another version of corr: layout 7, this one reads 5"},
		{"directory", change(len(good)-3, 1), ErrDamaged, "damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(p, tt.data, 0o666); err != nil {
				t.Fatal(err)
			}
			_, err := Open(p)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestStamp(t *testing.T) {
	var b [8]byte
	r := rand.New(rand.NewSource(1))
	for i := range 100000 {
		ns := int64(r.Uint64()) >> (i % 60)
		ok := putStamp(b[:], ns)
		got, known := getStamp(b[:])
		if ok != known || ok && got != ns {
			t.Fatalf("%d: got %d, %v", ns, got, known)
		}
		if !ok && ns < 1<<33*second && ns >= -1<<33*second {
			t.Fatalf("%d: not stored", ns)
		}
	}
}

func TestRef(t *testing.T) {
	p := Point{ClockKnown: true, At: 1000 * second, Offset: 250, DriftPPM: -20, Steps: []ClockStep{{From: 9, Offset: 700}}}
	for _, tt := range []struct {
		n           capture.FrameNo
		local, want int64
	}{
		{1, 1000 * second, 1000*second - 250},
		{2, 1100 * second, 1100*second - 250 + 2_000_000},
		{3, 900 * second, 900*second - 250 - 2_000_000},
		{8, 2000 * second, 2000*second - 250 + 20_000_000},
		{9, 2000 * second, 2000*second - 700 + 20_000_000},
	} {
		if got, ok := p.Ref(tt.n, capture.LocalTime(tt.local)); got != tt.want || !ok {
			t.Errorf("%d: got %d, want %d", tt.local, got, tt.want)
		}
	}
	if _, ok := (&Point{}).Ref(1, 1); ok {
		t.Error("a time from an unknown clock")
	}
}

func TestTSV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "corr.ann")
	write(t, path, []int{0, 1}, false)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var m, s, x strings.Builder
	if err := errors.Join(WriteMatches(&m, f), WriteMessages(&s, f), WriteFrames(&x, f)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, got, want string }{
		{"matches", m.String(), "#capture\tframe\tpeer_capture\tpeer_frame\tmatch\tconfidence\tdelay_ns\n" +
			"a.pcap\t1\tb\\t.pcap\t2\trelayed\t97\t-5\n" +
			"a.pcap\t2\tb\\t.pcap\t3\tresegmented\t80\t1099511627776\n" +
			"a.pcap\t4\tb\\t.pcap\t1\trelayed\t97\t-9000000000\n"},
		{"messages", s.String(), "#capture\tframe\tpeer_capture\tpeer_frame\tkind\tconfidence\na.pcap\t2\tb\\t.pcap\t2\trequest\t90\n"},
		{"frames", x.String(), "#capture\tframe\tflow\tfate\torigin\ttime_ns\thops\n" +
			"a.pcap\t1\t1\tdelivered\tmiddlebox\t1700000000000000000\t8\n" +
			"a.pcap\t2\t\tlocal\t\t1700000000000001001\t\n" +
			"a.pcap\t3\t\tlocal\t\t\t\n" +
			"a.pcap\t4\t9\tdelivered\tmiddlebox\t1699999995000000000\t8\n" +
			"b\\t.pcap\t1\t\tlocal\t\t\t\n" +
			"b\\t.pcap\t2\t1\tlocal\t\t1700000007000000130\t\n" +
			"b\\t.pcap\t3\t\tdelivered\tmiddlebox\t34424999999996\t8\n"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, tt.got, tt.want)
		}
	}
}

func TestPutAllocations(t *testing.T) {
	w, fr := bench(t, 1<<16)
	cw := w.Capture(0)
	n := capture.FrameNo(1)
	put := func() {
		cw.Put(n, fr)
		n++
	}
	put()
	if n := testing.AllocsPerRun(1000, put); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func bench(t testing.TB, n int) (*Writer, *Frame) {
	tables, classes, _ := sample()
	tables.Points[0].Frames = uint32(n)
	w, err := Create(filepath.Join(t.TempDir(), "corr.ann"), tables)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w, &Frame{Time: 1_700_000_000_000_000_000, Len: 66, Flow: 1, Class: w.Class(classes[0]), Peer: 2, HasDelay: true, Delay: 5}
}

func BenchmarkPut(b *testing.B) {
	w, fr := bench(b, b.N)
	cw := w.Capture(0)
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		fr.Time += 999
		if err := cw.Put(capture.FrameNo(n+1), fr); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMatches(b *testing.B) {
	const n = 1 << 20
	w, fr := bench(b, n)
	for k := range n {
		w.Capture(0).Put(capture.FrameNo(k+1), fr)
	}
	w.tables.Points[1].Frames = 0
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	f, err := Open(w.path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	b.ResetTimer()
	for range b.N {
		if err := WriteMatches(discard{}, f); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/line")
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }
