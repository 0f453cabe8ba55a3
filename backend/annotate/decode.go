package annotate

import (
	"fmt"
	"io"

	"github.com/corr-dev/corr/backend/capture"
)

// decoder reads tables, each bounded by the file's size.
type decoder struct {
	in    io.ReaderAt
	size  uint64
	texts []string
}

// bytes reads a whole section after checking that it lies within the file.
func (d *decoder) bytes(s section, width uint32) ([]byte, error) {
	if err := d.check(s, width); err != nil {
		return nil, err
	}
	b := make([]byte, uint64(s.count)*uint64(width))
	if len(b) == 0 {
		return b, nil
	}
	if _, err := d.in.ReadAt(b, int64(s.off)); err != nil {
		return nil, err
	}
	return b, nil
}

func (d *decoder) check(s section, width uint32) error {
	if s.width != width {
		return fmt.Errorf("%w: a table has %d bytes a row, not %d", ErrDamaged, s.width, width)
	}
	if n := uint64(s.count) * uint64(width); n > d.size || s.off > d.size-n {
		return fmt.Errorf("%w: a table lies outside of the file", ErrDamaged)
	}
	return nil
}

// row gives row i of a table.
func row(b []byte, i, width int) []byte { return b[i*width : (i+1)*width] }

func word(b []byte, i int) uint32 { return le.Uint32(b[4*i:]) }

// tables reads everything but records and heaps.
func (d *decoder) tables(f *File, dir []byte) error {
	var secs [sectionCount]section
	for i := range secs {
		secs[i] = getSection(dir[i*sectionSize:])
	}
	if err := d.strings(secs[secStrings], secs[secText]); err != nil {
		return err
	}
	if err := d.points(f, secs[secPoints], secs[secSteps]); err != nil {
		return err
	}
	if err := d.flows(f, secs[secFlows], secs[secFlowAts]); err != nil {
		return err
	}
	b, err := d.bytes(secs[secFindings], findingSize)
	if err != nil {
		return err
	}
	for ; len(b) > 0; b = b[findingSize:] {
		f.Tables.Findings = append(f.Tables.Findings, Finding{d.text(word(b, 0)), d.text(word(b, 1)), d.text(word(b, 2))})
	}
	if b, err = d.bytes(secs[secLogs], logSize); err != nil {
		return err
	}
	for ; len(b) > 0; b = b[logSize:] {
		f.Tables.Logs = append(f.Tables.Logs, Log{d.text(word(b, 0)), d.text(word(b, 1))})
	}
	return nil
}

func (d *decoder) strings(index, text section) error {
	all, err := d.bytes(text, 1)
	if err != nil {
		return err
	}
	b, err := d.bytes(index, stringSize)
	if err != nil {
		return err
	}
	d.texts = make([]string, index.count)
	for i := range d.texts {
		r := row(b, i, stringSize)
		off, n := uint64(word(r, 0)), uint64(word(r, 1))
		if off+n > uint64(len(all)) || n > maxTextSize {
			return fmt.Errorf("%w: text %d lies outside of its table", ErrDamaged, i)
		}
		d.texts[i] = string(all[off : off+n])
	}
	return nil
}

// text gives a text by its reference; what leads nowhere is empty, for it says nothing.
func (d *decoder) text(ref uint32) string {
	if uint64(ref) >= uint64(len(d.texts)) {
		return ""
	}
	return d.texts[ref]
}

