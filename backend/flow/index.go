package flow

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/decode"
)

// The facts of a sealed capture as bytes (docs/formats.md): a head in JSON, then tables, each as columns of little-endian
// numbers in groups of groupRows rows, so that a reader holds no more than what has come in.

const (
	groupRows = 1 << 16
	headMost  = 1 << 24 // bytes of the head
	textMost  = 1 << 12 // bytes of a name
)

// ErrIndex says that an index is damaged.
var ErrIndex = errors.New("the index is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrIndex, fmt.Sprintf(format, args...))
}

// indexHead is the JSON head.
type indexHead struct {
	File                                                      string
	Format                                                    string
	Link                                                      uint32
	Truncated, Filter                                         string
	Dropped                                                   uint64
	Oddities                                                  map[string]int64
	First, Last                                               int64 // ns
	AnyCut, MinHead                                           [2]bool
	Facts, Convs, Links, Handshakes, Ties, Kept, Runs, Fronts int
	Names                                                     int
}

// column is a number in a row.
type column[T any] struct {
	bytes int
	get   func(*T) uint64
	set   func(*T, uint64)
}

// table writes and reads rows of one kind.
type table[T any] []column[T]

func (t table[T]) write(w io.Writer, n int, row func(i int) *T) error {
	buf := make([]byte, 0, 8*groupRows)
	for from := 0; from < n; from += groupRows {
		to := min(n, from+groupRows)
		for _, c := range t {
			buf = buf[:0]
			for i := from; i < to; i++ {
				x := c.get(row(i))
				switch c.bytes {
				case 1:
					buf = append(buf, byte(x))
				case 2:
					buf = binary.LittleEndian.AppendUint16(buf, uint16(x))
				case 4:
					buf = binary.LittleEndian.AppendUint32(buf, uint32(x))
				default:
					buf = binary.LittleEndian.AppendUint64(buf, x)
				}
			}
			if _, err := w.Write(buf); err != nil {
				return err
			}
		}
	}
	return nil
}

// read calls room for each group of rows to come and fills what it gives.
func (t table[T]) read(r io.Reader, n int, room func(n int) []T) error {
	var buf []byte
	for from := 0; from < n; from += groupRows {
		k := min(n-from, groupRows)
		var rows []T
		for j, c := range t {
			var err error
			if buf, err = fill(r, buf, k*c.bytes); err != nil {
				return err
			}
			b := buf
			if j == 0 {
				rows = room(k) // not before anything has come
			}
			for i := range rows {
				switch c.bytes {
				case 1:
					c.set(&rows[i], uint64(b[i]))
				case 2:
					c.set(&rows[i], uint64(binary.LittleEndian.Uint16(b[2*i:])))
				case 4:
					c.set(&rows[i], uint64(binary.LittleEndian.Uint32(b[4*i:])))
				default:
					c.set(&rows[i], binary.LittleEndian.Uint64(b[8*i:]))
				}
			}
		}
	}
	return nil
}

// fillStep is how many bytes are believed in before they have come.
const fillStep = 1 << 14

