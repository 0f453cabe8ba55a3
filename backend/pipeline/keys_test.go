package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// With a key log the requests are read; neither a key nor a byte of what was opened reaches any output.
func TestKeysLeaveNoTrace(t *testing.T) {
	from := "../../testdata/tls-offload"
	b, err := os.ReadFile(filepath.Join(from, "truth.json"))
	if err != nil {
		t.Fatal(err)
	}
	var truth struct {
		Keys []string `json:"tls_keys"`
	}
	if err := json.Unmarshal(b, &truth); err != nil || len(truth.Keys) == 0 {
		t.Fatalf("%d keys, %v", len(truth.Keys), err)
	}
	dir := t.TempDir()
	log := filepath.Join(dir, "keys.log")
	if err := os.WriteFile(log, []byte(strings.Join(truth.Keys, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	doc, err := Correlate(context.Background(), Options{Out: out, Keylogs: []string{log}, Inputs: []Input{{Path: filepath.Join(from, "a.pcap")}, {Path: filepath.Join(from, "b.pcapng")}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Summary.Notes) > 0 {
		t.Errorf("the keys fit, yet: %q", doc.Summary.Notes)
	}
	var secrets [][]byte
	for _, k := range truth.Keys {
		secrets = append(secrets, []byte(strings.Fields(k)[2]))
	}
	secrets = append(secrets, []byte("user-agent: curl"))
	text := unpacked(t, filepath.Join(from, "a.pcap"), log)
	if bytes.Equal(text, unpacked(t, filepath.Join(from, "a.pcap"))) {
		t.Error("the keys opened nothing of the index")
	}
	for _, s := range append(secrets, []byte("curl/"), []byte("HTTP/1.1"), []byte("/refused")) {
		if bytes.Contains(text, s) {
			t.Errorf("the index holds %q", s)
		}
	}
	err = filepath.WalkDir(out, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		text = bytes.ToLower(text)
		for _, s := range secrets {
			if bytes.Contains(text, bytes.ToLower(s)) {
				t.Errorf("%s holds %q", p, s)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// unpacked is an index of a capture before compression.
func unpacked(t *testing.T, capture string, keylogs ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, []byte("sixteen bytes or more"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _, err := Index(context.Background(), IndexOptions{Path: capture, Out: filepath.Join(dir, "x.corridx"), Key: key, Keylogs: keylogs})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zstd.NewReader(bytes.NewReader(b[24:]))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestKeysThatDoNotFit(t *testing.T) {
	dir := t.TempDir()
	log, empty := filepath.Join(dir, "keys.log"), filepath.Join(dir, "empty.log")
	line := "CLIENT_RANDOM " + strings.Repeat("ab", 32) + " " + strings.Repeat("cd", 48) + "\n"
	for p, text := range map[string]string{log: line, empty: "# nothing\n"} {
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := []Input{{Path: "../../testdata/tls-offload/a.pcap"}, {Path: "../../testdata/tls-offload/b.pcapng"}}
	doc, err := Correlate(context.Background(), Options{Out: filepath.Join(dir, "out"), Keylogs: []string{log}, Inputs: in})
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Summary.Notes) != 1 || !strings.Contains(doc.Summary.Notes[0], "fit no conversation") {
		t.Errorf("%q", doc.Summary.Notes)
	}
	if _, err := Correlate(context.Background(), Options{Out: filepath.Join(dir, "out2"), Keylogs: []string{empty}, Inputs: in}); err == nil || !strings.Contains(err.Error(), "holds no TLS secret") {
		t.Errorf("an empty key log: %v", err)
	}
}
