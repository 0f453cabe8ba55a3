package annotate

import (
	"fmt"
	"math"

	"github.com/corr-dev/corr/backend/capture"
)

// Window is the number of frames whose records are gathered before they are written: they may be put in any order, but
// all of one window, which are the frames from k*Window+1 on, before any of the next.
const Window = 1 << 17

// CaptureWriter writes the frames of one capture.
type CaptureWriter struct {
	w     *Writer
	point int
	off   uint64 // of the window in the file
	limit uint32 // frames announced
	count uint32 // frames put
	base  uint32 // frames before the window
	buf   []byte // the window's records
	times []int64
	err   error

	// Classes by first use in this capture: local[ClassID] is the number here plus one. So the bytes do not depend
	// on which goroutine registered a class first.
	local []uint32
	order []ClassID

	pages    []page
	subMicro bool

	heap heap
}

// page sums up the times of pageRecords records.
type page struct {
	min, max int64
	disorder bool
}

func newCaptureWriter(w *Writer, point int, off uint64) *CaptureWriter {
	return &CaptureWriter{w: w, point: point, off: off, limit: w.tables.Points[point].Frames, heap: heap{path: fmt.Sprintf("%s.%d", w.path, point)}}
}

// Put takes the annotation of frame n, see Window.
func (c *CaptureWriter) Put(n capture.FrameNo, f *Frame) error {
	if c.err != nil {
		return c.err
	}
	if c.count == c.limit {
		return c.fail(fmt.Errorf("more than the announced %d frames", c.limit))
	}
	if c.buf == nil {
		size := int(min(Window, c.limit))
		c.buf, c.times = make([]byte, size*recordSize), make([]int64, size)
	}
	k := uint32(n) - 1 - c.base
	if n == 0 || k >= uint32(len(c.times)) {
		return c.fail(fmt.Errorf("frame %d is not of the %d frames behind frame %d", n, len(c.times), c.base))
	}
	class, ok := c.class(f.Class)
	if !ok {
		return c.fail(fmt.Errorf("frame %d: class %d was never registered", n, f.Class))
	}
	delay, inExtra := uint32(delayNone), false
	if f.HasDelay {
		if f.Delay > math.MinInt32+1 && f.Delay <= math.MaxInt32 {
			delay = uint32(int32(f.Delay))
		} else {
			delay, inExtra = delayInExtra, true
		}
	}
	extra := uint32(0)
	if inExtra || f.Extra != nil {
		var err error
		if extra, err = c.heap.entry(f, inExtra, &c.w.tables); err != nil {
			return c.fail(fmt.Errorf("frame %d: %w", n, err))
		}
		if f.Extra != nil && len(f.Extra.Findings) > 0 {
			extra |= extraFinding
		}
	}
	c.times[k] = int64(f.Time)
	b := c.buf[k*recordSize : (k+1)*recordSize : (k+1)*recordSize]
	le.PutUint32(b[recLen:], f.Len)
	le.PutUint32(b[recFlow:], f.Flow)
	le.PutUint32(b[recClass:], class)
	le.PutUint32(b[recPeer:], uint32(f.Peer))
	le.PutUint32(b[recDelay:], delay)
	le.PutUint32(b[recExtra:], extra)
	c.count++
	if c.count-c.base == uint32(len(c.times)) {
		return c.flush()
	}
	return nil
}

// flush writes the window.
func (c *CaptureWriter) flush() error {
	for from := 0; from < len(c.times); from += pageRecords {
		c.stamp(from, min(from+pageRecords, len(c.times)))
	}
	if _, err := c.w.out.WriteAt(c.buf, int64(c.off)); err != nil {
		c.err = err
		return err
	}
	c.off += uint64(len(c.buf))
	c.base = c.count
	n := min(len(c.times), int(c.limit-c.base))
	c.times, c.buf = c.times[:n], c.buf[:n*recordSize]
	return nil
}

// stamp writes the times of a page's records and sums them up.
func (c *CaptureWriter) stamp(from, to int) {
	g := page{min: math.MaxInt64, max: math.MinInt64}
	last := int64(math.MinInt64)
	for k := from; k < to; k++ {
		t := c.times[k]
		if !putStamp(c.buf[k*recordSize+recTime:], t) {
			g.disorder = true // it can't be found by time: no binary search here
			continue
		}
		g.min, g.max = min(g.min, t), max(g.max, t)
		g.disorder = g.disorder || t < last
		last = t
		c.subMicro = c.subMicro || t%1000 != 0
	}
	c.pages = append(c.pages, g)
}

// class gives the number of a class within this capture.
func (c *CaptureWriter) class(id ClassID) (uint32, bool) {
	if int(id) >= len(c.local) {
		n := c.w.classCount()
		if int(id) >= n {
			return 0, false
		}
		c.local = append(c.local, make([]uint32, n-len(c.local))...)
	}
	if c.local[id] == 0 {
		c.order = append(c.order, id)
		c.local[id] = uint32(len(c.order))
	}
	return c.local[id] - 1, true
}

func (c *CaptureWriter) fail(err error) error {
	c.err = fmt.Errorf("%s: %w", c.w.tables.Points[c.point].Name, err)
	return c.err
}
