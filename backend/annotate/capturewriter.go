package annotate

import (
	"fmt"
	"math"
)

// CaptureWriter writes the frames of one capture in the order of their numbers.
type CaptureWriter struct {
	w     *Writer
	point int
	off   uint64 // of the next buffer in the file
	limit uint32
	count uint32
	buf   []byte
	used  int
	err   error

	// Classes by first use in this capture: local[ClassID] is the number here plus one. So the bytes do not depend
	// on which goroutine registered a class first.
	local []uint32
	order []ClassID

	pages    []page
	current  page
	last     int64 // time of the record before, in this page
	subMicro bool

	heap heap
}

// page sums up the times of pageRecords records.
type page struct {
	min, max int64
	disorder bool
}

var emptyPage = page{min: math.MaxInt64, max: math.MinInt64}

const captureBuffer = 1 << 20

func newCaptureWriter(w *Writer, point int, off uint64) *CaptureWriter {
	return &CaptureWriter{w: w, point: point, off: off, limit: w.tables.Points[point].Frames, current: emptyPage,
		last: math.MinInt64, heap: heap{path: fmt.Sprintf("%s.%d", w.path, point)}}
}

// Add appends the annotation of the next frame.
func (c *CaptureWriter) Add(f *Frame) error {
	if c.err != nil {
		return c.err
	}
	if c.count == c.limit {
		return c.fail(fmt.Errorf("more than the announced %d frames", c.limit))
	}
	if c.used == len(c.buf) {
		if err := c.flush(); err != nil {
			return err
		}
	}
	class, ok := c.class(f.Class)
	if !ok {
		return c.fail(fmt.Errorf("frame %d: class %d was never registered", c.count+1, f.Class))
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
			return c.fail(fmt.Errorf("frame %d: %w", c.count+1, err))
		}
		if f.Extra != nil && len(f.Extra.Findings) > 0 {
			extra |= extraFinding
		}
	}
	b := c.buf[c.used : c.used+recordSize : c.used+recordSize]
	c.stamp(b, int64(f.Time))
	le.PutUint32(b[recLen:], f.Len)
	le.PutUint32(b[recFlow:], f.Flow)
	le.PutUint32(b[recClass:], class)
	le.PutUint32(b[recPeer:], uint32(f.Peer))
	le.PutUint32(b[recDelay:], delay)
	le.PutUint32(b[recExtra:], extra)
	c.used += recordSize
	c.count++
	if c.count%pageRecords == 0 {
		c.endPage()
	}
	return nil
}

// stamp writes the time and counts it for the page. A time that no stamp holds can't be found by time.
func (c *CaptureWriter) stamp(b []byte, t int64) {
	if !putStamp(b[recTime:], t) {
		c.current.disorder = true // none stands between: no binary search here
		return
	}
	c.current.min = min(c.current.min, t)
	c.current.max = max(c.current.max, t)
	if t < c.last {
		c.current.disorder = true
	}
	c.last = t
	if !c.subMicro && t%1000 != 0 {
		c.subMicro = true
	}
}

func (c *CaptureWriter) endPage() {
	c.pages = append(c.pages, c.current)
	c.current, c.last = emptyPage, math.MinInt64
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

func (c *CaptureWriter) flush() error {
	if c.err != nil {
		return c.err
	}
	if c.used > 0 {
		if _, err := c.w.out.WriteAt(c.buf[:c.used], int64(c.off)); err != nil {
			c.err = err
			return err
		}
		c.off += uint64(c.used)
		c.used = 0
	}
	if c.buf == nil {
		c.buf = make([]byte, min(captureBuffer, max(int(c.limit), 1)*recordSize))
	}
	return nil
}
