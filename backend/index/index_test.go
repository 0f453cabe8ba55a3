package index

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
)

func build(t testing.TB, path string) *flow.Capture {
	t.Helper()
	r, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, err := flow.Build(context.Background(), r, flow.Options{PayloadBudget: flow.DefaultPayloadBudget})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var key = flow.NewKey([]byte("of a test"))

// What is read is what was written.
func TestRoundTrip(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/*/*.pcap*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	if testing.Short() {
		paths = paths[:12]
	}
	for _, path := range paths {
		x := Seal(build(t, path), filepath.Base(path), key, nil)
		var b bytes.Buffer
		if err := Write(&b, x); err != nil {
			t.Fatal(err)
		}
		y, err := Read(bytes.NewReader(b.Bytes()), int64(b.Len()), nil)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		same(t, path, x, y)
	}
}

// said lists all that a capture tells of the packet in a place.
func said(c *flow.Capture, i uint32) []any {
	f := c.At(i)
	out := []any{c.Frame(i), c.FrameLen(i), c.ID(i), f.Dir(), f.Opt}
	for k, v := 0, reflect.ValueOf(*f); k < v.NumField(); k++ {
		if v.Type().Field(k).IsExported() {
			out = append(out, v.Field(k).Interface())
		}
	}
	return out
}

func same(t *testing.T, path string, x, y *Sealed) {
	t.Helper()
	a, b := x.Capture, y.Capture
	check := func(what string, x, y any) {
		if !reflect.DeepEqual(x, y) {
			t.Errorf("%s: %s: %+v, was %+v", path, what, y, x)
		}
	}
	check("key, file", []any{x.Key, x.File}, []any{y.Key, y.File})
	check("capture", []any{a.Format, a.LinkTy, a.Truncated, a.Filter, a.Dropped, a.First, a.Last, a.AnyCut, a.MinHead, a.Len(), a.FirstFrame(), a.LastFrame(), len(a.Oddities)},
		[]any{b.Format, b.LinkTy, b.Truncated, b.Filter, b.Dropped, b.First, b.Last, b.AnyCut, b.MinHead, b.Len(), b.FirstFrame(), b.LastFrame(), len(b.Oddities)})
	check("links", a.Links, b.Links)
	check("handshakes", slices.Concat(a.Handshakes), slices.Concat(b.Handshakes))
	check("ties", a.Ties(), b.Ties())
	for i := range uint32(a.Len()) {
		check("fact", said(a, i), said(b, i))
		p, ok := a.Payload(i)
		q, ok2 := b.Payload(i)
		if ok != ok2 || !bytes.Equal(p, q) {
			t.Errorf("%s: place %d has other fingerprints", path, i)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	for id := range a.Convs {
		id := flow.ConvID(id)
		check("conversation", a.Convs[id], b.Convs[id])
		check("tuples", [2]flow.Tuple{a.Tuple(id, 0), a.Tuple(id, 1)}, [2]flow.Tuple{b.Tuple(id, 0), b.Tuple(id, 1)})
		v, w := a.Conv(id), b.Conv(id)
		check("numbers", []any{v.Instance, v.Stream, v.StreamBack, v.Packets, v.First, v.HasPorts}, []any{w.Instance, w.Stream, w.StreamBack, w.Packets, w.First, w.HasPorts})
	}
	check("what was read of payload", *a.Sealed, withoutEmpty(b.Sealed, a.Sealed))
	check("exchanges", x.Exchanges, y.Exchanges)
}

// withoutEmpty has nil where want has it: an empty map is none.
func withoutEmpty(s, want *flow.Sealed) flow.Sealed {
	out := *s
	if len(s.Fronts) == 0 && want.Fronts == nil {
		out.Fronts = nil
	}
	return out
}

func TestRefused(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, Seal(build(t, "../../testdata/skype-story/a.pcap"), "a.pcap", key, nil)); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	for name, x := range map[string][]byte{"nothing": nil, "a capture": must(os.ReadFile("../../testdata/skype-story/a.pcap")), "cut": whole[:len(whole)/2],
		"cut short": whole[:len(whole)-1], "head only": whole[:headSize], "another version": append(append([]byte(magic), 9), whole[9:]...)} {
		if _, err := Read(bytes.NewReader(x), int64(len(x)), nil); err == nil {
			t.Errorf("%s: taken", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
