package tlskey

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// quicLog is a log of one secret, whose ClientHello's random is 32 zeros.
func quicLog(label, secret string) (*Log, []byte) {
	l := NewLog()
	random := make([]byte, 32)
	l.Add([]byte(label + " " + hex.EncodeToString(random) + " " + secret + "\n"))
	return l, random
}

// RFC 9001 §A.5: a packet with a short header, no connection id, ChaCha20, that holds a PING. It must not open with a bit
// changed anywhere, nor by what the other end's secret is named.
func TestDatagramsOfRFC9001(t *testing.T) {
	const secret = "9ac312a7f877468ebe69422748ad00a15443f18203a07d6060f688f30f21632b"
	packet := unhex(t, "4cfe4189655e5cd55c41f69080575d7999c25a5bfb")
	l, random := quicLog("SERVER_TRAFFIC_SECRET_0", secret)
	open := func(p []byte) ([]byte, bool) {
		d := NewDatagrams(l, random, 1, false)
		if d == nil {
			t.Fatal("the secret is not taken")
		}
		d.largest = 654360563 // the number before this packet's, of which it says three bytes
		return d.Open(p, 0)
	}
	if frames, ok := open(packet); !ok || !bytes.Equal(frames, []byte{1}) {
		t.Errorf("%x, %v", frames, ok)
	}
	for i := range packet {
		bad := bytes.Clone(packet)
		bad[i] ^= 1 << (i % 8)
		if frames, ok := open(bad); ok && i > 0 {
			t.Errorf("with byte %d changed it opens: %x", i, frames)
		}
	}
	if NewDatagrams(l, random, 1, true) != nil {
		t.Error("the server's secret opens what the client sends")
	}
}

// Packet numbers are completed from what was seen (RFC 9000 §A.3 has the first of these).
func TestPacketNumbers(t *testing.T) {
	for _, x := range []struct {
		largest, truncated int64
		bytes              int
		want               int64
	}{
		{0xa82f30ea, 0x9b32, 2, 0xa82f9b32},
		{-1, 0, 1, 0},
		{-1, 5, 1, 5},
		{254, 0, 1, 256},
		{256, 0xff, 1, 255},
		{300, 0x10, 1, 0x110},
	} {
		d := &Datagrams{largest: x.largest}
		if got := d.number(x.truncated, x.bytes); got != x.want {
			t.Errorf("behind %d, %d in %d bytes is %d, not %d", x.largest, x.truncated, x.bytes, got, x.want)
		}
	}
}
