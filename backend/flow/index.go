package flow

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The facts of a sealed capture as bytes (docs/formats.md): a head in JSON, then tables, each as columns of little-endian
// numbers in groups of groupRows rows, so that a reader holds no more than what has come in.

const (
	headMost = 1 << 24 // bytes of the head
	textMost = 1 << 12 // bytes of a name
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
	OptionsCut, HeadersCut, QuotesCut                         bool
	Facts, Convs, Links, Handshakes, Ties, Kept, Runs, Fronts int
	Names                                                     int
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
		Oddities: c.Oddities, First: int64(c.First), Last: int64(c.Last), AnyCut: c.AnyCut, MinHead: c.MinHead, OptionsCut: c.OptionsCut, HeadersCut: c.HeadersCut, QuotesCut: c.QuotesCut, Facts: c.n, Convs: len(c.Convs), Links: len(c.Links),
		Handshakes: len(c.Handshakes), Ties: c.ties.n, Kept: len(c.kept.kept), Runs: len(runs), Fronts: len(fronts), Names: len(names)})
	if err != nil {
		return err
	}
	if _, err := w.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(head))), head...)); err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<20)
	ties := c.Ties()
	group, at := []placed(nil), -1 // of groupRows, whose columns are written one after another
	var t talk
	var k heldBytes
	err = errors.Join(
		factTable.write(b, c.n, func(i int) *placed {
			if i/groupRows != at {
				c.visitGroup(i)
				group, at = group[:0], i/groupRows
				for i := uint32(i); i < min(uint32(at+1)*groupRows, uint32(c.n)); i++ {
					group = append(group, placed{c.At(i), &c.frames[i], c.FrameLen(i), c.LinkID(i)})
				}
			}
			return &group[i%groupRows]
		}),
		linkTable.write(b, len(c.Links), func(i int) *Link { return &c.Links[i] }),
		talkTable.write(b, len(c.Convs), func(i int) *talk {
			t = talk{*c.Conv(ConvID(i)), c.Convs[i], uint32(c.Count(ConvID(i)))}
			return &t
		}),
		handshakeTable.write(b, len(c.Handshakes), func(i int) *Handshake { return &c.Handshakes[i] }),
		tieTable.write(b, len(ties), func(i int) *Tie { return &ties[i] }),
		keptTable.write(b, len(c.kept.kept), func(i int) *heldBytes {
			k = heldBytes{c.kept.kept[i].place, c.kept.kept[i].n}
			return &k
		}),
	)
	for i := range c.kept.kept {
		_, werr := b.Write(c.kept.bytes(&c.kept.kept[i]))
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
