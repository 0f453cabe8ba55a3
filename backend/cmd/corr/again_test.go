package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/model"
)

// Why a segment was sent again: it was lost, or its acknowledgement was, or neither.
func TestSentAgainWhy(t *testing.T) {
	for _, x := range []struct {
		name              string
		dataLost, ackLost bool
		want              model.Again
	}{
		{"lost", true, false, model.Again{Dir: "f", Segments: 1, Lost: []model.AgainLost{{A: "a", B: "b", Count: 1}}}},
		{"its acknowledgement lost", false, true, model.Again{Dir: "f", Segments: 1, AckLost: 1}},
		{"impatient", false, false, model.Again{Dir: "f", Segments: 1, Needless: 1}},
	} {
		talk := func(p *point) {
			say := func(client bool, seq, ack uint32, flags byte, bytes string, lostOn byte) {
				if p.hops == lostOn {
					p.now, p.id = p.now+10_000_000, p.id+1
					return
				}
				if client {
					p.put(false, 6, segment(40000, 7000, seq, ack, flags, bytes))
				} else {
					p.put(true, 6, segment(7000, 40000, seq, ack, flags, bytes))
				}
			}
			on := func(lost bool, hops byte) byte { return map[bool]byte{true: hops}[lost] }
			data := strings.Repeat("some bytes of a conversation ", 20)
			say(true, 1000, 0, 0x02, "", 0)
			say(false, 5000, 1001, 0x12, "", 0)
			say(true, 1001, 5001, 0x10, "", 0)
			say(true, 1001, 5001, 0x18, data, on(x.dataLost, 3))
			if !x.dataLost {
				say(false, 5001, 1001+uint32(len(data)), 0x10, "", on(x.ackLost, 1))
			}
			say(true, 1001, 5001, 0x18, data, 0)
			say(false, 5001, 1001+uint32(len(data)), 0x10, "", 0)
			say(true, 1001+uint32(len(data)), 5001, 0x11, "", 0)
			say(false, 5001, 1002+uint32(len(data)), 0x11, "", 0)
			say(true, 1002+uint32(len(data)), 5002, 0x10, "", 0)
		}
		doc := recorded(t, talk)
		got := doc.Flows[0].Again
		if len(got) != 1 || got[0].Segments != x.want.Segments || !slices.Equal(got[0].Lost, x.want.Lost) || got[0].AckLost != x.want.AckLost || got[0].Needless != x.want.Needless || got[0].Unknown != 0 {
			t.Errorf("%s: %+v, want %+v", x.name, got, x.want)
		}
	}
}
