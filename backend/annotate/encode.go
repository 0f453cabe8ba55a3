package annotate

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
)

// encoder appends sections to the file and collects the texts they refer to.
type encoder struct {
	off   uint64
	file  file
	out   *bufio.Writer
	err   error
	ids   map[string]uint32
	texts []string
	row   []byte
}

func (e *encoder) write(b []byte) {
	if e.err != nil {
		return
	}
	_, e.err = e.out.Write(b)
	e.off += uint64(len(b))
}

// text gives the reference of s.
func (e *encoder) text(s string) uint32 {
	if len(s) > maxTextSize {
		s = cutText(s, maxTextSize)
	}
	id, ok := e.ids[s]
	if !ok {
		id = uint32(len(e.texts))
		e.ids[s] = id
		e.texts = append(e.texts, s)
	}
	return id
}

func (e *encoder) word(v uint32) { e.row = le.AppendUint32(e.row, v) }

func (e *encoder) stamp(ns int64, known bool) { e.row = appendStamp(e.row, ns, known) }

// append writes a whole heap; where both are files, the system copies it.
func (e *encoder) append(h *heap) {
	n := int64(h.words) * 4
	f, ok := e.file.(*os.File)
	if !ok || h.f == nil {
		e.err = h.copyTo(e.out)
		e.off += uint64(n)
		return
	}
	e.err = e.out.Flush()
	if e.err == nil {
		_, e.err = f.Seek(int64(e.off), io.SeekStart)
	}
	if e.err == nil {
		e.err = h.copyTo(f)
	}
	e.off += uint64(n)
	e.out.Reset(io.NewOffsetWriter(f, int64(e.off)))
}

// table writes n rows of width bytes.
func (e *encoder) table(n, width int, row func(i int)) section {
	s := section{off: e.off, count: uint32(n), width: uint32(width)}
	if n > math.MaxUint32-1 && e.err == nil {
		e.err = fmt.Errorf("a table of %d rows", n)
	}
	for i := 0; i < n && e.err == nil; i++ {
		e.row = e.row[:0]
		row(i)
		e.write(e.row)
	}
	return s
}

// encodeTables writes all sections and gives the directory.
func (w *Writer) encodeTables(e *encoder) []byte {
	t := &w.tables
	var secs [sectionCount]section
	points := make([][pointSections]section, len(t.Points))
	for i, c := range w.captures {
		points[i] = c.encode(e)
	}
	secs[secFlowAts], secs[secFlows] = e.flows(t.Flows)
	secs[secFindings] = e.table(len(t.Findings), findingSize, func(i int) {
		f := &t.Findings[i]
		e.word(e.text(f.ID))
		e.word(e.text(f.Severity))
		e.word(e.text(f.Title))
	})
	secs[secLogs] = e.table(len(t.Logs), logSize, func(i int) {
		e.word(e.text(t.Logs[i].Text))
		e.word(e.text(t.Logs[i].Action))
	})
	var steps []ClockStep
	for i := range t.Points {
		steps = append(steps, t.Points[i].Steps...)
	}
	secs[secSteps] = e.table(len(steps), stepSize, func(i int) {
		e.word(uint32(steps[i].From))
		e.stamp(steps[i].Offset, true)
	})
	firstStep := 0
	secs[secPoints] = e.table(len(t.Points), pointSize, func(i int) {
		e.point(&t.Points[i], w.captures[i].subMicro, firstStep, points[i])
		firstStep += len(t.Points[i].Steps)
	})
	secs[secText], secs[secStrings] = e.strings()
	dir := make([]byte, sectionCount*sectionSize)
	for i, s := range secs {
		s.put(dir[i*sectionSize:])
	}
	return dir
}

func (e *encoder) point(p *Point, subMicro bool, firstStep int, secs [pointSections]section) {
	flags := uint32(0)
	if p.ClockKnown {
		flags |= pointClockKnown
	}
	if subMicro {
		flags |= pointSubMicro
	}
	e.word(e.text(p.Name))
	e.word(e.text(p.Cell))
	e.word(e.text(p.File))
	e.word(p.Frames)
	e.word(flags)
	e.stamp(int64(p.At), true)
	e.stamp(p.Offset, true)
	e.row = le.AppendUint64(e.row, uint64(driftUnits(p.DriftPPM)))
	e.word(uint32(firstStep))
	e.word(uint32(len(p.Steps)))
	for _, s := range secs {
		var b [sectionSize]byte
		s.put(b[:])
		e.row = append(e.row, b[:]...)
	}
}

