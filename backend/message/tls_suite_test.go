package message_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/corr-dev/corr/backend/message"
)

// TestSuiteNames compares the table with Wireshark's.
func TestSuiteNames(t *testing.T) {
	out, err := exec.Command("tshark", "-G", "values").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		v := strings.Split(strings.TrimSpace(line), "\t")
		if len(v) < 4 || v[1] != "tls.handshake.ciphersuite" || !strings.HasPrefix(v[3], "TLS_") {
			continue
		}
		seen++
		id, err := strconv.ParseUint(v[2], 0, 16)
		// A newer Wireshark may know more suites; names of those in the table may not differ.
		if got := message.SuiteName(uint16(id)); err != nil || got != v[3] && got != "" {
			t.Errorf("suite %s: got %q, tshark %q", v[2], got, v[3])
		}
	}
	if seen < 300 {
		t.Errorf("tshark lists %d suites", seen)
	}
}

func TestPlainBounds(t *testing.T) {
	for _, row := range []struct {
		name           string
		version, suite uint16
		record         int
		least, most    int
	}{
		{"1.3", 0x0304, 0x1301, 117, 100, 100},
		{"1.3 CCM_8", 0x0304, 0x1305, 109, 100, 100},
		{"1.2 GCM", 0x0303, 0xc02f, 124, 100, 100},
		{"1.2 CCM_8", 0x0303, 0xc0ae, 116, 100, 100},
		{"1.2 ChaCha20", 0x0303, 0xcca8, 116, 100, 100},
		{"1.2 CBC SHA: IV 16, MAC 20, padding 1 to 16", 0x0303, 0xc013, 160, 108, 123},
		{"1.0 CBC SHA: no IV", 0x0301, 0xc013, 144, 108, 123},
		{"1.2 CBC SHA384", 0x0303, 0xc028, 192, 112, 127},
		{"3DES: blocks of 8", 0x0303, 0x000a, 136, 100, 107},
		{"RC4", 0x0303, 0x0005, 120, 100, 100},
		{"unknown suite", 0x0303, 0xfff0, 120, 0, 120},
		{"shorter than the overhead", 0x0303, 0xc02f, 10, 0, 0},
		{"nothing", 0x0303, 0xc02f, 0, 0, 0},
	} {
		if least, most := message.PlainBounds(row.version, row.suite, row.record); least != row.least || most != row.most {
			t.Errorf("%s: got %d to %d, want %d to %d", row.name, least, most, row.least, row.most)
		}
	}
}

// TestPlainBoundsLive holds the bounds against records that a real implementation writes.
func TestPlainBoundsLive(t *testing.T) {
	for _, row := range []struct{ version, suite uint16 }{
		{tls.VersionTLS13, 0}, {tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		{tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384},
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256},
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA},
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256},
		{tls.VersionTLS11, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA},
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA},
		{tls.VersionTLS12, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA},
	} {
		sizes := []int{1, 2, 15, 16, 17, 31, 32, 100, 500, 1000}
		state, records := written(t, row.version, row.suite, sizes)
		if len(records) < len(sizes) {
			t.Fatalf("%04x: %d records for %d writes", row.suite, len(records), len(sizes))
		}
		records = records[len(records)-len(sizes):]
		for k, size := range sizes {
			least, most := message.PlainBounds(state.Version, state.CipherSuite, records[k])
			if size < least || size > most {
				t.Errorf("%s, %s: %d bytes in a record of %d: bounds %d to %d", message.VersionName(state.Version),
					message.SuiteName(state.CipherSuite), size, records[k], least, most)
			}
		}
	}
}

// written writes pieces through TLS and returns the lengths of the data records that carried them.
func written(t *testing.T, version, suite uint16, sizes []int) (tls.ConnectionState, []int) {
	t.Helper()
	config := &tls.Config{Certificates: certificates(t), InsecureSkipVerify: true, MinVersion: version, MaxVersion: version,
		SessionTicketsDisabled: true}
	if suite != 0 {
		config.CipherSuites = []uint16{suite}
	}
	a, b := net.Pipe()
	tap := &tap{Conn: a}
	server := tls.Server(b, config)
	go io.Copy(io.Discard, server)
	client := tls.Client(tap, config)
	if err := client.Handshake(); err != nil {
		t.Fatalf("%04x: %v", suite, err)
	}
	for _, size := range sizes {
		if _, err := client.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	state := client.ConnectionState()
	a.Close()
	b.Close()
	var lengths []int
	s := message.NewStream(true, 0)
	s.Write(0, tap.sent)
	for _, m := range s.Messages() {
		if m.Record == message.ContentApplicationData {
			lengths = append(lengths, int(m.Len-m.HeadLen))
		}
	}
	return state, lengths
}

// tap keeps what is written.
type tap struct {
	net.Conn
	sent []byte
}

func (t *tap) Write(b []byte) (int, error) {
	t.sent = append(t.sent, b...)
	return t.Conn.Write(b)
}

// certificates returns one with an RSA and one with an ECDSA key.
func certificates(t *testing.T) []tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "leaf.example"},
		DNSNames: []string{"a.example", "b.example"}, NotAfter: time.Unix(1<<34, 0)}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rsaDER, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.CreateCertificate(rand.Reader, template, template, &ec.PublicKey, ec)
	if err != nil {
		t.Fatal(err)
	}
	return []tls.Certificate{{Certificate: [][]byte{rsaDER}, PrivateKey: key}, {Certificate: [][]byte{ecDER}, PrivateKey: ec}}
}

// TestCertificate reads names of a certificate, whole and cut at every byte.
func TestCertificate(t *testing.T) {
	der := certificates(t)[1].Certificate[0]
	n := len(der)
	body := append([]byte{byte((n + 3) >> 16), byte((n + 3) >> 8), byte(n + 3), byte(n >> 16), byte(n >> 8), byte(n)}, der...)
	msg := append([]byte{11, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	record := binary.BigEndian.AppendUint16([]byte{22, 3, 3}, uint16(len(msg)))
	record = append(record, msg...)
	i := message.Name(6, 443, 40000, record, len(record))
	if c := i.TLS; c == nil || c.Subject != "leaf.example" || strings.Join(c.Names, " ") != "a.example b.example" ||
		c.Certificates != 1 || c.Chain != n+3 {
		t.Fatalf("got %+v", i.TLS)
	}
	for k := range record {
		if c := message.Name(6, 443, 40000, record[:k], len(record)).TLS; c != nil && c.Subject != "" && c.Subject != "leaf.example" {
			t.Errorf("cut at %d: subject %q", k, c.Subject)
		}
	}
}
