package index

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"

	"github.com/corr-dev/corr/backend/exchange"
	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/infer"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/tlskey"
)

// Sealed is a capture without payload.
type Sealed struct {
	Capture   *flow.Capture
	Exchanges []exchange.Exchange
	File      string // base name of the capture that it was made of
	Key       uint64 // flow.Key.ID of the key that it was sealed with
}

// Seal takes the payload of a capture away, after all has been read of it that others will want to know. keys open TLS.
func Seal(c *flow.Capture, file string, key *flow.Key, keys *tlskey.Log) *Sealed {
	match.MarkCopies(c) // what is there twice is read once
	s := &flow.Sealed{Runs: match.Runs(c), Fronts: match.Fronts(c), Names: infer.Names(c)}
	x := &Sealed{Capture: c, Exchanges: exchange.Read(c, keys), File: file, Key: key.ID()}
	for i := range x.Exchanges {
		sealExchange(&x.Exchanges[i], key)
	}
	c.Seal(key, s)
	return x
}

// sealExchange keys what an exchange says of its payload, which may have been opened by keys: all of it is only ever
// compared.
func sealExchange(e *exchange.Exchange, key *flow.Key) {
	digest := func(s string) string { return fmt.Sprintf("%016x", key.Digest(xxhash.Sum64String(s))) }
	for k, d := range e.Fields {
		e.Fields[k] = key.Digest(d)
	}
	for k, s := range e.Forwarded {
		e.Forwarded[k] = digest(s)
	}
	e.Client = digest(e.Client)
	if e.Key != "" {
		e.Key = digest(e.Key)
	}
	if e.Name == "" {
		return
	}
	// A proxy may add parts to the front of a target or take some off: one that another ends with still does.
	method, target, _ := strings.Cut(e.Name, " ")
	name := []string{method + " " + digest(target)} // findings say the method
	for k := 1; k < len(target); k++ {
		if target[k] == '/' {
			name = append(name, digest(target[k:]))
		}
	}
	e.Name = strings.Join(name, "/")
}

const (
	magic   = "corridx\n"
	version = 3
	// headSize is the length of what stands before the compressed part: magic, version, key.
	headSize = 8 + 8 + 8
)

// Errors of Read.
var (
	ErrForeign = errors.New("not an index")
	ErrVersion = errors.New("made by another version of corr")
)

// Is reports whether a file that begins with these bytes is an index.
func Is(head []byte) bool { return len(head) >= len(magic) && string(head[:len(magic)]) == magic }

// Write writes an index.
func Write(w io.Writer, x *Sealed) error {
	head := append([]byte(magic), make([]byte, headSize-len(magic))...)
	binary.LittleEndian.PutUint64(head[8:], version)
	binary.LittleEndian.PutUint64(head[16:], x.Key)
	if _, err := w.Write(head); err != nil {
		return err
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	err = x.Capture.WriteIndex(z, x.File)
	b := bufio.NewWriter(z)
	e := json.NewEncoder(b)
	for i := range x.Exchanges {
		if err == nil {
			err = e.Encode(&x.Exchanges[i])
		}
	}
	return errors.Join(err, b.Flush(), z.Close())
}

// most bounds how far an index may expand: columns of equal numbers shrink to some hundredths.
const (
	mostTimes = 1000
	mostPlus  = 1 << 20
)

// File is the base name of the capture that an index was made of.
func File(r io.Reader) (string, error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil || !Is(head[:]) || binary.LittleEndian.Uint64(head[8:]) != version {
		return "", ErrForeign
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(32<<20), zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return "", err
	}
	defer z.Close()
	return flow.IndexFile(z)
}

// Read reads an index of size bytes; columns that are large go to the store.
func Read(r io.Reader, size int64, store *flow.Store) (*Sealed, error) {
	var head [headSize]byte
	if n, err := io.ReadFull(r, head[:]); !Is(head[:n]) {
		return nil, ErrForeign
	} else if err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if v := binary.LittleEndian.Uint64(head[8:]); v != version {
		return nil, fmt.Errorf("%w: layout %d, this one reads %d; index the capture again", ErrVersion, v, version)
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(32<<20), zstd.WithDecoderMaxMemory(1<<30), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	x, err := unpacked(bufio.NewReaderSize(io.LimitReader(z, size*mostTimes+mostPlus), 1<<20), store)
	if err != nil {
		return nil, err
	}
	x.Key = binary.LittleEndian.Uint64(head[16:])
	return x, nil
}

// unpacked reads what lies behind the compression.
func unpacked(in io.Reader, store *flow.Store) (*Sealed, error) {
	c, file, err := flow.ReadIndex(in, store)
	if err != nil {
		return nil, broken(err)
	}
	x := &Sealed{Capture: c, File: file}
	for d := json.NewDecoder(in); ; {
		var e exchange.Exchange
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return x, nil
		} else if err != nil {
			return nil, broken(err)
		}
		if !fits(c, &e) {
			return nil, fmt.Errorf("%w: an exchange of frames that there are not", flow.ErrIndex)
		}
		x.Exchanges = append(x.Exchanges, e)
	}
}

// broken words what a reader of damaged bytes says.
func broken(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it ends early", flow.ErrIndex)
	case errors.Is(err, flow.ErrIndex):
		return err
	}
	return fmt.Errorf("%w: %w", flow.ErrIndex, err)
}

// partMost is the size, bytes, that no message has.
const partMost = 1 << 48

// fits reports whether an exchange speaks of its conversation's own packets.
func fits(c *flow.Capture, e *exchange.Exchange) bool {
	if int(e.Conv.ID) >= len(c.Convs) || e.Index < 0 {
		return false
	}
	from, to := c.Span(e.Conv.ID)
	for _, p := range [2]*exchange.Part{&e.Request, &e.Answer} {
		for _, x := range p.Pieces {
			if x.Frame < from || x.Frame >= to || x.To < 0 || x.From < x.To {
				return false
			}
		}
		if p.Least < 0 || p.Most < p.Least || p.Most > partMost || p.Head < -1 || p.Loose < 0 {
			return false
		}
	}
	return (e.Request.Seen() || e.Request.Holes) && (!e.Answered || e.Answer.Seen() || e.Answer.Holes)
}
