package lab

import (
	"strings"
	"testing"
)

func TestGrade(t *testing.T) {
	c := load(t, "four-points")
	var oracle strings.Builder
	if err := c.Oracle(&oracle); err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(strings.SplitAfterN(oracle.String(), "\n", 2)[1], "\n")
	for _, k := range []struct {
		name, tsv                string
		correct, wrong, required int // of the first pair
		bad                      int
	}{
		{"nothing", "#capture\tframe\n", 0, 0, 188, 0},
		{"one", first + "\tidentical\t100\t5\n", 1, 0, 188, 0},
		{"turned", turned(first) + "\n", 1, 0, 188, 0},
		{"by path", strings.Replace(first, "a.pcap", "/tmp/x/a.pcap", 1) + "\n", 1, 0, 188, 0},
		{"wrong", "a.pcap\t1\tb.pcapng\t100\n", 0, 1, 188, 0},
		{"strange file", "a.pcap\t1\tz.pcap\t1\n", 0, 0, 188, 1},
		{"all", oracle.String(), 188, 0, 188, 0},
	} {
		s, err := Grade(c, strings.NewReader(k.tsv))
		if err != nil {
			t.Fatal(err)
		}
		p := s.Pairs[0]
		if p.Correct != k.correct || p.Wrong != k.wrong || p.Required != k.required || s.BadLines != k.bad {
			t.Errorf("%s: %+v, %d bad lines", k.name, p, s.BadLines)
		}
		if want := k.name == "all"; s.Perfect() != want {
			t.Errorf("%s: perfect %v, want %v\n%s", k.name, s.Perfect(), want, s)
		}
	}
}

func turned(line string) string {
	w := strings.Split(line, "\t")
	return strings.Join([]string{w[2], w[3], w[0], w[1]}, "\t")
}

// TestGradeStrangers: captures that have nothing in common admit no claim.
func TestGradeStrangers(t *testing.T) {
	c := derive(t, "routers-3-8", "mix=../../testdata/snat-basic/b", 1)
	s, err := Grade(c, strings.NewReader("a.pcap\t1\tsnat-basic-b.pcapng\t1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if last := s.Pairs[len(s.Pairs)-1]; s.Perfect() || len(s.Pairs) != 2 && last.Wrong != 1 {
		t.Errorf("%s", s)
	}
}
