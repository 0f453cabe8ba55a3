package pipeline

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/anonymise"
	"github.com/corr-dev/corr/backend/model"
)

// No original address, name or log line of any recorded case is in what may be shared.
func TestAnonymise(t *testing.T) {
	cases, err := filepath.Glob("../../testdata/*/truth.json")
	if err != nil || len(cases) == 0 {
		t.Fatal("no cases", err)
	}
	if testing.Short() {
		cases = cases[:4]
	}
	key := anonymise.Key("test")
	for _, truth := range cases {
		dir := filepath.Dir(truth)
		name := filepath.Base(dir)
		captures, _ := filepath.Glob(dir + "/*.pcap*")
		logs, _ := filepath.Glob(dir + "/*.log")
		out := filepath.Join(t.TempDir(), "out")
		o := Options{Out: out, Logs: logs}
		for _, c := range captures {
			o.Inputs = append(o.Inputs, Input{Path: c})
		}
		doc, err := Correlate(context.Background(), o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		secrets := secretsOf(doc)
		o.Anonymise = &key
		if _, err := Correlate(context.Background(), o); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, f := range []string{"correlation.json", "report.html"} {
			b, err := os.ReadFile(filepath.Join(out, f))
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range secrets {
				if bytes.Contains(b, []byte(s)) && regexp.MustCompile(`(^|[^0-9A-Za-z.:])`+regexp.QuoteMeta(s)+`($|[^0-9A-Za-z])`).Match(b) {
					t.Errorf("%s: %s holds %s", name, f, s)
				}
			}
		}
	}
}

// version is a protocol's, as in TLS 1.3 and http/1.1: nobody's name.
var version = regexp.MustCompile(`^(http/)?[0-9]\.[0-9]$`)

// secretsOf lists a document's addresses, the names in it that have a dot, and what logs say.
func secretsOf(doc *model.Document) []string {
	set := map[string]bool{}
	for _, f := range doc.Flows {
		for _, at := range f.At {
			if at != nil {
				set[at.Tuple[0].(string)], set[at.Tuple[2].(string)] = true, true
			}
		}
		for _, w := range strings.FieldsFunc(f.App, func(r rune) bool { return strings.ContainsRune(" (),:", r) }) {
			if strings.Contains(w, ".") && !version.MatchString(w) {
				set[w] = true
			}
		}
	}
	for _, l := range doc.Logs {
		set[l.Text] = true
		if l.Reason != "" {
			set[l.Reason] = true
		}
	}
	var out []string
	for s := range set {
		out = append(out, s)
	}
	return out
}
