package annotate

import (
	"fmt"
	"math"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
)

// WindowMost and windowLeast bound Writer.Window; all captures' together hold windows records, as far as those let them. In a large
// window lie more packets of one conversation, and turning to another one costs; records of a small one lie in the cache. Measured
// from 2^13 to 2^19, with 2,000 and 3,000 conversations at once.
const WindowMost, windowLeast, windows = 1 << 17, 1 << 14, 1 << 19

// Window is the number of frames whose records are gathered before they are written: they may be put in any order, but
// all of one window, which are the frames from k*Window+1 on, before any of the next.
func (w *Writer) Window() int { return w.window }

// Widen makes windows widened times as large, before any frame is put: where so many conversations are open at once that few frames of each
// lie in a window, each of them would be turned to once a frame.
func (w *Writer) Widen() { w.window *= widened }

const widened = 8

// writeMost is the most bytes that are written at once. Of larger pieces the system makes large pages of its own, up to 2 MiB, and whole
// free ones are what a virtual machine's host has taken back: it must give each anew. Measured from 16 KiB to 4 MiB.
const writeMost = 128 << 10

func windowFor(captures int) int {
	n := WindowMost
	for n > windowLeast && n*captures > windows {
		n /= 2
	}
	return n
}

// CaptureWriter writes the frames of one capture.
type CaptureWriter struct {
	w     *Writer
	point int
	off   uint64 // of the window in the file
	limit uint32 // frames announced
	count uint32 // frames put
	base  uint32 // frames before the window
	buf   []byte // the window's records
	err   error

	// Classes by first use in this capture: local[ClassID] is the number here plus one. So the bytes do not depend
	// on which goroutine registered a class first.
	local []uint32
	order []ClassID

	pages    []page
	subMicro bool

	ties func() (flow.Tie, bool)
	tie  flow.Tie // the next one; Frame 0: none

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

// Put takes the annotation of frame n, see Writer.Window.
func (c *CaptureWriter) Put(n capture.FrameNo, f *Frame) error {
	if c.err != nil {
		return c.err
	}
	delay, inExtra := delayWord(f.Delay, f.HasDelay)
	if f.Extra == nil && !inExtra {
		return c.put(n, f.Time, f.Len, f.Flow, f.Class, f.Peer, delay, 0, false)
	}
	extra, err := c.heap.entry(f, inExtra, &c.w.tables)
	if err != nil {
		return c.fail(fmt.Errorf("frame %d: %w", n, err))
	}
	return c.put(n, f.Time, f.Len, f.Flow, f.Class, f.Peer, delay, extra, f.Extra != nil && len(f.Extra.Findings) > 0)
}

// PutPlain is Put of a frame without Extra whose delay fits into a record, see Fits. It takes values: records lie anywhere in the
// window, and what is written to memory behind them only to be read again waits for them.
func (c *CaptureWriter) PutPlain(n capture.FrameNo, t capture.LocalTime, length, conversation uint32, class ClassID, peer capture.FrameNo, delay int64, hasDelay bool) error {
	word, inExtra := delayWord(delay, hasDelay)
	if inExtra {
		return c.fail(fmt.Errorf("frame %d: a delay of %d ns does not fit", n, delay))
	}
	return c.put(n, t, length, conversation, class, peer, word, 0, false)
}

// Others keeps what x says of many frames: the kinds of its Peers, and ChangedText.
func (c *CaptureWriter) Others(x *Extra) (*Others, error) {
	o, err := c.heap.others(x, &c.w.tables)
	if err != nil {
		return nil, c.fail(err)
	}
	return o, nil
}

// PutOthers is PutPlain of a frame that has further counterparts, of the kinds that o says: met are their frames and delays, which
// fit too. tie is Extra.Tie.
func (c *CaptureWriter) PutOthers(n capture.FrameNo, t capture.LocalTime, length, conversation uint32, class ClassID, peer Meeting, o *Others, met []Meeting, tie uint32) error {
	if c.err != nil {
		return c.err
	}
	word, long := delayWord(peer.Delay, peer.HasDelay)
	if long {
		return c.fail(fmt.Errorf("frame %d: a delay of %d ns does not fit", n, peer.Delay))
	}
	extra, err := c.heap.with(o, met, tie)
	if err != nil {
		return c.fail(fmt.Errorf("frame %d: %w", n, err))
	}
	return c.put(n, t, length, conversation, class, peer.Frame, word, extra, false)
}

// Ties has frames that are tied, which next gives in their order, get what tells them apart, unless they got it by Extra.Tie. It comes
// before the first Put. As they lie in their order among the records, that costs less than to look for each with its frame.
func (c *CaptureWriter) Ties(next func() (t flow.Tie, ok bool)) {
	c.ties = next
	c.tie, _ = next()
}

// addTies adds ties to the window's records.
func (c *CaptureWriter) addTies() error {
	for ; c.tie.Frame > 0 && uint32(c.tie.Frame) <= c.count; c.tie, _ = c.ties() {
		b := c.buf[(uint32(c.tie.Frame)-1-c.base)*recordSize:][:recordSize]
		if le.Uint32(b[recExtra:]) != 0 {
			continue // with the rest that is said of it
		}
		at, err := c.heap.tie(c.tie.Digest)
		if err != nil {
			return err
		}
		le.PutUint32(b[recExtra:], at)
	}
	return nil
}

// Fits reports whether a record holds a delay, ns.
func Fits(delay int64) bool {
	_, inExtra := delayWord(delay, true)
	return !inExtra
}

// delayWord is a delay, ns, as a record holds it; inExtra: it is too long for that, and the heap has it.
func delayWord(ns int64, known bool) (word uint32, inExtra bool) {
	switch {
	case !known:
		return delayNone, false
	case ns <= math.MinInt32+1 || ns > math.MaxInt32:
		return delayInExtra, true
	}
	return uint32(int32(ns)), false
}

// Expect has the place of frame n's record brought from memory, for a Put that comes soon: records lie anywhere in the window.
func (c *CaptureWriter) Expect(n capture.FrameNo) {
	if k := (uint32(n) - 1 - c.base) * recordSize; k < uint32(len(c.buf)) {
		flow.Prefetch(&c.buf[k])
	}
}

// put writes a record.
func (c *CaptureWriter) put(n capture.FrameNo, t capture.LocalTime, length, conversation uint32, id ClassID, peer capture.FrameNo, delay, extra uint32, finding bool) error {
	if c.err != nil {
		return c.err
	}
	if c.count == c.limit {
		return c.fail(fmt.Errorf("more than the announced %d frames", c.limit))
	}
	if c.buf == nil {
		c.buf = make([]byte, min(uint32(c.w.window), c.limit)*recordSize)
	}
	k := uint32(n) - 1 - c.base
	if n == 0 || k >= c.window() {
		return c.fail(fmt.Errorf("frame %d is not of the %d frames behind frame %d", n, c.window(), c.base))
	}
	class, ok := c.class(id)
	if !ok {
		return c.fail(fmt.Errorf("frame %d: class %d was never registered", n, id))
	}
	if conversation >= flowFinding {
		return c.fail(fmt.Errorf("frame %d: conversation %d is beyond what a record holds", n, conversation))
	}
	if finding {
		conversation |= flowFinding
	}
	// In as few pieces as can be, each of two words.
	b := c.buf[k*recordSize : (k+1)*recordSize : (k+1)*recordSize]
	stamp, _ := stampOf(int64(t))
	le.PutUint64(b[recTime:], stamp)
	le.PutUint64(b[recLen:], uint64(length)|uint64(conversation)<<32)
	le.PutUint64(b[recClass:], uint64(class)|uint64(peer)<<32)
	le.PutUint64(b[recDelay:], uint64(delay)|uint64(extra)<<32)
	c.count++
	if c.count-c.base == c.window() {
		return c.flush()
	}
	return nil
}

// window is the number of frames of the window.
func (c *CaptureWriter) window() uint32 { return uint32(len(c.buf) / recordSize) }

// flush writes the window.
func (c *CaptureWriter) flush() error {
	if err := c.addTies(); err != nil {
		return c.fail(err)
	}
	for b := c.buf; len(b) > 0; {
		n := min(len(b), pageRecords*recordSize)
		c.page(b[:n])
		b = b[n:]
	}
	for b := c.buf; len(b) > 0; {
		n := min(len(b), writeMost)
		if _, err := c.w.out.WriteAt(b[:n], int64(c.off)); err != nil {
			c.err = err
			return err
		}
		c.off += uint64(n)
		b = b[n:]
	}
	c.base = c.count
	c.buf = c.buf[:min(len(c.buf), int(c.limit-c.base)*recordSize)]
	return nil
}

// page sums up the times of a page's records.
func (c *CaptureWriter) page(b []byte) {
	g := page{min: math.MaxInt64, max: math.MinInt64}
	last := int64(math.MinInt64)
	for ; len(b) > 0; b = b[recordSize:] {
		t, ok := getStamp(b[recTime:])
		if !ok {
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
