package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/annotate"
	"github.com/corr-dev/corr/backend/model"
)

// The recording (scripts/record multiplexed): HTTP/2 in TLS in front of a proxy, HTTP/1 over pooled connections behind it.
// Each request asks for another path, which tshark reads with the keys; so it says which frames belong together.
const multiplexed = "testdata/multiplexed/"

// opened asks tshark with the keys.
func opened(t *testing.T, file, filter string, fields ...string) [][]string {
	t.Helper()
	return tsharkWith(t, []string{"-o", "tls.keylog_file:" + multiplexed + "keys", "-d", "tcp.port==8080,http"}, multiplexed+file, filter, fields...)
}

// streamOf is a request's conversation, in Wireshark's numbers, and the frame of its head.
type streamOf struct {
	tcp   int
	frame uint32
}

// asked are the requests of either side, by path. Those whose head is not in the frame that tshark tells them at, because a
// body follows in others, are left out.
func asked(t *testing.T) (front, back map[string]streamOf) {
	t.Helper()
	front, back = map[string]streamOf{}, map[string]streamOf{}
	note := func(m map[string]streamOf, frame, tcp, path string) {
		f, err := strconv.ParseUint(frame, 10, 32)
		s, err2 := strconv.Atoi(tcp)
		if err != nil || err2 != nil {
			t.Fatalf("tshark says %q, %q", frame, tcp)
		}
		m[path] = streamOf{s, uint32(f)}
	}
	for _, r := range opened(t, "client.pcap.gz", `http2.headers.method == "GET"`, "frame.number", "tcp.stream", "http2.headers.path") {
		for path := range strings.SplitSeq(r[2], ",") {
			note(front, r[0], r[1], path)
		}
	}
	for _, r := range opened(t, "server.pcap.gz", `http.request.method == "GET"`, "frame.number", "tcp.stream", "http.request.uri") {
		note(back, r[0], r[1], r[2])
	}
	if len(front) < 50 || len(back) != len(front) {
		t.Fatalf("tshark finds %d requests in front and %d behind", len(front), len(back))
	}
	return front, back
}

