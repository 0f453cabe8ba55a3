package match

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
	"github.com/corr-dev/corr/backend/flow"
)

// A glance looks at few packets of a flow that both captures hold, and at as many as a probe does where one holds but its middle.
func TestGlance(t *testing.T) {
	const packets, proto = 600, flow.ProtoUDP
	side := func(from, to int) *Side {
		var file bytes.Buffer
		w := capturetest.NewWriter(&file, capturetest.Options{Interface: capturetest.Interface{Link: capture.LinkRaw}})
		for i := from; i < to; i++ {
			b := make([]byte, 28+16)
			copy(b, []byte{0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x80, 0, 0x90, 0, 0, 24})
			binary.BigEndian.PutUint16(b[4:], uint16(i+1))
			binary.BigEndian.PutUint64(b[28:], uint64(i)*0x9E3779B97F4A7C15)
			w.Frame(capturetest.Frame{Time: capture.LocalTime(1e18) + capture.LocalTime(i)*1_000_000, Data: b})
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		r, err := capture.OpenReader("test", &file)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		c, err := flow.Build(context.Background(), r, flow.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return &Side{Cap: c, Convs: []flow.ConvID{0}, Forward: []int{0}}
	}
	for _, tt := range []struct {
		name     string
		from, to int
		samples  int
		want     int
	}{
		{"whole", 0, packets, 2, 2 * probeLeast},
		{"whole, of few flows", 0, packets, samplesMost, 2 * probeLimit},
		{"middle", 200, 400, 2, 2 * (probeLimit - 200)}, // what of it a probe sees at the other point
		{"short", 0, probeLeast, 2, probeLeast},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := side(0, packets), side(tt.from, tt.to)
			if tt.name == "short" {
				a = side(tt.from, tt.to)
			}
			var m matcher
			var j Joint
			pairs, ok := m.glance(a, b, proto, &j, tt.samples)
			if !ok || len(pairs) != tt.want || m.limit != 0 {
				t.Errorf("%d pairs, want %d; the next probe's limit is %d", len(pairs), tt.want, m.limit)
			}
			for _, p := range pairs {
				if a.Cap.At(p.A).IPID != b.Cap.At(p.B).IPID {
					t.Fatalf("%d is taken for %d", a.Cap.At(p.A).IPID, b.Cap.At(p.B).IPID)
				}
			}
		})
	}
}