func (e *encoder) flows(l []Flow) (ats, flows section) {
	n := 0
	for i := range l {
		n += len(l[i].At)
	}
	at := 0   // of l
	done := 0 // of what that flow has
	ats = e.table(n, flowAtSize, func(int) {
		for done == len(l[at].At) {
			at, done = at+1, 0
		}
		a := &l[at].At[done]
		done++
		e.word(uint32(a.Point))
		e.word(streamWord(a.Stream))
		for _, d := range [...]int64{a.RTT, a.RTTClient, a.RTTServer} {
			e.stamp(d, d >= 0)
		}
		e.word(e.text(a.Src))
		e.word(e.text(a.Dst))
		e.word(uint32(a.Sport) | uint32(a.Dport)<<16)
	})
	first := 0
	flows = e.table(len(l), flowSize, func(i int) {
		f := &l[i]
		e.word(f.ID)
		e.word(e.text(f.Path))
		e.word(e.text(f.PathReverse))
		e.word(uint32(first))
		e.word(uint32(len(f.At)))
		first += len(f.At)
	})
	return ats, flows
}

func (e *encoder) strings() (text, index section) {
	text = section{off: e.off, width: 1}
	size := uint64(0)
	for _, s := range e.texts {
		e.write([]byte(s))
		size += uint64(len(s))
	}
	if size > math.MaxUint32-1 && e.err == nil {
		e.err = fmt.Errorf("%d bytes of texts", size)
	}
	text.count = uint32(size)
	at := uint32(0)
	index = e.table(len(e.texts), stringSize, func(i int) {
		e.word(at)
		e.word(uint32(len(e.texts[i])))
		at += uint32(len(e.texts[i]))
	})
	return text, index
}

// encode writes what belongs to one capture beside its records.
func (c *CaptureWriter) encode(e *encoder) (secs [pointSections]section) {
	secs[pointRecords] = section{off: c.off - uint64(c.count)*recordSize, count: c.count, width: recordSize}
	secs[pointPages] = c.encodePages(e)
	var lists []uint32
	list := func(l []string) {
		e.word(uint32(len(lists)))
		e.word(uint32(len(l)))
		for _, s := range l {
			lists = append(lists, e.text(s))
		}
	}
	secs[pointClasses] = e.table(len(c.order), classSize, func(i int) {
		k := &c.w.classes[c.order[i]]
		for _, s := range [...]string{k.Match, k.Fate, k.FateWhere, k.Origin, k.Middlebox} {
			e.word(e.text(s))
		}
		for _, n := range [...]int{k.Hops, k.HopsPeer, k.TTLInitial, k.Confidence, k.PeerPoint} {
			e.word(uint32(int32(n)))
		}
		flags := uint32(0)
		if k.Reverse {
			flags |= classReverse
		}
		if k.PeerDown {
			flags |= classPeerDown
		}
		e.word(flags)
		e.stamp(k.DelayError, k.DelayError >= 0)
		list(k.Kinds)
		list(k.Changed)
	})
	secs[pointLists] = e.table(len(lists), 4, func(i int) { e.word(lists[i]) })
	secs[pointHeap] = section{off: e.off, count: c.heap.words, width: 4}
	if e.err == nil {
		e.append(&c.heap)
	}
	return secs
}

// encodePages writes the by-time index. With the smallest time from a page on and the largest up to it, the pages
// that can hold an instant are found by two binary searches even where records are out of order.
func (c *CaptureWriter) encodePages(e *encoder) section {
	n := len(c.pages)
	from := make([]int64, n+1)
	from[n] = math.MaxInt64
	for i := n - 1; i >= 0; i-- {
		from[i] = min(from[i+1], c.pages[i].min)
	}
	upTo := int64(math.MinInt64)
	return e.table(n, pageSize, func(i int) {
		p := &c.pages[i]
		upTo = max(upTo, p.max)
		for _, t := range [...]int64{from[i], upTo, p.min, p.max} {
			e.stamp(clampStamp(t), true)
		}
		ordered := uint32(1)
		if p.disorder {
			ordered = 0
		}
		e.word(ordered)
	})
}

// clampStamp keeps the ends of an empty page's range (no record with a time) in what a stamp holds.
func clampStamp(t int64) int64 {
	const limit = (1<<33 - 1) * second
	return max(min(t, limit), -limit)
}
