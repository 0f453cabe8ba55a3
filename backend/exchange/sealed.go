package exchange

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"github.com/corr-dev/corr/backend/flow"
	"github.com/corr-dev/corr/backend/match"
	"github.com/corr-dev/corr/backend/tlskey"
)

// Sealed are the exchanges of a sealed capture. Few of them will be asked for, so they lie as bytes, by conversation.
type Sealed struct {
	talks  []sealedTalk // ascending
	store  *flow.Store
	blocks [][]byte
}

// sealedTalk are the exchanges of one conversation.
type sealedTalk struct {
	id    flow.ConvID
	bytes []byte
}

// Seal reads the exchanges of a capture that is to be sealed with key. keys open TLS.
func Seal(c *flow.Capture, key *flow.Key, keys *tlskey.Log) *Sealed {
	s := &Sealed{store: c.Store}
	tapes := make([][]byte, min(sealedAtOnce, len(c.Convs)))
	for first := 0; first < len(c.Convs); first += len(tapes) {
		tapes = tapes[:min(len(tapes), len(c.Convs)-first)]
		clear(tapes)
		var next atomic.Int64
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				key := key.Another()
				for k := next.Add(1) - 1; k < int64(len(tapes)); k = next.Add(1) - 1 {
					tapes[k] = sealed(c, flow.ConvID(first+int(k)), key, keys)
				}
			})
		}
		wg.Wait()
		for k, b := range tapes {
			if b != nil {
				s.add(flow.ConvID(first+k), b)
			}
		}
	}
	return s
}

// sealedAtOnce is how many conversations are read before what was read is put away, in their order.
const sealedAtOnce = 1024

// sealed are the exchanges of a conversation, nil for none.
func sealed(c *flow.Capture, id flow.ConvID, key *flow.Key, keys *tlskey.Log) []byte {
	xs := exchangesOf(c, match.Conv{ID: id}, keys)
	if len(xs) == 0 {
		return nil
	}
	t := newTape(c, id)
	for _, x := range xs {
		x.seal(key)
		t.exchange(x)
	}
	return t.b
}

// seal keys what an exchange says of its payload, which may have been opened by keys: all of it is only ever compared.
func (e *Exchange) seal(key *flow.Key) {
	digest := func(s string) string {
		return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, key.Digest(xxhash.Sum64String(s))))
	}
	for k, d := range e.Fields {
		e.Fields[k] = key.Digest(d)
	}
	for k, s := range e.Forwarded {
		e.Forwarded[k] = digest(s)
	}
	e.Client = digest(e.Client)
	if e.Key != "" {
		e.Key = digest(e.Key)
	}
	if e.Name == "" {
		return
	}
	// A proxy may add parts to the front of a target or take some off: one that another ends with still does.
	method, target, _ := strings.Cut(e.Name, " ")
	name := []string{method + " " + digest(target)} // findings say the method
	for k := 1; k < len(target); k++ {
		if target[k] == '/' {
			name = append(name, digest(target[k:]))
		}
	}
	e.Name = strings.Join(name, "/")
}

// sealedBlock is how many bytes of exchanges lie together.
const sealedBlock = 1 << 20

func (s *Sealed) add(id flow.ConvID, b []byte) {
	k := len(s.blocks) - 1
	if k < 0 || cap(s.blocks[k])-len(s.blocks[k]) < len(b) {
		size := sealedBlock
		if k < 0 {
			size = 4 << 10 // small captures need no more
		}
		s.blocks = append(s.blocks, flow.Column[byte](s.store, max(size, len(b)))[:0])
		k++
	}
	from := len(s.blocks[k])
	s.blocks[k] = append(s.blocks[k], b...)
	s.talks = append(s.talks, sealedTalk{id, s.blocks[k][from:len(s.blocks[k]):len(s.blocks[k])]})
}

// wanted are those exchanges, of capture k, whose conversations want says.
func (s *Sealed) wanted(c *flow.Capture, k int, want func(id flow.ConvID) bool) []*Exchange {
	var out []*Exchange
	for _, x := range s.talks {
		if !want(x.id) {
			continue
		}
		x.each(c, func(e Exchange) bool {
			e.Conv.Capture = k
			out = append(out, &e)
			return true
		})
	}
	return out
}

// each calls f for the exchanges of a conversation, until it says no; it reports whether the bytes are some.
func (x *sealedTalk) each(c *flow.Capture, f func(e Exchange) bool) bool {
	t := newTape(c, x.id)
	t.b, t.reading = x.bytes, true
	for len(t.b) > 0 {
		e := Exchange{Conv: match.Conv{ID: x.id}}
		if t.exchange(&e); t.bad || !f(e) {
			return false
		}
	}
	return true
}

// Write writes the exchanges as ReadSealed reads them.
func (s *Sealed) Write(w io.Writer) error {
	b := bufio.NewWriter(w)
	head := binary.AppendUvarint(nil, uint64(len(s.talks)))
	last := flow.ConvID(0)
	for _, x := range s.talks {
		head = binary.AppendUvarint(binary.AppendUvarint(head, uint64(x.id-last)), uint64(len(x.bytes)))
		last = x.id
		for _, p := range [2][]byte{head, x.bytes} {
			if _, err := b.Write(p); err != nil {
				return err
			}
		}
		head = head[:0]
	}
	if _, err := b.Write(head); err != nil {
		return err
	}
	return b.Flush()
}

// ReadSealed reads the exchanges of a sealed capture to the end of r. Those that speak of packets which are not their conversation's
// own are refused with flow.ErrIndex.
func ReadSealed(r *bufio.Reader, c *flow.Capture) (*Sealed, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, err
	}
	s := &Sealed{store: c.Store}
	var id, size uint64
	var buf bytes.Buffer
	for k := range n {
		step, err := binary.ReadUvarint(r)
		if err != nil {
			return nil, err
		}
		if id += step; step >= uint64(len(c.Convs)) || id >= uint64(len(c.Convs)) || k > 0 && step == 0 {
			return nil, fmt.Errorf("%w: exchanges of a conversation that there is not", flow.ErrIndex)
		}
		if size, err = binary.ReadUvarint(r); err != nil {
			return nil, err
		}
		buf.Reset()
		if _, err = io.CopyN(&buf, r, int64(size)); err != nil { // grows with what comes in
			return nil, err
		}
		x := sealedTalk{flow.ConvID(id), buf.Bytes()}
		if buf.Len() == 0 || !x.each(c, func(e Exchange) bool { return e.fits(c) }) {
			return nil, fmt.Errorf("%w: an exchange of frames that there are not", flow.ErrIndex)
		}
		s.add(x.id, x.bytes)
	}
	if _, err := r.ReadByte(); err != io.EOF {
		return nil, fmt.Errorf("%w: more behind its end", flow.ErrIndex)
	}
	return s, nil
}

// sizeMost is the size, bytes, that no message has.
const sizeMost = 1 << 48

// fits reports whether an exchange speaks of its conversation's own packets.
func (e *Exchange) fits(c *flow.Capture) bool {
	if e.Index < 0 {
		return false
	}
	from, to := c.Span(e.Conv.ID)
	for _, p := range [2]*Part{&e.Request, &e.Answer} {
		for _, x := range p.Pieces {
			if x.Frame < from || x.Frame >= to || x.To < 0 || x.From < x.To {
				return false
			}
		}
		if p.Least < 0 || p.Most < p.Least || p.Most > sizeMost || p.Head < -1 || p.Loose < 0 {
			return false
		}
	}
	return (e.Request.Seen() || e.Request.Holes) && (!e.Answered || e.Answer.Seen() || e.Answer.Holes)
}
