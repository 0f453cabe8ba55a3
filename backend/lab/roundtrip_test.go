package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const testdata = "../../testdata"

// recordedCases names the recorded cases.
func recordedCases(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testdata, "*", "truth.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no cases in testdata", err)
	}
	var names []string
	for _, f := range files {
		names = append(names, filepath.Base(filepath.Dir(f)))
	}
	return names
}

func load(t testing.TB, name string) *Case {
	t.Helper()
	c, err := Load(filepath.Join(testdata, name))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func decoded(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRoundTrip: a recorded case that is only read and written says the same.
func TestRoundTrip(t *testing.T) {
	for _, name := range recordedCases(t) {
		t.Run(name, func(t *testing.T) {
			c := load(t, name)
			b, err := c.Truth()
			if err != nil {
				t.Fatal(err)
			}
			got := decoded(t, b)
			want, err := os.ReadFile(filepath.Join(testdata, name, "truth.json"))
			if err != nil {
				t.Fatal(err)
			}
			same(t, name, "", got, decoded(t, want))
		})
	}
}

// inexact are parts that follow from times cut to the file's resolution, or that are counted in another way.
var inexact = map[string]bool{"first_true_ns": true, "last_true_ns": true, "transit_us": true, "frames_forward": true,
	"frames_reverse": true, "counts": true, "changed_fields": true, "payload_bytes_fwd": true, "payload_bytes_rev": true}

func same(t *testing.T, name, path string, got, want any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for k, v := range w {
			if inexact[k] {
				continue
			}
			if _, ok := g[k]; !ok {
				t.Errorf("%s%s.%s is missing", name, path, k)
				continue
			}
			same(t, name, path+"."+k, g[k], v)
		}
		for k := range g {
			if _, ok := w[k]; !ok {
				t.Errorf("%s%s.%s is new", name, path, k)
			}
		}
	case []any:
		g, _ := got.([]any)
		if len(g) != len(w) {
			t.Errorf("%s%s: %d entries, want %d", name, path, len(g), len(w))
			return
		}
		if strings.HasSuffix(path, ".dups") {
			byFirst(g)
			byFirst(w)
		}
		for i := range w {
			same(t, name, path+"["+strconv.Itoa(i)+"]", g[i], w[i])
		}
	default:
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s%s: got %v, want %v", name, path, got, want)
		}
	}
}

func byFirst(l []any) {
	slices.SortFunc(l, func(x, y any) int { return int(x.([]any)[0].(float64) - y.([]any)[0].(float64)) })
}
