package flow

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
)

// ReadIndex reads what WriteIndex wrote and gives the name of the file that it was made of. What can't be is refused with
// ErrIndex: the rest of corr takes facts as they are.
func ReadIndex(r io.Reader, store *Store) (c *Capture, file string, err error) {
	h, err := readHead(r)
	if err != nil {
		return nil, "", err
	}
	const most = 1<<31 - 2
	for _, x := range []int{h.Facts, h.Convs, h.Links, h.Handshakes, h.Ties, h.Kept, h.Runs, h.Fronts, h.Names} {
		if x < 0 || x > most {
			return nil, "", damaged("a table of %d rows", x)
		}
	}
	c = &Capture{Format: h.Format, LinkTy: capture.LinkType(h.Link), Truncated: h.Truncated, Filter: h.Filter, Dropped: h.Dropped, Oddities: h.Oddities,
		First: capture.LocalTime(h.First), Last: capture.LocalTime(h.Last), AnyCut: h.AnyCut, MinHead: h.MinHead, OptionsCut: h.OptionsCut, HeadersCut: h.HeadersCut, QuotesCut: h.QuotesCut, Store: store,
		Sealed: &Sealed{Runs: map[ConvID][]Run{}, Fronts: map[ConvID]Front{}, Names: map[ConvID]Names{}}}
	if c.Oddities == nil {
		c.Oddities = map[string]int64{}
	}
	if err := c.readFacts(r, h.Facts); err != nil {
		return nil, "", err
	}
	if c.Links, err = linkTable.readAll(r, h.Links); err != nil {
		return nil, "", err
	}
	if err := c.readTalks(r, h.Convs); err != nil {
		return nil, "", err
	}
	if c.Handshakes, err = handshakeTable.readAll(r, h.Handshakes); err != nil {
		return nil, "", err
	}
	if err := c.check(); err != nil {
		return nil, "", err
	}
	ties, err := tieTable.readAll(r, h.Ties)
	if err != nil {
		return nil, "", err
	}
	for k, x := range ties {
		if x.Frame == 0 || int(x.Frame) > c.n || k > 0 && ties[k-1].Frame >= x.Frame {
			return nil, "", damaged("a tie of frame %d", x.Frame)
		}
		c.ties.add(uint32(x.Frame-1), x.Digest)
	}
	if err := c.readKept(r, h.Kept); err != nil {
		return nil, "", err
	}
	return c, h.File, c.readSealed(r, h)
}

// IndexFile is the name of the file that an index was made of.
func IndexFile(r io.Reader) (string, error) {
	h, err := readHead(r)
	if err != nil {
		return "", err
	}
	return h.File, nil
}

func readHead(r io.Reader) (*indexHead, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n > headMost {
		return nil, damaged("its head is of %d bytes", n)
	}
	text, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return nil, err
	}
	h := &indexHead{}
	if err := json.Unmarshal(text, h); err != nil {
		return nil, damaged("its head is no JSON")
	}
	return h, nil
}

// readFacts fills chunks and frames.
func (c *Capture) readFacts(r io.Reader, n int) error {
	var rows []placed
	take := func() { // once rows are filled
		for _, x := range rows {
			c.enclose(x.Fact, *x.frame, x.length, x.link)
		}
	}
	err := factTable.read(r, n, func(k int) []placed {
		take()
		rows = slices.Grow(rows[:0], k)[:k]
		from := c.n
		c.frames = append(c.frames, make([]uint32, k)...)
		for i := range rows {
			if c.n&(factChunk-1) == 0 {
				c.chunks = append(c.chunks, (*[factChunk]Fact)(Column[Fact](c.Store, factChunk)))
			}
			rows[i] = placed{c.At(uint32(c.n)), &c.frames[from+i], 0, 0}
			c.n++
		}
		return rows
	})
	if err != nil {
		return err
	}
	take()
	c.envelopes.sort()
	return nil
}

// readTalks fills the table of conversations, Convs and start.
func (c *Capture) readTalks(r io.Reader, n int) error {
	c.table = &Table{}
	var rows []talk
	total := uint64(0)
	done := 0
	take := func() error {
		for i := range rows[:done] {
			t := &rows[i]
			if c.table.n%convChunkLen == 0 {
				c.table.chunks = append(c.table.chunks, new([convChunkLen]Conv))
			}
			*c.tableSlot() = t.Conv
			c.Convs = append(c.Convs, t.Info)
			c.start = append(c.start, uint32(total))
			if total += uint64(t.facts); total > uint64(c.n) {
				return damaged("conversations of more packets than there are")
			}
		}
		return nil
	}
	var failed error
	err := talkTable.read(r, n, func(k int) []talk {
		if failed == nil {
			failed = take()
		}
		done = k
		rows = slices.Grow(rows[:0], k)[:k]
		clear(rows)
		return rows
	})
	if failed == nil {
		failed = take()
	}
	c.start = append(c.start, uint32(total))
	return errors.Join(failed, err)
}

func (c *Capture) tableSlot() *Conv {
	id := ConvID(c.table.n)
	c.table.n++
	return c.table.Conv(id)
}

