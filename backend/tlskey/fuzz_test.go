package tlskey

import (
	"strings"
	"testing"
)

// FuzzLog: any key log text is read line by line, and no secret or record makes an opener fail but by saying so.
func FuzzLog(f *testing.F) {
	random := strings.Repeat("ab", 32)
	f.Add([]byte("# made by a browser\nCLIENT_RANDOM "+random+" "+strings.Repeat("0c", 48)+"\n"), uint16(0xc02f), []byte("\x17\x03\x03\x00\x18........................"))
	f.Add([]byte("CLIENT_TRAFFIC_SECRET_0 "+random+" "+strings.Repeat("0c", 32)+"\nCLIENT_HANDSHAKE_TRAFFIC_SECRET "+random+" 0c\n"), uint16(0x1301), []byte("\x17\x03\x03\x00\x18........................"))
	f.Add([]byte("CLIENT_RANDOM zz 00\nCLIENT_RANDOM\n\n"), uint16(0x1303), []byte{})
	f.Fuzz(func(t *testing.T, text []byte, cipher uint16, record []byte) {
		l := NewLog()
		l.Add(text)
		if l.Empty() != (l.Lines == 0) {
			t.Fatalf("%d entries, empty %v", l.Lines, l.Empty())
		}
		for r := range l.by {
			for _, fromClient := range []bool{true, false} {
				o := NewOpener(l, []byte(r), []byte(r), cipher, fromClient)
				if o == nil {
					continue
				}
				if plain, _, ok := o.Open(record); ok && len(plain) >= len(record) {
					t.Fatalf("%d bytes of plaintext in a record of %d", len(plain), len(record))
				}
			}
			if d := NewDatagrams(l, []byte(r), uint32(cipher), true); d != nil {
				for id := range 21 {
					if plain, ok := d.Open(record, id); ok && len(plain) >= len(record) {
						t.Fatalf("%d bytes of frames in a packet of %d", len(plain), len(record))
					}
				}
			}
		}
	})
}
