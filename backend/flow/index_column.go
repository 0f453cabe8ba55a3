package flow

import (
	"encoding/binary"
	"io"
	"slices"
)

// groupRows is the number of rows whose columns stand together.
const groupRows = 1 << 16

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
