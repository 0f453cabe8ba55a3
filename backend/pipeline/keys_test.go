package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	err = filepath.WalkDir(out, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		for _, s := range secrets {
			if bytes.Contains(bytes.ToLower(text), bytes.ToLower(s)) {
				t.Errorf("%s holds %q", p, s)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
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
