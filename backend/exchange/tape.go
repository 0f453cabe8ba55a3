package exchange

import (
	"encoding/binary"

	"github.com/corr-dev/corr/backend/capture"
	"github.com/corr-dev/corr/backend/flow"
)

// tape writes exchanges behind one another, or reads them: one list of what an exchange holds does for both. Numbers are of
// variable length (as encoding/binary has them, signed); times and places count from the one before.
type tape struct {
	b       []byte // written, or left to read
	reading bool
	bad     bool // what was read is no exchange
	time    capture.LocalTime
	place   uint32
}

// newTape begins a conversation's tape.
func newTape(c *flow.Capture, id flow.ConvID) *tape {
	from, _ := c.Span(id)
	return &tape{place: from}
}

func (t *tape) exchange(e *Exchange) {
	num(t, &e.Index)
	t.bits(&e.Answered, &e.Opened, &e.Opaque, &e.Packed, &e.Among, &e.Cut, &e.TLS, &e.Refused)
	t.bits(&e.First, &e.Last, &e.SIP)
	t.part(&e.Request)
	t.part(&e.Answer)
	t.when(&e.ConvStart)
	t.when(&e.ConvEnd)
	num(t, &e.Stream)
	num(t, &e.Status)
	num(t, &e.ID)
	for _, s := range [3]*string{&e.Name, &e.Client, &e.Key} {
		t.text(s)
	}
	each(t, &e.Forwarded, t.text)
	each(t, &e.Fields, t.digest)
}

func (t *tape) part(p *Part) {
	t.bits(&p.Holes, &p.Torn)
	t.when(&p.Start)
	t.when(&p.End)
	for _, x := range [4]*int64{&p.Least, &p.Most, &p.Head, &p.Loose} {
		num(t, x)
	}
	each(t, &p.Pieces, t.piece)
}

func (t *tape) piece(x *Piece) {
	step := int64(x.Frame) - int64(t.place)
	num(t, &step)
	t.place = uint32(int64(t.place) + step)
	x.Frame = t.place
	num(t, &x.From)
	num(t, &x.To)
}

// num is a number of either sign.
func num[N ~int | ~int64 | ~uint32 | ~uint16](t *tape, x *N) {
	if !t.reading {
		t.b = binary.AppendVarint(t.b, int64(*x))
		return
	}
	v, n := binary.Varint(t.b)
	if *x = N(v); n <= 0 || int64(*x) != v {
		t.bad, t.b = true, nil
		return
	}
	t.b = t.b[n:]
}

// when is a time; 0, which stands for none, is not counted from.
func (t *tape) when(x *capture.LocalTime) {
	none := *x == 0
	if t.bits(&none); none {
		*x = 0
		return
	}
	step := int64(*x - t.time)
	num(t, &step)
	t.time += capture.LocalTime(step)
	*x = t.time
}

// bits are up to eight truths.
func (t *tape) bits(xs ...*bool) {
	var b [1]byte
	for k, x := range xs {
		if *x {
			b[0] |= 1 << k
		}
	}
	t.bytes(b[:])
	for k, x := range xs {
		*x = b[0]>>k&1 != 0
	}
}

func (t *tape) text(s *string) {
	b := []byte(*s)
	n := t.count(len(b))
	if t.reading {
		b = make([]byte, n)
	}
	t.bytes(b)
	*s = string(b)
}

func (t *tape) digest(x *uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], *x)
	t.bytes(b[:])
	*x = binary.LittleEndian.Uint64(b[:])
}

// bytes are as many as there is room for in b.
func (t *tape) bytes(b []byte) {
	if !t.reading {
		t.b = append(t.b, b...)
	} else if n := copy(b, t.b); n < len(b) {
		t.bad, t.b = true, nil
	} else {
		t.b = t.b[n:]
	}
}

// count is a number of things, each of which takes a byte or more.
func (t *tape) count(n int) int {
	if num(t, &n); t.reading && (n < 0 || n > len(t.b)) {
		t.bad, t.b = true, nil
		return 0
	}
	return n
}

// each is a list; an empty one comes back as nil.
func each[T any](t *tape, list *[]T, one func(*T)) {
	n := t.count(len(*list))
	if t.reading && n > 0 {
		*list = make([]T, n)
	}
	for i := range *list {
		one(&(*list)[i])
	}
}
