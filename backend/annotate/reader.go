package annotate

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/corr-dev/corr/backend/capture"
)

// Errors of Open tell what is wrong with the file as a whole.
var (
	ErrForeign   = errors.New("not a corr.ann")
	ErrVersion   = errors.New("made by another version of corr")
	ErrTruncated = errors.New("cut short")
	ErrDamaged   = errors.New("damaged")
)

// File is an opened corr.ann. Its tables are in memory, its frames are read as they are asked for.
type File struct {
	Tables Tables

	in     io.ReaderAt
	closer io.Closer
	points []pointData
}

// pointData is what the file holds of one capture.
type pointData struct {
	records section
	heap    section
	classes []Class
}

// Open reads the tables of path.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	a, err := Read(f, st.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w; run corr correlate again", path, err)
	}
	a.closer = f
	return a, nil
}

// Close releases the file.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Read reads the tables of a corr.ann of size bytes.
func Read(in io.ReaderAt, size int64) (*File, error) {
	var h [headerSize]byte
	n, err := in.ReadAt(h[:min(size, headerSize)], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(h[:min(n, len(magic))]) != magic[:min(n, len(magic))] && !isZero(h[:n]) || n == 0 {
		return nil, ErrForeign
	}
	if n < headerSize || isZero(h[:]) {
		return nil, fmt.Errorf("%w: no header", ErrTruncated)
	}
	if v := le.Uint32(h[headVersion:]); v != Version {
		return nil, fmt.Errorf("%w: layout %d, this one reads %d", ErrVersion, v, Version)
	}
	if want := le.Uint64(h[headFileSize:]); want != uint64(size) {
		return nil, fmt.Errorf("%w: %d of %d bytes", ErrTruncated, size, want)
	}
	d := &decoder{in: in, size: uint64(size)}
	dir, err := d.bytes(section{off: le.Uint64(h[headDirOffset:]), count: le.Uint32(h[headDirSize:]), width: 1}, 1)
	if err != nil {
		return nil, err
	}
	if len(dir) < sectionCount*sectionSize || crc32.ChecksumIEEE(dir) != le.Uint32(h[headDirSum:]) {
		return nil, fmt.Errorf("%w: the directory's checksum differs", ErrDamaged)
	}
	f := &File{in: in}
	if err := d.tables(f, dir); err != nil {
		return nil, err
	}
	return f, nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// Frames is the number of frames of a point.
func (f *File) Frames(point int) uint32 {
	if point < 0 || point >= len(f.points) {
		return 0
	}
	return f.points[point].records.count
}

// Frame reads the annotation of one frame and its class.
func (f *File) Frame(point int, n capture.FrameNo) (Frame, Class, error) {
	if point < 0 || point >= len(f.points) {
		return Frame{}, Class{}, fmt.Errorf("point %d of %d", point, len(f.points))
	}
	p := &f.points[point]
	if n == 0 || uint32(n) > p.records.count {
		return Frame{}, Class{}, fmt.Errorf("frame %d: %s has %d frames", n, f.Tables.Points[point].Name, p.records.count)
	}
	var b [recordSize]byte
	if _, err := f.in.ReadAt(b[:], int64(p.records.off+uint64(n-1)*recordSize)); err != nil {
		return Frame{}, Class{}, err
	}
	var fr Frame
	c, err := f.decode(point, n, b[:], &fr, f.heapView(point, 0))
	if err != nil {
		return Frame{}, Class{}, err
	}
	return fr, *c, nil
}

// readBuffer is how many bytes of records are read at once.
const readBuffer = recordSize << 15

// Each calls fn for every frame of a point in the order of numbers, until fn gives an error. fr is reused from call
// to call, c belongs to the file and must not be changed.
func (f *File) Each(point int, fn func(n capture.FrameNo, fr *Frame, c *Class) error) error {
	if point < 0 || point >= len(f.points) {
		return fmt.Errorf("point %d of %d", point, len(f.points))
	}
	return f.each(point, f.heapView(point, heapWindow), fn)
}

// each does without what lies in the heap where h is nil.
func (f *File) each(point int, h *heapView, fn func(n capture.FrameNo, fr *Frame, c *Class) error) error {
	rec := f.points[point].records
	buf := make([]byte, min(uint64(readBuffer), uint64(rec.count)*recordSize))
	var fr Frame
	for first := uint32(0); first < rec.count; {
		b := buf[:min(uint64(len(buf)), uint64(rec.count-first)*recordSize)]
		if _, err := f.in.ReadAt(b, int64(rec.off+uint64(first)*recordSize)); err != nil {
			return err
		}
		for ; len(b) > 0; b = b[recordSize:] {
			first++
			c, err := f.decode(point, capture.FrameNo(first), b[:recordSize], &fr, h)
			if err != nil {
				return err
			}
			if err := fn(capture.FrameNo(first), &fr, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// decode fills fr from a record.
func (f *File) decode(point int, n capture.FrameNo, b []byte, fr *Frame, h *heapView) (*Class, error) {
	p := &f.points[point]
	t, _ := getStamp(b[recTime:])
	class := le.Uint32(b[recClass:])
	*fr = Frame{
		Time: capture.LocalTime(t), Len: le.Uint32(b[recLen:]), Flow: le.Uint32(b[recFlow:]) &^ flowFinding,
		Class: ClassID(class), Peer: capture.FrameNo(le.Uint32(b[recPeer:])),
	}
	if int(class) >= len(p.classes) {
		return nil, fmt.Errorf("%w: %s:%d is of class %d of %d", ErrDamaged, f.Tables.Points[point].Name, n, class, len(p.classes))
	}
	switch d := le.Uint32(b[recDelay:]); d {
	case delayNone, delayInExtra:
	default:
		fr.HasDelay, fr.Delay = true, int64(int32(d))
	}
	if extra := le.Uint32(b[recExtra:]); extra != 0 && h != nil {
		if err := h.extra(extra, fr); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", f.Tables.Points[point].Name, n, err)
		}
	}
	return &p.classes[class], nil
}
