package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"
)

// Interface is what a capture says of an interface that it was recorded on. A pcap file has one, without a name.
type Interface struct {
	Name       string // if_name; empty: not told
	Link       LinkType
	Snaplen    uint32 // 0: no limit
	Resolution string // of its times: "1 µs", "2^-10 s"
	Filter     string // if_filter, the capture filter; empty: none or not told

	// Frames that the interface received, and that it or the operating system dropped, from the statistics that
	// recorders write last: not known before Next returns io.EOF.
	Received, Dropped       uint64
	HasReceived, HasDropped bool
}

// Info is what a capture says of itself, as far as it has been read.
type Info struct {
	File       string
	Format     string      // "pcap", "nanosecond pcap", "modified pcap", "pcapng"; " (gzip)" behind it if compressed
	HasLink    bool        // false: a pcapng file without interface
	Link       LinkType    // of the first interface
	Snaplen    uint32      // of the first interface; 0: no limit
	Interfaces []Interface // at most the first 1024, across sections
	Size       int64       // of the file, compressed as it is; -1: not known, as with a pipe
}

// maxListed bounds Info.Interfaces.
const maxListed = 1024

// Reader reads one capture. Only BytesRead may be called while another goroutine uses it.
type Reader struct {
	src    source
	bytes  atomic.Int64
	info   Info
	next   func(*Packet) error
	number FrameNo // of the last frame
	failed error   // what Next goes on to return

	closer io.Closer // nil: not ours
	unpack *unpacker

	pcap pcapState
	ng   ngState
}

// counter counts what is read from the file.
type counter struct {
	r io.Reader
	n *atomic.Int64
}

func (c counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// Open opens a capture file; "-" is standard input. Its errors are an *OpenError or, for a file cut in its header,
// a *TruncatedError.
func Open(path string) (*Reader, error) {
	if path == "-" {
		return OpenReader("standard input", os.Stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, openFailure(path, err)
	}
	stat, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, openFailure(path, err)
	}
	if stat.IsDir() {
		f.Close()
		return nil, &OpenError{File: path, Text: "is a folder; name the capture files in it", Err: ErrNotCapture}
	}
	r := &Reader{closer: f}
	r.info.Size = -1
	if stat.Mode().IsRegular() {
		r.info.Size = stat.Size()
	}
	if err := r.open(path, f); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// OpenReader reads a capture from r, which stays the caller's to close. name stands for it in messages.
func OpenReader(name string, r io.Reader) (*Reader, error) {
	c := &Reader{}
	c.info.Size = -1
	if err := c.open(name, r); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (r *Reader) open(name string, in io.Reader) error {
	r.info.File = name
	r.src = source{r: counter{in, &r.bytes}, buf: make([]byte, chunk)}
	if !r.src.need(1) {
		if !errors.Is(r.src.err, io.EOF) {
			return openFailure(name, r.src.err)
		}
		return &OpenError{File: name, Text: "is empty (0 bytes); record or copy it again", Err: ErrEmpty}
	}
	r.src.need(4)
	kind := packing(r.src.buf[:r.src.end])
	if kind == packedNone {
		return r.recognise(packedNone)
	}
	head := bytes.Clone(r.src.buf[:r.src.end])
	rest := io.MultiReader(bytes.NewReader(head), r.src.r)
	if r.src.err != nil {
		rest = bytes.NewReader(head)
	}
	r.unpack = startUnpacker(kind, rest)
	r.src = source{r: r.unpack, buf: r.src.buf}
	return r.recognise(kind)
}

// recognise reads the file's header.
func (r *Reader) recognise(packed string) error {
	s := &r.src
	suffix := ""
	if packed != packedNone {
		suffix = " (" + packed + ")"
	}
	if !s.need(4) {
		return r.tooShort(packed)
	}
	magic := binary.LittleEndian.Uint32(s.buf[s.pos:])
	if magic == blockSection {
		r.info.Format = "pcapng" + suffix
		return r.openNG()
	}
	v, ok := pcapVariants[magic]
	if !ok {
		return r.notCapture()
	}
	r.info.Format = v.format + suffix
	return r.openPcap(v)
}

// tooShort answers a file of less than four bytes, decompressed.
func (r *Reader) tooShort(packed string) error {
	e := &OpenError{File: r.info.File, Err: ErrNotCapture}
	switch {
	case r.src.end > 0 || packed == packedNone:
		return r.notCapture()
	case errors.Is(r.src.err, io.EOF):
		e.Text, e.Err = fmt.Sprintf("is empty when decompressed (%s); record or copy it again", packed), ErrEmpty
	default:
		e.Text = fmt.Sprintf("can't be decompressed (%s: %v); copy it again", packed, r.src.err)
	}
	return e
}

// Next reads the next frame into p. It returns io.EOF behind the last one, and a *TruncatedError at a cut or damaged
// place; both come again with every further call.
func (r *Reader) Next(p *Packet) error {
	if r.failed != nil {
		return r.failed
	}
	return r.next(p)
}

// Info gives what is known of the capture by now: interfaces may appear while it is read.
func (r *Reader) Info() Info {
	i := r.info
	i.Interfaces = slices.Clone(i.Interfaces)
	return i
}

// BytesRead is how far the file has been read, to show progress against Info.Size.
func (r *Reader) BytesRead() int64 { return r.bytes.Load() }

// Close frees the file. Data of the last frame stay valid.
func (r *Reader) Close() error {
	r.failed = os.ErrClosed
	var err error
	if r.unpack != nil {
		// A file that isn't ours may block for ever; its goroutine ends with the read under way.
		r.unpack.close(r.closer != nil)
	}
	if r.closer != nil {
		err = r.closer.Close()
		r.closer = nil
	}
	return err
}

func (r *Reader) addInterface(i Interface) {
	if !r.info.HasLink {
		r.info.HasLink, r.info.Link, r.info.Snaplen = true, i.Link, i.Snaplen
	}
	if len(r.info.Interfaces) < maxListed {
		r.info.Interfaces = append(r.info.Interfaces, i)
	}
}

// cut is the end of data inside a record, or in front of one where the end wasn't clean.
func (r *Reader) cut(inFrame bool) error {
	err := r.src.err
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	r.failed = &TruncatedError{
		File: r.info.File, Frame: r.number + 1, InFrame: inFrame, Offset: r.src.endOffset(), Unpacked: r.unpack != nil,
		Usable: r.number, Err: err,
	}
	return r.failed
}

// damaged stops at the record at src.pos.
func (r *Reader) damaged(inFrame bool, format string, args ...any) error {
	r.failed = &TruncatedError{
		File: r.info.File, Frame: r.number + 1, InFrame: inFrame, Offset: r.src.offset(), Unpacked: r.unpack != nil,
		Usable: r.number, Damage: fmt.Sprintf(format, args...), Err: errDamaged,
	}
	return r.failed
}

var errDamaged = errors.New("damaged")

// atEnd answers a need that failed where a record should start.
func (r *Reader) atEnd(inFrame bool) error {
	if r.src.pos == r.src.end && errors.Is(r.src.err, io.EOF) {
		r.failed = io.EOF
		return io.EOF
	}
	return r.cut(inFrame)
}