// fill reads n bytes into buf, which grows with what comes in.
func fill(r io.Reader, buf []byte, n int) ([]byte, error) {
	buf = buf[:0]
	for len(buf) < n {
		from := len(buf)
		to := min(n, max(cap(buf), from+fillStep))
		buf = slices.Grow(buf, to-from)[:to]
		if _, err := io.ReadFull(r, buf[from:]); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// readAll reads rows into a slice that grows with what comes in.
func (t table[T]) readAll(r io.Reader, n int) ([]T, error) {
	var out []T
	err := t.read(r, n, func(k int) []T {
		out = slices.Grow(out, k)[:len(out)+k]
		return out[len(out)-k:]
	})
	return out, err
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// u is a column of an unsigned number that lies in a row.
func u[T any, N ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int16 | ~int32 | ~int64](at func(*T) *N) column[T] {
	var x N
	return column[T]{binary.Size(x), func(t *T) uint64 { return uint64(*at(t)) }, func(t *T, v uint64) { *at(t) = N(v) }}
}

// yes is a column of a truth.
func yes[T any](at func(*T) *bool) column[T] {
	return column[T]{1, func(t *T) uint64 { return flag(*at(t)) }, func(t *T, v uint64) { *at(t) = v != 0 }}
}

// b8 are eight bytes that lie in a row.
func b8[T any](at func(*T) []byte) column[T] {
	return column[T]{8, func(t *T) uint64 { return binary.LittleEndian.Uint64(at(t)) }, func(t *T, v uint64) { binary.LittleEndian.PutUint64(at(t), v) }}
}

// placed is a fact and its frame.
type placed struct {
	*Fact
	frame *uint32
}

var factTable = table[placed]{
	{8, func(f *placed) uint64 { return uint64(f.Time) }, func(f *placed, x uint64) { f.Time = capture.LocalTime(x) }},
	{4, func(f *placed) uint64 { return uint64(*f.frame) }, func(f *placed, x uint64) { *f.frame = uint32(x) }},
	u(func(f *placed) *uint32 { return &f.Seq }),
	u(func(f *placed) *uint32 { return &f.Ack }),
	u(func(f *placed) *uint32 { return &f.Full }),
	u(func(f *placed) *uint32 { return &f.Head }),
	u(func(f *placed) *uint32 { return &f.TSval }),
	u(func(f *placed) *uint32 { return &f.Opt }),
	u(func(f *placed) *uint32 { return &f.FrameLen }),
	u(func(f *placed) *uint32 { return &f.Len }),
	u(func(f *placed) *uint16 { return &f.IPID }),
	u(func(f *placed) *uint16 { return &f.Window }),
	u(func(f *placed) *uint16 { return &f.Flags }),
	u(func(f *placed) *uint8 { return &f.TTL }),
	u(func(f *placed) *uint8 { return &f.TOS }),
	u(func(f *placed) *Mark { return &f.Mark }),
	u(func(f *placed) *uint16 { return &f.Link }),
	{1, func(f *placed) uint64 { return uint64(f.Conv & 1) }, func(f *placed, x uint64) { f.Conv = uint32(x) & 1 }},
}

var linkTable = table[Link]{
	{8, func(l *Link) uint64 { return mac(&l.Src) }, func(l *Link, x uint64) { setMAC(&l.Src, x) }},
	{8, func(l *Link) uint64 { return mac(&l.Dst) }, func(l *Link, x uint64) { setMAC(&l.Dst, x) }},
	yes(func(l *Link) *bool { return &l.HasMAC }),
	u(func(l *Link) *uint32 { return &l.Interface }),
	u(func(l *Link) *capture.Direction { return &l.Direction }),
	u(func(l *Link) *uint8 { return &l.VLANs }),
	u(func(l *Link) *uint16 { return &l.VLAN }),
	u(func(l *Link) *uint8 { return &l.NTunnel }),
	u(func(l *Link) *decode.Tunnel { return &l.Tunnel[0] }),
	u(func(l *Link) *decode.Tunnel { return &l.Tunnel[1] }),
	u(func(l *Link) *decode.Tunnel { return &l.Tunnel[2] }),
	u(func(l *Link) *decode.Tunnel { return &l.Tunnel[3] }),
	u(func(l *Link) *uint32 { return &l.VNI }),
	b8(func(l *Link) []byte { return l.OuterSrc[:8] }), b8(func(l *Link) []byte { return l.OuterSrc[8:] }),
	b8(func(l *Link) []byte { return l.OuterDst[:8] }), b8(func(l *Link) []byte { return l.OuterDst[8:] }),
	u(func(l *Link) *uint8 { return &l.OuterVer }),
}

func mac(m *[6]byte) uint64 {
	var b [8]byte
	copy(b[:], m[:])
	return binary.LittleEndian.Uint64(b[:])
}

func setMAC(m *[6]byte, x uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], x)
	copy(m[:], b[:])
}

// talk is a conversation and what its packets add up to.
type talk struct {
	Conv
	Info
	facts uint32
}

var talkTable = table[talk]{
	u(func(t *talk) *uint32 { return &t.facts }),
	b8(func(t *talk) []byte { return t.Src[:8] }), b8(func(t *talk) []byte { return t.Src[8:] }),
	b8(func(t *talk) []byte { return t.Dst[:8] }), b8(func(t *talk) []byte { return t.Dst[8:] }),
	u(func(t *talk) *uint16 { return &t.Sport }),
	u(func(t *talk) *uint16 { return &t.Dport }),
	u(func(t *talk) *uint8 { return &t.Proto }),
	u(func(t *talk) *uint8 { return &t.Version }),
	yes(func(t *talk) *bool { return &t.HasPorts }),
	u(func(t *talk) *uint16 { return &t.Instance }),
	u(func(t *talk) *int32 { return &t.Stream }),
	u(func(t *talk) *int32 { return &t.StreamBack }),
	u(func(t *talk) *uint32 { return &t.Conv.Packets }),
	u(func(t *talk) *capture.FrameNo { return &t.Conv.First }),
	u(func(t *talk) *uint32 { return &t.Info.Packets[0] }), u(func(t *talk) *uint32 { return &t.Info.Packets[1] }),
	u(func(t *talk) *uint32 { return &t.Errors[0] }), u(func(t *talk) *uint32 { return &t.Errors[1] }),
	u(func(t *talk) *uint64 { return &t.Bytes[0] }), u(func(t *talk) *uint64 { return &t.Bytes[1] }),
	u(func(t *talk) *uint32 { return &t.Info.First }), u(func(t *talk) *uint32 { return &t.Last }),
	u(func(t *talk) *int32 { return &t.SYN }), u(func(t *talk) *int32 { return &t.SYNACK }),
	u(func(t *talk) *uint32 { return &t.Data[0].Fact }), u(func(t *talk) *uint32 { return &t.Data[1].Fact }),
	yes(func(t *talk) *bool { return &t.Data[0].Seen }), yes(func(t *talk) *bool { return &t.Data[1].Seen }),
	u(func(t *talk) *uint32 { return &t.Data[0].H16 }), u(func(t *talk) *uint32 { return &t.Data[1].H16 }),
	u(func(t *talk) *uint32 { return &t.Data[0].H32 }), u(func(t *talk) *uint32 { return &t.Data[1].H32 }),
	u(func(t *talk) *uint32 { return &t.Data[0].H64 }), u(func(t *talk) *uint32 { return &t.Data[1].H64 }),
	u(func(t *talk) *uint8 { return &t.Data[0].Class }), u(func(t *talk) *uint8 { return &t.Data[1].Class }),
	u(func(t *talk) *uint16 { return &t.Flags[0] }), u(func(t *talk) *uint16 { return &t.Flags[1] }),
}

var handshakeTable = table[Handshake]{
	u(func(h *Handshake) *uint32 { return &h.Fact }),
	u(func(h *Handshake) *int32 { return &h.MSS }),
	u(func(h *Handshake) *int16 { return &h.WScale }),
	yes(func(h *Handshake) *bool { return &h.SACKPerm }), yes(func(h *Handshake) *bool { return &h.HasTS }),
	yes(func(h *Handshake) *bool { return &h.TFO }), yes(func(h *Handshake) *bool { return &h.MPTCP }),
	b8(func(h *Handshake) []byte { return h.Kinds[:8] }), b8(func(h *Handshake) []byte { return h.Kinds[8:] }),
	u(func(h *Handshake) *uint8 { return &h.NKinds }),
}

var tieTable = table[Tie]{u(func(t *Tie) *capture.FrameNo { return &t.Frame }), u(func(t *Tie) *uint32 { return &t.Digest })}

// heldBytes are the fingerprints of one packet; the bytes themselves follow the table.
type heldBytes struct{ place, n uint32 }

var keptTable = table[heldBytes]{u(func(k *heldBytes) *uint32 { return &k.place }), u(func(k *heldBytes) *uint32 { return &k.n })}

// runOf is a run and its conversation.
type runOf struct {
	Run
	conv ConvID
}

var runTable = table[runOf]{
	u(func(r *runOf) *ConvID { return &r.conv }), u(func(r *runOf) *uint8 { return &r.Kind }), u(func(r *runOf) *uint8 { return &r.Dir }),
	u(func(r *runOf) *uint64 { return &r.Hash }), u(func(r *runOf) *uint64 { return &r.N }),
}

// frontOf is a front and its conversation.
type frontOf struct {
	Tuple
	dir  uint8
	conv ConvID
}

var frontTable = table[frontOf]{
	u(func(f *frontOf) *ConvID { return &f.conv }), u(func(f *frontOf) *uint8 { return &f.dir }),
	b8(func(f *frontOf) []byte { return f.Src[:8] }), b8(func(f *frontOf) []byte { return f.Src[8:] }),
	b8(func(f *frontOf) []byte { return f.Dst[:8] }), b8(func(f *frontOf) []byte { return f.Dst[8:] }),
	u(func(f *frontOf) *uint16 { return &f.Sport }), u(func(f *frontOf) *uint16 { return &f.Dport }),
}

// nameOf is a name, its conversation and the initiator's direction; the texts follow the table.
type nameOf struct {
	Name
	conv ConvID
	way  uint8
	n    uint32
}

var nameTable = table[nameOf]{
	u(func(n *nameOf) *ConvID { return &n.conv }), u(func(n *nameOf) *uint8 { return &n.way }),
	u(func(n *nameOf) *uint32 { return &n.Place }), u(func(n *nameOf) *uint32 { return &n.n }),
}

// WriteIndex writes a sealed capture. file is the name of the file that it was made of.
func (c *Capture) WriteIndex(w io.Writer, file string) error {
	var runs []runOf
	var fronts []frontOf
	var names []nameOf
	for id := range c.Convs {
		id := ConvID(id)
		for _, r := range c.Sealed.Runs[id] {
			runs = append(runs, runOf{r, id})
		}
		if f, ok := c.Sealed.Fronts[id]; ok {
			fronts = append(fronts, frontOf{f.Tuple, uint8(f.Dir), id})
		}
		for way, l := range c.Sealed.Names[id] {
			for _, n := range l {
				n.Text = n.Text[:min(len(n.Text), textMost)]
				names = append(names, nameOf{n, id, uint8(way), uint32(len(n.Text))})
			}
		}
	}
	head, err := json.Marshal(indexHead{File: file, Format: c.Format, Link: uint32(c.LinkTy), Truncated: c.Truncated, Filter: c.Filter, Dropped: c.Dropped,
		Oddities: c.Oddities, First: int64(c.First), Last: int64(c.Last), AnyCut: c.AnyCut, MinHead: c.MinHead, Facts: c.n, Convs: len(c.Convs), Links: len(c.Links),
		Handshakes: len(c.Handshakes), Ties: c.ties.n, Kept: len(c.kept.kept), Runs: len(runs), Fronts: len(fronts), Names: len(names)})
	if err != nil {
		return err
	}
	if _, err := w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(head))), head...)); err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<20)
	var p placed
	var t talk
	var k heldBytes
	err = errors.Join(
		factTable.write(b, c.n, func(i int) *placed {
			c.visitGroup(i)
			p = placed{c.At(uint32(i)), &c.frames[i]}
			return &p
		}),
		linkTable.write(b, len(c.Links), func(i int) *Link { return &c.Links[i] }),
		talkTable.write(b, len(c.Convs), func(i int) *talk {
			t = talk{*c.Conv(ConvID(i)), c.Convs[i], uint32(c.Count(ConvID(i)))}
			return &t
		}),
		handshakeTable.write(b, len(c.Handshakes), func(i int) *Handshake { return &c.Handshakes[i] }),
		tieTable.write(b, c.ties.n, c.ties.at),
		keptTable.write(b, len(c.kept.kept), func(i int) *heldBytes {
			k = heldBytes{c.kept.kept[i].place, c.kept.kept[i].n}
			return &k
		}),
	)
	for _, x := range c.kept.kept {
		_, werr := b.Write(c.kept.blocks[x.block][x.from : x.from+x.n])
		err = errors.Join(err, werr)
	}
	err = errors.Join(err,
		runTable.write(b, len(runs), func(i int) *runOf { return &runs[i] }),
		frontTable.write(b, len(fronts), func(i int) *frontOf { return &fronts[i] }),
		nameTable.write(b, len(names), func(i int) *nameOf { return &names[i] }))
	for i := range names {
		_, werr := b.WriteString(names[i].Text)
		err = errors.Join(err, werr)
	}
	return errors.Join(err, b.Flush())
}

