package exchange

import (
	"bufio"
	"bytes"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
)

// random fills v, whatever it is, with what it can hold.
func random(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for k := range v.NumField() {
			random(r, v.Field(k))
		}
	case reflect.Slice:
		if n := r.IntN(4); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		for k := range v.Len() {
			random(r, v.Index(k))
		}
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.String:
		v.SetString(string(make([]byte, r.IntN(3))) + "x")
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> r.IntN(64))
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> r.IntN(64) & (1<<v.Type().Bits() - 1))
	default:
		panic(v.Kind().String())
	}
}

// TestTape: whatever an exchange holds, all of it comes back.
func TestTape(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var es, back []Exchange
		w := &tape{place: 7}
		for range 1 + r.IntN(3) {
			var e Exchange
			random(r, reflect.ValueOf(&e).Elem())
			e.Conv = match.Conv{} // where it lies tells that
			es = append(es, e)
			w.exchange(&e)
		}
		for x := (&tape{b: w.b, reading: true, place: 7}); len(x.b) > 0; {
			var e Exchange
			if x.exchange(&e); x.bad {
				t.Fatalf("%+v: refused", es)
			}
			back = append(back, e)
		}
		if !reflect.DeepEqual(es, back) {
			t.Fatalf("wrote %+v\n read %+v", es, back)
		}
	}
}

func build(t testing.TB, path string) *flow.Capture {
	t.Helper()
	r, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, err := flow.Build(t.Context(), r, flow.Options{PayloadBudget: flow.DefaultPayloadBudget})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var testKey = flow.NewKey([]byte("of a test"))

func all(flow.ConvID) bool { return true }

// TestSealed: what a sealed capture's exchanges say is what the capture's do, keyed; read from what was written, and for the
// conversations asked for.
func TestSealed(t *testing.T) {
	paths, err := filepath.Glob("../../testdata/*/*.pcap*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	n := 0
	for _, path := range paths {
		c := build(t, path)
		var b bytes.Buffer
		if err := Seal(c, testKey, nil).Write(&b); err != nil {
			t.Fatal(err)
		}
		s, err := ReadSealed(bufio.NewReader(bytes.NewReader(b.Bytes())), c)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		odd := func(id flow.ConvID) bool { return id%2 == 1 }
		for _, want := range []func(flow.ConvID) bool{all, odd} {
			open := gather(c, 3, nil, want)
			for _, e := range open {
				e.seal(testKey)
			}
			if got := s.wanted(c, 3, want); !reflect.DeepEqual(got, open) {
				t.Errorf("%s: exchanges are others when read from an index", path)
			}
			n += len(open)
		}
		for cut := range b.Len() {
			if _, err := ReadSealed(bufio.NewReader(bytes.NewReader(b.Bytes()[:cut])), c); err == nil {
				t.Fatalf("%s: taken when cut at %d", path, cut)
			}
			if cut > 300 {
				break
			}
		}
		if _, err := ReadSealed(bufio.NewReader(bytes.NewReader(append(b.Bytes(), 0))), c); !errors.Is(err, flow.ErrIndex) {
			t.Errorf("%s: with a byte behind its end: %v", path, err)
		}
	}
	if n == 0 {
		t.Error("there are no exchanges")
	}
}

// FuzzSealed: whatever an index says of exchanges, it is refused, or they are of their conversation's packets and are
// written again as they were read.
func FuzzSealed(f *testing.F) {
	c := build(f, "../../testdata/tls-offload/a.pcap")
	var b bytes.Buffer
	if err := Seal(c, testKey, nil).Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, in []byte) {
		s, err := ReadSealed(bufio.NewReader(bytes.NewReader(in)), c)
		if err != nil {
			return
		}
		es := s.wanted(c, 0, all)
		w := map[flow.ConvID]*tape{}
		for _, e := range es {
			if !e.fits(c) {
				t.Fatalf("%+v: taken", e)
			}
			if w[e.Conv.ID] == nil {
				w[e.Conv.ID] = newTape(c, e.Conv.ID)
			}
			w[e.Conv.ID].exchange(e)
		}
		again := &Sealed{}
		for _, x := range s.talks {
			again.add(x.id, w[x.id].b)
		}
		if !reflect.DeepEqual(again.wanted(c, 0, all), es) {
			t.Fatal("other exchanges once written again")
		}
	})
}
