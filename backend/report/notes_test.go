package report

import (
	"slices"
	"testing"

	"github.com/corr-dev/corr/backend/model"
)

// What several captures say of as many or of more frames is said once.
func TestCaptureNotes(t *testing.T) {
	captures := func(notes ...[]string) (out []*model.Capture) {
		for k, l := range notes {
			out = append(out, &model.Capture{Name: string(rune('a' + k)), Notes: l})
		}
		return out
	}
	for _, c := range []struct {
		caps []*model.Capture
		want []string
	}{
		{captures(nil, nil), nil},
		{captures([]string{"1 frame cut"}, nil), []string{"a: 1 frame cut"}},
		{captures([]string{"1 frame cut"}, []string{"7 frames cut", "checksums wrong"}), []string{"a, b: 1 to 7 frames cut", "b: checksums wrong"}},
		{captures([]string{"7 frames cut"}, nil, []string{"7 frames cut", "7 frames late"}), []string{"a, c: 7 frames cut", "c: 7 frames late"}},
		{captures([]string{"9 frames cut", "x"}, []string{"5 frames cut", "x"}, []string{"8 frames cut", "x"}, []string{"8 frames cut"}), []string{"all points: 5 to 9 frames cut", "a, b, c: x"}},
		{captures([]string{"what frame it is", "0 frames cut", " frame"}), []string{"a: what frame it is", "a: 0 frames cut", "a:  frame"}},
	} {
		if got := captureNotes(c.caps); !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
