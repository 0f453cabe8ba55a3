package oui

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/hex"
	"io"
	"sort"
	"sync"
)

// The table: a line for each block, "prefix<TAB>organisation", prefixes of 6, 7 or 9 hex digits, in the order of their bytes.
//
//go:embed table.tsv.gz
var table []byte

// lines is the table's text, which is looked up as it is: few addresses are asked for, and taking all of it apart takes longer than
// most captures.
var lines = sync.OnceValue(func() []byte {
	z, err := gzip.NewReader(bytes.NewReader(table))
	if err != nil {
		return nil // the tests read the table; a broken one can't be built in
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil
	}
	return text
})

// Vendor is the short name of the organisation that a hardware address is assigned to; "" for none, and for addresses
// that nobody is assigned: locally administered ones and groups (IEEE 802-2014 §8.2), and all zeros, which a loopback has.
func Vendor(mac [6]byte) string {
	if mac[0]&3 != 0 || mac == [6]byte{} {
		return ""
	}
	asked.Lock()
	defer asked.Unlock()
	name, ok := asked.names[mac]
	if !ok {
		if len(asked.names) == askedMost {
			clear(asked.names)
		}
		name = lookUp(mac)
		asked.names[mac] = name
	}
	return name
}

// asked are addresses that were asked for lately: a path has few.
var asked = struct {
	sync.Mutex
	names map[[6]byte]string
}{names: map[[6]byte]string{}}

const askedMost = 1 << 10

func lookUp(mac [6]byte) string {
	text := hex.EncodeToString(mac[:])
	for _, digits := range [...]int{9, 7, 6} { // the smaller block counts
		if name, ok := organisation(lines(), text[:digits]+"\t"); ok {
			return Short(name)
		}
	}
	return ""
}

// organisation is what stands behind prefix on its line.
func organisation(text []byte, prefix string) (string, bool) {
	// The least offset whose line is not before the prefix; a line is its offsets up to its end.
	line := func(at int) []byte {
		from := bytes.LastIndexByte(text[:at], '\n') + 1
		l, _, _ := bytes.Cut(text[from:], []byte("\n"))
		return l
	}
	at := sort.Search(len(text), func(at int) bool { return string(line(at)) >= prefix })
	if at == len(text) {
		return "", false
	}
	name, ok := bytes.CutPrefix(line(at), []byte(prefix))
	return string(name), ok
}