// told is what corr says: pairs of frames of requests with their confidence, and pairs of conversations.
func told(t *testing.T, o Options) (doc *model.Document, requests map[[2]uint32]int, relations map[[2]int]string) {
	t.Helper()
	o.Out = filepath.Join(t.TempDir(), "out")
	if o.Inputs == nil {
		o.Inputs = []Input{{Path: multiplexed + "client.pcap.gz"}, {Path: multiplexed + "server.pcap.gz"}}
	}
	doc, err := Correlate(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	ann, err := annotate.Open(filepath.Join(o.Out, "corr.ann"))
	if err != nil {
		t.Fatal(err)
	}
	defer ann.Close()
	var b bytes.Buffer
	if err := annotate.WriteMessages(&b, ann); err != nil {
		t.Fatal(err)
	}
	requests = map[[2]uint32]int{}
	for line := range strings.Lines(b.String()) {
		var f, g uint32
		var conf int
		var kind string
		w := strings.Split(strings.TrimSpace(line), "\t")
		if len(w) != 6 || strings.HasPrefix(line, "#") {
			continue
		}
		if _, err := fmt.Sscan(w[1]+" "+w[3]+" "+w[4]+" "+w[5], &f, &g, &kind, &conf); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if kind == "request" {
			requests[[2]uint32{f, g}] = conf
		}
	}
	relations = map[[2]int]string{}
	at := map[uint32]int{}
	for _, f := range doc.Flows {
		for _, x := range f.At {
			if x != nil && x.Stream != nil {
				at[f.ID] = int(*x.Stream)
			}
		}
	}
	for _, r := range doc.Relations {
		relations[[2]int{at[r.Flows[0]], at[r.Flows[1]]}] = r.Kind
	}
	return doc, requests, relations
}

// With the keys every request is found, and each of the pool's connections related to those whose requests it carried.
func TestMultiplexedWithKeys(t *testing.T) {
	front, back := asked(t)
	doc, requests, relations := told(t, Options{Keylogs: []string{multiplexed + "keys"}})
	for path, f := range front {
		if requests[[2]uint32{f.frame, back[path].frame}] < 90 {
			t.Errorf("%s: frame %d goes on as frame %d, which corr doesn't say", path, f.frame, back[path].frame)
		}
		if relations[[2]int{f.tcp, back[path].tcp}] != "multiplexed" {
			t.Errorf("%s: tcp.stream %d is carried by %d, which corr says is %q", path, f.tcp, back[path].tcp, relations[[2]int{f.tcp, back[path].tcp}])
		}
	}
	paths := map[[2]uint32]string{}
	for path, f := range front {
		paths[[2]uint32{0, f.frame}] += path + " "
		paths[[2]uint32{1, back[path].frame}] = path
	}
	for p := range requests {
		f, b := paths[[2]uint32{0, p[0]}], paths[[2]uint32{1, p[1]}]
		if f != "" && b != "" && !slices.Contains(strings.Fields(f), b) {
			t.Errorf("frame %d (%s) is said to go on as frame %d (%s)", p[0], f, p[1], b)
		}
	}
	if len(doc.Summary.Notes) > 0 {
		t.Errorf("notes: %q", doc.Summary.Notes)
	}
	boxes := 0
	for _, s := range doc.Segments {
		for _, x := range s.Middleboxes {
			boxes++
			if x.Kind != "terminating-proxy" {
				t.Errorf("a %s", x.Kind)
			}
		}
	}
	if boxes != 1 {
		t.Errorf("%d middleboxes", boxes)
	}
}

// Without keys nobody can tell which of several requests at once is which; what is said is right all the same, and the
// conversations are related.
func TestMultiplexedWithoutKeys(t *testing.T) {
	front, back := asked(t)
	carried, goesOn := map[[2]int]bool{}, map[[2]uint32]bool{}
	frames := [2]map[uint32]bool{{}, {}}
	for path, f := range front {
		carried[[2]int{f.tcp, back[path].tcp}] = true
		goesOn[[2]uint32{f.frame, back[path].frame}] = true
		frames[0][f.frame], frames[1][back[path].frame] = true, true
	}
	_, requests, relations := told(t, Options{})
	right := 0
	for p, conf := range requests {
		switch {
		case !frames[0][p[0]] || !frames[1][p[1]]:
		case goesOn[p]:
			right++
		default:
			t.Errorf("frame %d is said to go on as frame %d, confidence %d", p[0], p[1], conf)
		}
	}
	if right < 10 { // requests that come one after another
		t.Errorf("%d requests found", right)
	}
	found, post := 0, postStream(t)
	for p := range relations {
		if carried[p] {
			found++
		} else if p[0] != post {
			t.Errorf("tcp.stream %d is said to be carried by %d", p[0], p[1])
		}
	}
	if found*2 < len(carried) {
		t.Errorf("%d of %d pairs of conversations found", found, len(carried))
	}
}

// In Wireshark a request's frame names the conversations that carry it on.
func TestMultiplexedPeerStream(t *testing.T) {
	dir := t.TempDir()
	out, capture := filepath.Join(dir, "out"), filepath.Join(dir, "client.pcap.gz")
	whole, err := os.ReadFile(multiplexed + "client.pcap.gz")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(capture, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Correlate(context.Background(), Options{Out: out, Keylogs: []string{multiplexed + "keys"}, Inputs: []Input{{Path: capture}, {Path: multiplexed + "server.pcap.gz"}}}); err != nil {
		t.Fatal(err)
	}
	stream := map[string]string{}
	for _, r := range opened(t, "server.pcap.gz", "tcp", "frame.number", "tcp.stream") {
		stream[r[0]] = r[1]
	}
	text := userTshark(t, dir)("-r", capture, "-X", "lua_script:"+filepath.Join(out, "corr.lua"), "-Y", "corr.message.peer", "-T", "fields", "-e", "frame.number", "-e", "corr.message.peer", "-e", "corr.peer_stream")
	n, several := 0, 0
	for line := range strings.Lines(text) {
		w := strings.Split(strings.TrimRight(line, "\n"), "\t")
		var want []string
		for f := range strings.SplitSeq(w[1], ",") {
			if s := stream[f]; !slices.Contains(want, s) {
				want = append(want, s)
			}
		}
		if got := strings.Split(w[2], ","); !slices.Equal(got, want) {
			t.Errorf("frame %s goes on in frames %s, streams %v; corr.peer_stream is %v", w[0], w[1], want, got)
		}
		n++
		if len(want) > 1 {
			several++
		}
	}
	if n < 100 || several == 0 {
		t.Errorf("%d frames, %d of them of several streams", n, several)
	}
}

// postStream is the conversation in front that asked with POST, which asked leaves out.
func postStream(t *testing.T) int {
	t.Helper()
	for _, r := range opened(t, "client.pcap.gz", `http2.headers.method == "POST"`, "tcp.stream") {
		n, _ := strconv.Atoi(r[0])
		return n
	}
	t.Fatal("no POST")
	return -1
}

// What is read inside of TLS reaches no output.
func TestMultiplexedLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	out, half := filepath.Join(dir, "out"), filepath.Join(dir, "half.pcap")
	if b, err := exec.Command("editcap", "-F", "pcap", "-r", multiplexed+"client.pcap.gz", half, "1-300").CombinedOutput(); err != nil {
		t.Fatalf("editcap: %v\n%s", err, b)
	}
	if _, err := Correlate(context.Background(), Options{Out: out, Keylogs: []string{multiplexed + "keys"}, Inputs: []Input{{Path: multiplexed + "client.pcap.gz"}, {Path: half}}}); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(out, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		for _, s := range []string{"/12/", "GET /", "user-agent", "curl/"} {
			if bytes.Contains(bytes.ToLower(text), []byte(strings.ToLower(s))) {
				t.Errorf("%s holds %q", d.Name(), s)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
