package field

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "renew docs/fields.md")

// contract lists the fields that users' filters and scripts rely on, with their types. It is a promise, not a copy of
// the table: a line may be added, none changed.
var contract = map[string]string{
	"corr.point": "string", "corr.flow": "uint32", "corr.path": "string", "corr.peer_frame": "uint32 repeats",
	"corr.peer_point": "string repeats", "corr.peer_stream": "uint32 repeats", "corr.match": "string", "corr.fate": "string",
	"corr.fate.where": "string", "corr.origin": "string", "corr.delay": "relative_time", "corr.delay.error": "relative_time",
	"corr.time": "absolute_time", "corr.hops": "uint8", "corr.hops.peer": "uint8", "corr.ttl.initial": "uint8",
	"corr.middlebox": "string", "corr.middlebox.kind": "string repeats", "corr.changed": "string repeats",
	"corr.changed.text": "string repeats", "corr.message": "string", "corr.message.peer": "uint32 repeats",
	"corr.rtt": "relative_time", "corr.rtt.client": "relative_time", "corr.rtt.server": "relative_time",
	"corr.finding": "string repeats", "corr.finding.id": "string repeats", "corr.finding.severity": "string repeats",
	"corr.log": "string repeats", "corr.log.action": "string repeats", "corr.confidence": "uint8",
}

func TestContract(t *testing.T) {
	for name, want := range contract {
		found := false
		for _, f := range All {
			if f.Name != name {
				continue
			}
			found = true
			got := string(f.Type)
			if f.Repeats {
				got += " repeats"
			}
			if got != want {
				t.Errorf("%s is %s, promised is %s", name, got, want)
			}
		}
		if !found {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestTable(t *testing.T) {
	name := regexp.MustCompile(`^corr(\.[a-z][a-z_]*)+$`)
	seen := map[string]bool{}
	titles := map[string]bool{}
	for _, f := range All {
		if seen[f.Name] || titles[f.Title] {
			t.Errorf("%s: name or title %q used twice", f.Name, f.Title)
		}
		seen[f.Name], titles[f.Title] = true, true
		if !name.MatchString(f.Name) {
			t.Errorf("%s: not a field name", f.Name)
		}
		for what, s := range map[string]string{"title": f.Title, "text": f.Text, "source": f.Source, "example": f.Example} {
			if s == "" || strings.HasSuffix(s, ".") || strings.ContainsAny(s, "|\n\t\"\\") {
				t.Errorf("%s: %s %q is empty or would not print", f.Name, what, s)
			}
		}
		if f.Type == RelativeTime && f.Unit != "s" {
			t.Errorf("%s: a duration without its unit", f.Name)
		}
		if !Known(f.Name) {
			t.Errorf("%s is not known", f.Name)
		}
	}
	if Known("corr.nothing") {
		t.Error("corr.nothing is known")
	}
	if len(Names()) != len(All) {
		t.Error("Names leaves some out")
	}
}

func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	const path = "../../docs/fields.md"
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(b.Bytes(), want) {
		t.Errorf("docs/fields.md differs from the table (%v); go test ./backend/field -update", err)
	}
}

func TestText(t *testing.T) {
	var long, short bytes.Buffer
	if err := WriteText(&long, 80); err != nil {
		t.Fatal(err)
	}
	if err := WriteShort(&short); err != nil {
		t.Fatal(err)
	}
	for _, f := range All {
		if !strings.Contains(long.String(), f.Name) || !strings.Contains(short.String(), f.Name) {
			t.Errorf("%s is not printed", f.Name)
		}
	}
	for _, l := range strings.Split(long.String(), "\n") {
		if strings.HasPrefix(l, "    ") && !strings.HasPrefix(l, "    from:") && !strings.HasPrefix(l, "    example:") && len(l) > 80 {
			t.Errorf("line of %d columns: %s", len(l), l)
		}
	}
}
