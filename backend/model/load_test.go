package model

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"whole", `{"version":1,"captures":[{"name":"client"}]}`, nil},
		{"fields of a later program", `{"version":1,"weather":"fine"}`, nil},
		{"newer", `{"version":2}`, ErrVersion},
		{"no version", `{}`, ErrNotDocument},
		{"other JSON", `[1,2]`, ErrNotDocument},
		{"cut", `{"version":1,"captures":[`, ErrNotDocument},
		{"empty", ``, ErrNotDocument},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := Decode(strings.NewReader(c.in))
			if !errors.Is(err, c.want) || (err == nil) != (d != nil) {
				t.Errorf("got %v, %v; want %v", d, err, c.want)
			}
		})
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(dir, "old")
	if err := os.Mkdir(old, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(old, FileName), []byte(`{"version":99}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, dir, want string }{
		{"missing", filepath.Join(dir, "nowhere"), "no such directory; corr correlate"},
		{"a file", file, "not a directory"},
		{"another folder", dir, "holds no correlation.json"},
		{"another version", old, "document version 99, this one reads 1; run corr correlate again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(c.dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.dir) {
				t.Errorf("got %v, want %q with %q", err, c.want, c.dir)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"flows":[{"at":{"a":null,"b":{"tuple":["1.2.3.4",1,"::1",2]}}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Decode(strings.NewReader(string(b)))
		if (d == nil) == (err == nil) {
			t.Errorf("document %v, error %v", d, err)
		}
	})
}