// visitGroup tells the store of the facts to come.
func (c *Capture) visitGroup(i int) {
	if i%groupRows == 0 {
		c.Store.Visit(groupRows)
	}
}

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
		First: capture.LocalTime(h.First), Last: capture.LocalTime(h.Last), AnyCut: h.AnyCut, MinHead: h.MinHead, Store: store,
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
		if x.Frame == 0 || int(x.Frame) > c.n || k > 0 && ties[k-1].Frame > x.Frame {
			return nil, "", damaged("a tie of frame %d", x.Frame)
		}
		c.ties.add(x)
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
	return factTable.read(r, n, func(k int) []placed {
		rows = slices.Grow(rows[:0], k)[:k]
		from := c.n
		c.frames = append(c.frames, make([]uint32, k)...)
		for i := range rows {
			if c.n&(factChunk-1) == 0 {
				c.chunks = append(c.chunks, Column[Fact](c.Store, factChunk)[:0])
			}
			l := len(c.chunks) - 1
			c.chunks[l] = c.chunks[l][:len(c.chunks[l])+1]
			rows[i] = placed{&c.chunks[l][len(c.chunks[l])-1], &c.frames[from+i]}
			c.n++
		}
		return rows
	})
}

// readTalks fills the table of conversations, Convs and start, and gives the facts their conversations.
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
			id := ConvID(c.table.n)
			*c.tableSlot() = t.Conv
			c.Convs = append(c.Convs, t.Info)
			c.start = append(c.start, uint32(total))
			if total += uint64(t.facts); total > uint64(c.n) {
				return damaged("conversations of more packets than there are")
			}
			for i := uint32(total) - t.facts; i < uint32(total); i++ {
				c.At(i).Conv |= uint32(id) << 1
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
	for i := uint32(total); i < uint32(c.n); i++ {
		c.At(i).Conv = uint32(NoConv) << 1
	}
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
		x := c.At(uint32(i))
		if int(x.Link) >= len(c.Links) {
			return damaged("link %d of %d", x.Link, len(c.Links))
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
	if c.n > 0 {
		place := c.places()
		c.first, c.last = place[0], place[c.n-1]
	}
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
			size[f.Dir()] += uint64(f.Len)
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

// readKept reads fingerprints.
func (c *Capture) readKept(r io.Reader, n int) error {
	rows, err := keptTable.readAll(r, n)
	if err != nil {
		return err
	}
	c.kept.store = c.Store
	for k, x := range rows {
		if int(x.place) >= c.n || k > 0 && rows[k-1].place >= x.place || x.n > c.At(x.place).Len {
			return damaged("fingerprints of place %d", x.place)
		}
		if x.n > payloadBlock {
			return damaged("%d fingerprints of one packet", x.n)
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
