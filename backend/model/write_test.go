package model

import (
	"bytes"
	"encoding/json"
	"testing"
)

// Write gives the bytes of encoding/json: with lists of several, of one and of none, absent ones, and text that is escaped.
func TestWrite(t *testing.T) {
	offset, at := 1.5, int64(7)
	for name, d := range map[string]*Document{
		"nothing": {},
		"empty lists": {Version: 1, Captures: []Capture{}, Segments: []Segment{}, Flows: []Flow{}, Relations: []Relation{}, Requests: []Request{}, Findings: []Finding{},
			Logs: []Log{}},
		"some": {Version: 1, Captures: []Capture{{Name: "client <&>", Clock: Clock{OffsetS: &offset, Steps: []ClockStep{{AtNS: 1}, {AtNS: 2}}}}, {Name: "server\n", FirstNS: &at, Fates: map[string]int64{"lost": 1, "local": 2}}},
			Flows: []Flow{{Detail: `"quoted" \ [ { , : } ] <\u2028>` + "\n\u2028", App: "\\", Findings: []string{"", "\"", "]"}}}, Requests: []Request{{}, {}, {}}},
	} {
		t.Run(name, func(t *testing.T) {
			var want, got bytes.Buffer
			e := json.NewEncoder(&want)
			e.SetIndent("", " ")
			if err := e.Encode(d); err != nil {
				t.Fatal(err)
			}
			if err := d.Write(&got); err != nil {
				t.Fatal(err)
			}
			if got.String() != want.String() {
				t.Errorf("got\n%s\nwant\n%s", got.String(), want.String())
			}
		})
	}
}
