package report

import (
	"testing"

	"github.com/corr-dev/corr/backend/model"
)

// An arrow ends behind the last point that saw a lost packet, and begins in front of the first one that saw a made-up one.
func TestArrowOf(t *testing.T) {
	l := &lanes{names: []string{"a", "b", "box", "c", "d"}, device: []bool{false, false, true, false, false},
		x: map[string]float64{"a": 0, "b": 1, "b > c": 2, "c": 3, "d": 4}}
	for _, c := range []struct {
		name, dir, fate, where string
		seen                   []string
		want                   arrow
	}{
		{"all the way", "f", "delivered", "", []string{"a", "b", "c", "d"}, arrow{from: 0, to: 4, ok: true}},
		{"and back", "r", "delivered", "", []string{"d", "c", "b", "a"}, arrow{from: 4, to: 0, ok: true}},
		{"lost in front of the next point", "f", "lost", "a > b", []string{"a"}, arrow{from: 0, to: 0.5, cross: true, ok: true}},
		{"lost at the device", "f", "consumed", "b > c", []string{"a", "b"}, arrow{from: 0, to: 2, cross: true, ok: true}},
		{"lost on the last stretch", "f", "lost", "c > d", []string{"a", "b", "c"}, arrow{from: 0, to: 3.5, cross: true, ok: true}},
		{"lost on the way back", "r", "lost", "b > a", []string{"d", "c", "b"}, arrow{from: 4, to: 0.5, cross: true, ok: true}},
		{"made by the device", "f", "injected", "b > c", []string{"c", "d"}, arrow{from: 2, to: 4, ok: true}},
		{"made on the last stretch", "r", "injected", "d > c", []string{"c", "b", "a"}, arrow{from: 3.5, to: 0, ok: true}},
		{"at a point alone", "f", "unknown", "", []string{"b"}, arrow{from: 1, to: 1, ok: true}},
	} {
		e := &model.Event{Dir: c.dir, Fate: c.fate, Where: c.where}
		for _, s := range c.seen {
			e.Seen = append(e.Seen, model.Seen{Capture: s})
		}
		if got := arrowOf(l, e); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
