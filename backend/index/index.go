package index

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

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
	Exchanges *exchange.Sealed
	File      string // base name of the capture that it was made of
	Key       uint64 // flow.Key.ID of the key that it was sealed with
}

// Seal takes the payload of a capture away, after all has been read of it that others will want to know. keys open TLS.
func Seal(c *flow.Capture, file string, key *flow.Key, keys *tlskey.Log) *Sealed {
	match.MarkCopies(c) // what is there twice is read once
	s, x := &flow.Sealed{}, &Sealed{Capture: c, File: file, Key: key.ID()}
	var prints *flow.Fingerprints
	var wg sync.WaitGroup
	for _, read := range []func(){
		func() { s.Runs = match.Runs(c) },
		func() { s.Fronts = match.Fronts(c) },
		func() { s.Names = infer.Names(c) },
		func() { prints = c.Fingerprints(key.Another()) },
		func() { x.Exchanges = exchange.Seal(c, key, keys) },
	} {
		if wg.Go(read); c.Store != nil {
			wg.Wait() // what each brings in adds up
		}
	}
	wg.Wait()
	c.Seal(key, s, prints)
	return x
}

const (
	magic   = "corridx\n"
	version = 4
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
	if err == nil {
		err = x.Exchanges.Write(z)
	}
	return errors.Join(err, z.Close())
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
func unpacked(in *bufio.Reader, store *flow.Store) (*Sealed, error) {
	c, file, err := flow.ReadIndex(in, store)
	if err != nil {
		return nil, broken(err)
	}
	x, err := exchange.ReadSealed(in, c)
	if err != nil {
		return nil, broken(err)
	}
	return &Sealed{Capture: c, Exchanges: x, File: file}, nil
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
