package message

import "testing"

// FuzzFrames: what lies behind a valid tag may be hostile all the same; the keys are public.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x06\x00\x08\x01\x00\x00\x26\x03\x03ab"), []byte("\x02\x01\x00\x01\x00\x00\x00\x06\x40\x08\x02zz"))
	f.Add([]byte("\x06\xbf\xff\xff\xff\x01a"), []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		var h QUICHello
		h.frames(a)
		h.hello()
		h.frames(b)
		h.hello()
		if len(h.crypto) > maxHello || len(h.filled) != len(h.crypto) {
			t.Fatalf("%d bytes kept", len(h.crypto))
		}
	})
}