func (d *decoder) points(f *File, points, steps section) error {
	sb, err := d.bytes(steps, stepSize)
	if err != nil {
		return err
	}
	b, err := d.bytes(points, pointSize)
	if err != nil {
		return err
	}
	for ; len(b) > 0; b = b[pointSize:] {
		r := b[:pointSize]
		at, _ := getStamp(r[5*4:])
		offset, _ := getStamp(r[7*4:])
		p := Point{Name: d.text(word(r, 0)), Cell: d.text(word(r, 1)), File: d.text(word(r, 2)), Frames: word(r, 3),
			ClockKnown: word(r, 4)&pointClockKnown != 0, At: capture.LocalTime(at), Offset: offset, DriftPPM: float64(int64(le.Uint64(r[9*4:]))) / 1e12}
		first, n := uint64(word(r, 11)), uint64(word(r, 12))
		if first+n > uint64(steps.count) {
			return fmt.Errorf("%w: clock steps of %q", ErrDamaged, p.Name)
		}
		for i := first; i < first+n; i++ {
			s := row(sb, int(i), stepSize)
			off, _ := getStamp(s[4:])
			p.Steps = append(p.Steps, ClockStep{capture.FrameNo(word(s, 0)), off})
		}
		var secs [pointSections]section
		for i := range secs {
			secs[i] = getSection(r[pointSectionsAt+i*sectionSize:])
		}
		if err := d.point(f, p, secs); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) point(f *File, p Point, secs [pointSections]section) error {
	for i, width := range [pointSections]uint32{recordSize, pageSize, classSize, 4, 4} {
		if err := d.check(secs[i], width); err != nil {
			return err
		}
	}
	if secs[pointRecords].count != p.Frames {
		return fmt.Errorf("%w: %d frames of %q, %d records", ErrDamaged, p.Frames, p.Name, secs[pointRecords].count)
	}
	classes, err := d.classes(secs[pointClasses], secs[pointLists])
	if err != nil {
		return err
	}
	f.Tables.Points = append(f.Tables.Points, p)
	f.points = append(f.points, pointData{records: secs[pointRecords], heap: secs[pointHeap], classes: classes})
	return nil
}

func (d *decoder) classes(classes, lists section) ([]Class, error) {
	lb, err := d.bytes(lists, 4)
	if err != nil {
		return nil, err
	}
	b, err := d.bytes(classes, classSize)
	if err != nil {
		return nil, err
	}
	list := func(first, n uint32) (l []string, err error) {
		if uint64(first)+uint64(n) > uint64(lists.count) {
			return nil, fmt.Errorf("%w: a list lies outside of its table", ErrDamaged)
		}
		for i := range n {
			l = append(l, d.text(word(lb, int(first+i))))
		}
		return l, nil
	}
	var all []Class
	for ; len(b) > 0; b = b[classSize:] {
		num := func(i int) int { return int(int32(word(b, i))) }
		c := Class{Match: d.text(word(b, 0)), Fate: d.text(word(b, 1)), FateWhere: d.text(word(b, 2)), Origin: d.text(word(b, 3)),
			Middlebox: d.text(word(b, 4)), Hops: num(5), HopsPeer: num(6), TTLInitial: num(7), Confidence: num(8), PeerPoint: num(9),
			Reverse: word(b, 10)&classReverse != 0, PeerDown: word(b, 10)&classPeerDown != 0, DelayError: -1}
		if e, ok := getStamp(b[11*4:]); ok {
			c.DelayError = e
		}
		var err1, err2 error
		c.Kinds, err1 = list(word(b, 13), word(b, 14))
		c.Changed, err2 = list(word(b, 15), word(b, 16))
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%w: a list lies outside of its table", ErrDamaged)
		}
		all = append(all, c)
	}
	return all, nil
}

func (d *decoder) flows(f *File, flows, ats section) error {
	ab, err := d.bytes(ats, flowAtSize)
	if err != nil {
		return err
	}
	b, err := d.bytes(flows, flowSize)
	if err != nil {
		return err
	}
	all := make([]FlowAt, ats.count)
	for i := range all {
		r := row(ab, i, flowAtSize)
		a := FlowAt{Point: int(word(r, 0)), Stream: -1, RTT: -1, RTTClient: -1, RTTServer: -1}
		if s := word(r, 1); s != noneWord {
			a.Stream = int64(s)
		}
		for j, p := range [...]*int64{&a.RTT, &a.RTTClient, &a.RTTServer} {
			if ns, ok := getStamp(r[(2+2*j)*4:]); ok {
				*p = ns
			}
		}
		a.Src, a.Dst = d.text(word(r, 8)), d.text(word(r, 9))
		a.Sport, a.Dport = uint16(word(r, 10)), uint16(word(r, 10)>>16)
		all[i] = a
	}
	f.Tables.Flows = make([]Flow, flows.count)
	for i := range f.Tables.Flows {
		r := row(b, i, flowSize)
		first, n := uint64(word(r, 3)), uint64(word(r, 4))
		if first+n > uint64(len(all)) {
			return fmt.Errorf("%w: points of conversation %d", ErrDamaged, word(r, 0))
		}
		f.Tables.Flows[i] = Flow{ID: word(r, 0), Path: d.text(word(r, 1)), PathReverse: d.text(word(r, 2)), At: all[first : first+n : first+n]}
	}
	return nil
}