// check refuses what no capture gives: places and frames that do not fit together.
func (c *Capture) check() error {
	seen := make([]uint64, c.n/64+1)
	for i, f := range c.frames {
		if int(f) >= c.n || seen[f/64]>>(f%64)&1 != 0 {
			return damaged("frame %d in place %d", f, i)
		}
		seen[f/64] |= 1 << (f % 64)
		c.visitGroup(i)
		if link := c.LinkID(uint32(i)); int(link) >= len(c.Links) {
			return damaged("link %d of %d", link, len(c.Links))
		}
	}
	if len(c.Links) > 1<<16 {
		return damaged("%d links", len(c.Links))
	}
	for k := range c.Links {
		if int(c.Links[k].NTunnel) > len(c.Links[k].Tunnel) {
			return damaged("%d tunnels", c.Links[k].NTunnel)
		}
	}
	for id := range c.Convs {
		if err := c.checkConversation(ConvID(id)); err != nil {
			return err
		}
	}
	for i := c.LooseFrom() + 1; i < uint32(c.n); i++ {
		if c.frames[i-1] >= c.frames[i] {
			return damaged("frames out of order")
		}
	}
	for k := range c.Handshakes {
		h := &c.Handshakes[k]
		if int(h.Fact) >= c.n || k > 0 && c.Handshakes[k-1].Fact > h.Fact || int(h.NKinds) > len(h.Kinds) {
			return damaged("handshake %d", k)
		}
	}
	c.settleEnds()
	return nil
}

func (c *Capture) checkConversation(id ConvID) error {
	from, to := c.Span(id)
	in := &c.Convs[id]
	inside := func(i uint32) bool { return from <= i && i < to }
	var n, errs [2]uint32
	var size [2]uint64
	for i := from; i < to; i++ {
		if i > from && c.frames[i-1] >= c.frames[i] {
			return damaged("frames of conversation %d out of order", id)
		}
		f := c.At(i)
		n[f.Dir()]++
		if f.Is(MarkError) {
			errs[f.Dir()]++
		} else {
			size[f.Dir()] += uint64(f.Len())
		}
	}
	if n != in.Packets || errs != in.Errors || size != in.Bytes {
		return damaged("conversation %d adds up to something else", id)
	}
	if v := c.Conv(id).Version; v != 4 && v != 6 {
		return damaged("conversation %d is of IP version %d", id, v)
	}
	if from < to && (!inside(in.First) || !inside(in.Last)) {
		return damaged("conversation %d begins or ends elsewhere", id)
	}
	for d := range in.Data {
		if in.Data[d].Seen && !inside(in.Data[d].Fact) {
			return damaged("data of conversation %d elsewhere", id)
		}
	}
	for _, k := range []int32{in.SYN, in.SYNACK} {
		if k < -1 || int(k) >= len(c.Handshakes) || k >= 0 && !inside(c.Handshakes[k].Fact) {
			return damaged("handshake of conversation %d elsewhere", id)
		}
	}
	return nil
}

// fingerprintsMost is far more than an index of DefaultPayloadBudget holds, and as much as payloads has blocks for.
const fingerprintsMost = 1 << 31

// readKept reads fingerprints.
func (c *Capture) readKept(r io.Reader, n int) error {
	rows, err := keptTable.readAll(r, n)
	if err != nil {
		return err
	}
	c.kept.store = c.Store
	total := 0
	for k, x := range rows {
		if int(x.place) >= c.n || k > 0 && rows[k-1].place >= x.place || x.n > c.At(x.place).Len() {
			return damaged("fingerprints of place %d", x.place)
		}
		if x.n > payloadBlock {
			return damaged("%d fingerprints of one packet", x.n)
		}
		if total += int(x.n); total > fingerprintsMost {
			return damaged("more fingerprints than corr makes")
		}
		if _, err := io.ReadFull(r, c.kept.room(x.place, int(x.n))); err != nil {
			return err
		}
	}
	c.kept.indexed(c.n)
	return nil
}

func (c *Capture) readSealed(r io.Reader, h *indexHead) error {
	s := c.Sealed
	runs, err := runTable.readAll(r, h.Runs)
	if err != nil {
		return err
	}
	fronts, err := frontTable.readAll(r, h.Fronts)
	if err != nil {
		return err
	}
	names, err := nameTable.readAll(r, h.Names)
	if err != nil {
		return err
	}
	known := func(id ConvID) bool { return int(id) < len(c.Convs) }
	for _, x := range runs {
		if !known(x.conv) || x.Dir > 1 {
			return damaged("a run of conversation %d", x.conv)
		}
		s.Runs[x.conv] = append(s.Runs[x.conv], x.Run)
	}
	for _, x := range fronts {
		if !known(x.conv) || x.dir > 1 {
			return damaged("a PROXY header of conversation %d", x.conv)
		}
		s.Fronts[x.conv] = Front{int(x.dir), x.Tuple}
	}
	for _, x := range names {
		if !known(x.conv) || x.way > 1 || x.n > textMost {
			return damaged("a name in conversation %d", x.conv)
		}
		if from, to := c.Span(x.conv); x.Place < from || x.Place >= to {
			return damaged("a name in place %d", x.Place)
		}
		text := make([]byte, x.n)
		if _, err := io.ReadFull(r, text); err != nil {
			return err
		}
		x.Text = string(text)
		l := s.Names[x.conv]
		l[x.way] = append(l[x.way], x.Name)
		s.Names[x.conv] = l
	}
	return nil
}
