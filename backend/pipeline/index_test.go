package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/annotate"
)

// Correlating indexes gives what correlating the captures gives, byte for byte but for what is said where, and so does one
// of each.
func TestIndexChangesNothing(t *testing.T) {
	cases, err := filepath.Glob("../../testdata/*/truth.json")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	if testing.Short() {
		cases = cases[:6]
	}
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("a secret of sixteen bytes at least"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, truth := range cases {
		name := filepath.Base(filepath.Dir(truth))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var x struct{ Captures []struct{ File string } }
			b, err := os.ReadFile(truth)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &x); err != nil {
				t.Fatal(err)
			}
			// All inputs lie under the same names in three folders: captures, indexes, and the first one's index beside captures.
			dir := t.TempDir()
			var plain, sealed, mixed []Input
			for i, c := range x.Captures {
				path := filepath.Join(filepath.Dir(truth), c.File)
				out := filepath.Join(dir, c.File+".corridx")
				if _, _, err := Index(context.Background(), IndexOptions{Path: path, Out: out, Key: key}); err != nil {
					t.Fatal(err)
				}
				plain, sealed = append(plain, Input{Path: path}), append(sealed, Input{Path: out})
				if mixed = append(mixed, Input{Path: path}); i == 0 {
					mixed[0].Path = out
				}
			}
			want := outcome(t, plain, key)
			for what, in := range map[string][]Input{"indexes": sealed, "an index and captures": mixed} {
				for file, got := range outcome(t, in, key) {
					if got != want[file] {
						t.Errorf("%s: %s differs: %s", what, file, difference(want[file], got))
					}
				}
			}
		})
	}
}

// outcome is what a job writes, without the paths of its inputs.
func outcome(t *testing.T, in []Input, key string) map[string]string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	if _, err := Correlate(context.Background(), Options{Inputs: in, Out: out, IndexKey: key}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(out, "correlation.json"))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	for _, c := range doc["captures"].([]any) {
		delete(c.(map[string]any), "file")
	}
	for _, f := range doc["findings"].([]any) {
		if x := f.(map[string]any); x["id"] == "payload-rewritten" {
			delete(x, "detail") // quotes the payload, which an index does not hold
		}
	}
	for _, f := range doc["flows"].([]any) {
		// Of long conversations the evidence is sampled by hashes, and another key samples other packets.
		delete(f.(map[string]any), "evidence")
	}
	b, err = json.MarshalIndent(doc, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	ann, err := annotate.Open(filepath.Join(out, "corr.ann"))
	if err != nil {
		t.Fatal(err)
	}
	defer ann.Close()
	var frames, matches, messages bytes.Buffer
	if err := errors.Join(annotate.WriteFrames(&frames, ann), annotate.WriteMatches(&matches, ann), annotate.WriteMessages(&messages, ann)); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"correlation.json": string(b), "frames": frames.String(), "matches": matches.String(), "messages": messages.String()}
}

// difference shows the first lines that differ.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return "\n" + strings.Join(a[max(0, i-3):min(i+4, len(a))], "\n") + "\n—— now ——\n" + strings.Join(b[max(0, i-3):min(i+4, len(b))], "\n")
		}
	}
	return "one is longer"
}
