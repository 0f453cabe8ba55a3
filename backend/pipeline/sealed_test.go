package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/capture/capturetest"
)

// Of a capture whose packets are inside of a tunnel that encrypts them the error says so: nothing else that the user could do helps.
func TestSealedTunnels(t *testing.T) {
	udp := func(port uint16) []byte {
		return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, 40000), port), 208<<16)
	}
	for _, x := range []struct {
		name   string
		proto  byte
		head   []byte
		want   string
		absent bool
	}{
		{"ESP", 50, []byte{0, 0, 18, 52}, "inside of IPsec", false},
		{"ESP in UDP", 17, udp(4500), "inside of IPsec", false},
		{"WireGuard", 17, udp(51820), "inside of WireGuard", false},
		{"another port", 17, udp(5000), "inside of", true},
	} {
		path := filepath.Join(t.TempDir(), "tunnel.pcap")
		recorded(t, path, func(w *capturetest.Writer) {
			random := rand.New(rand.NewPCG(1, 2))
			for i := range 100 {
				b := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 0, 0, 1, 0, 0, 64, x.proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, x.head...)
				for len(b) < 34+208 {
					b = append(b, byte(random.Uint32()))
				}
				binary.BigEndian.PutUint16(b[16:], uint16(len(b)-14))
				w.Frame(capturetest.Frame{Time: capture.LocalTime(1e18) + capture.LocalTime(i)*1e7, Data: b})
			}
		})
		_, err := Correlate(context.Background(), Options{Out: filepath.Join(t.TempDir(), "out"), Inputs: []Input{{Path: "../../testdata/snat-basic/a.pcap"}, {Path: path}}})
		var e *Error
		if !errors.As(err, &e) || e.Code != 3 || strings.Contains(e.Msg, x.want) == x.absent {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}
