package capture

import (
	"encoding/binary"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Compression formats, named as in Info.Format.
const (
	packedNone = ""
	packedGzip = "gzip" // RFC 1952
	packedZstd = "zstd" // RFC 8878
	packedLZ4  = "lz4"  // LZ4 frame format 1.6
)

// maxZstdWindow is what `zstd --long` (27 bits) needs; larger windows need an option to be decompressed at all.
const maxZstdWindow = 128 << 20

// packing recognises a compressed file by its first bytes.
func packing(head []byte) string {
	if len(head) >= 2 && head[0] == 0x1f && head[1] == 0x8b {
		return packedGzip
	}
	if len(head) < 4 {
		return packedNone
	}
	switch magic := binary.LittleEndian.Uint32(head); {
	case magic == 0xfd2fb528, magic&^0xf == 0x184d2a50: // a skippable frame may come first (pzstd writes one)
		return packedZstd
	case magic == 0x184d2204:
		return packedLZ4
	}
	return packedNone
}

// newUnpacker gives the reader of what r holds, and a function that frees it.
func newUnpacker(kind string, r io.Reader) (io.Reader, func(), error) {
	switch kind {
	case packedGzip:
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, err
		}
		return z, func() { _ = z.Close() }, nil
	case packedZstd:
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	default:
		return lz4.NewReader(r), func() {}, nil
	}
}

// unpackAhead is how many pieces of unpackPiece bytes wait for the reader at most.
const (
	unpackAhead = 4
	unpackPiece = 256 << 10
)

// piece is a stretch of decompressed data; err came behind its bytes.
type piece struct {
	buf []byte
	err error
}

// unpacker decompresses on a goroutine of its own, so that it runs beside the reading of frames. It is an io.Reader.
type unpacker struct {
	full  chan piece
	free  chan []byte
	stop  chan struct{}
	ended chan struct{}
	once  sync.Once

	cur  piece
	rest []byte // of cur
}

func startUnpacker(kind string, r io.Reader) *unpacker {
	u := &unpacker{
		full:  make(chan piece, unpackAhead),
		free:  make(chan []byte, unpackAhead),
		stop:  make(chan struct{}),
		ended: make(chan struct{}),
	}
	for range unpackAhead {
		u.free <- make([]byte, unpackPiece)
	}
	go u.run(kind, r)
	return u
}

func (u *unpacker) run(kind string, r io.Reader) {
	defer close(u.ended)
	z, done, err := newUnpacker(kind, r)
	if err != nil {
		u.full <- piece{err: err}
		return
	}
	defer done()
	for err == nil {
		var buf []byte
		select {
		case buf = <-u.free:
		case <-u.stop:
			return
		}
		n := 0
		for n < len(buf) && err == nil {
			var m int
			m, err = z.Read(buf[n:])
			n += m
		}
		select {
		case u.full <- piece{buf: buf[:n], err: err}:
		case <-u.stop:
			return
		}
	}
}

func (u *unpacker) Read(p []byte) (int, error) {
	for len(u.rest) == 0 {
		if u.cur.err != nil {
			return 0, u.cur.err
		}
		if u.cur.buf != nil {
			u.free <- u.cur.buf[:cap(u.cur.buf)]
		}
		u.cur = <-u.full
		u.rest = u.cur.buf
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

// close stops the goroutine. wait: until it has ended, so that nothing reads from r any more.
func (u *unpacker) close(wait bool) {
	u.once.Do(func() { close(u.stop) })
	if wait {
		<-u.ended
	}
}
