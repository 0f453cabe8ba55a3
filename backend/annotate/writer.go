package annotate

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"sync"
)

// file is what a Writer needs of corr.ann; tests make it fail.
type file interface {
	io.WriterAt
	Close() error
}

// Writer writes corr.ann.
type Writer struct {
	path     string
	out      file
	tables   Tables
	captures []*CaptureWriter
	window   int

	mu      sync.RWMutex
	classes []Class
	byKey   map[string]ClassID
}

// Create begins path. The number of frames of each point must be right: it tells where the records lie.
func Create(path string, t Tables) (*Writer, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return create(path, f, t), nil
}

func create(path string, f file, t Tables) *Writer {
	w := &Writer{path: path, out: f, tables: t, byKey: map[string]ClassID{}, window: windowFor(len(t.Points))}
	off := uint64(headerSize)
	for i := range t.Points {
		w.captures = append(w.captures, newCaptureWriter(w, i, off))
		off += uint64(t.Points[i].Frames) * recordSize
	}
	return w
}

// Class registers c; equal classes get the same ID. Safe for concurrent use.
func (w *Writer) Class(c Class) ClassID {
	var space [256]byte
	key := c.key(space[:0])
	w.mu.RLock()
	id, ok := w.byKey[string(key)]
	w.mu.RUnlock()
	if ok {
		return id
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if id, ok := w.byKey[string(key)]; ok {
		return id
	}
	id = ClassID(len(w.classes))
	c.Kinds = append([]string(nil), c.Kinds...)
	c.Changed = append([]string(nil), c.Changed...)
	w.classes = append(w.classes, c)
	w.byKey[string(key)] = id
	return id
}

// classCount is the number of IDs given out.
func (w *Writer) classCount() int {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.classes)
}

// key is equal for equal classes only: texts carry their length.
func (c *Class) key(b []byte) []byte {
	text := func(s string) {
		b = strconv.AppendInt(b, int64(len(s)), 10)
		b = append(b, ':')
		b = append(b, s...)
	}
	num := func(n int64) {
		b = strconv.AppendInt(b, n, 10)
		b = append(b, ',')
	}
	b = strconv.AppendBool(b, c.Reverse)
	b = strconv.AppendBool(b, c.PeerDown)
	for _, s := range [...]string{c.Match, c.Fate, c.FateWhere, c.Origin, c.Middlebox} {
		text(s)
	}
	for _, n := range [...]int{c.Hops, c.HopsPeer, c.TTLInitial, c.PeerPoint, c.Confidence} {
		num(int64(n))
	}
	num(c.DelayError)
	for _, l := range [...][]string{c.Kinds, c.Changed} {
		num(int64(len(l)))
		for _, s := range l {
			text(s)
		}
	}
	return b
}

// Capture gives the writer of a point's frames. One goroutine may use it at a time; different points' writers may be
// used at the same time.
func (w *Writer) Capture(point int) *CaptureWriter { return w.captures[point] }

// Close writes what remains, the header last. After an error the file is not a corr.ann.
func (w *Writer) Close() error {
	err := w.finish()
	for _, c := range w.captures {
		err = errors.Join(err, c.heap.discard())
	}
	err = errors.Join(err, w.out.Close())
	if err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	return nil
}

func (w *Writer) finish() error {
	end := uint64(headerSize)
	for i, c := range w.captures {
		if c.err != nil {
			return c.err
		}
		if c.count != w.tables.Points[i].Frames {
			return fmt.Errorf("%d frames of %s announced, %d written", w.tables.Points[i].Frames, w.tables.Points[i].Name, c.count)
		}
		end += uint64(c.count) * recordSize
	}
	e := &encoder{off: end, file: w.out, out: bufio.NewWriterSize(io.NewOffsetWriter(w.out, int64(end)), 1<<20), ids: map[string]uint32{"": 0}, texts: []string{""}}
	dir := w.encodeTables(e)
	dirOff := e.off
	e.write(dir)
	if e.err == nil {
		e.err = e.out.Flush()
	}
	if e.err != nil {
		return e.err
	}
	// The header makes the file valid, so it comes last.
	var h [headerSize]byte
	copy(h[:], magic)
	le.PutUint32(h[headVersion:], Version)
	le.PutUint32(h[headVersion+4:], headerSize)
	le.PutUint64(h[headFileSize:], e.off)
	le.PutUint64(h[headDirOffset:], dirOff)
	le.PutUint32(h[headDirSize:], uint32(len(dir)))
	le.PutUint32(h[headDirSum:], crc32.ChecksumIEEE(dir))
	_, err := w.out.WriteAt(h[:], 0)
	return err
}
