package annotate

import (
	"bytes"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/corr-dev/corr/backend/capture"
)

// FuzzRead: whatever bytes a corr.ann holds, reading it ends, with an error that says what is wrong or with frames that
// are as many as it says.
func FuzzRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), "corr.ann")
	write(f, path, []int{0, 1}, false)
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, false)
	f.Add(whole[:len(whole)-9], false)
	f.Add(whole[:headerSize], true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, b []byte, mend bool) {
		if mend {
			b = mended(b)
		}
		a, err := Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for p := range a.Tables.Points {
			n := uint32(0)
			err := a.Each(p, func(capture.FrameNo, *Frame, *Class) error { n++; return nil })
			if err == nil && n != a.Frames(p) {
				t.Fatalf("point %d: %d frames of %d", p, n, a.Frames(p))
			}
			if _, _, err := a.Frame(p, capture.FrameNo(a.Frames(p))+1); err == nil {
				t.Fatalf("point %d has a frame behind its last", p)
			}
		}
	})
}

// mended is b with the length and the checksum that it should have, so that what lies behind them is reached.
func mended(b []byte) []byte {
	if len(b) < headerSize {
		return b
	}
	b = bytes.Clone(b)
	copy(b, magic)
	le.PutUint32(b[headVersion:], Version)
	le.PutUint64(b[headFileSize:], uint64(len(b)))
	off, n := le.Uint64(b[headDirOffset:]), uint64(le.Uint32(b[headDirSize:]))
	if off <= uint64(len(b)) && n <= uint64(len(b))-off {
		le.PutUint32(b[headDirSum:], crc32.ChecksumIEEE(b[off:off+n]))
	}
	return b
}

// What is mended is read again: else the fuzzer would search in vain.
func TestMended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "corr.ann")
	write(t, path, []int{0, 1}, false)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[headDirSum]++
	if _, err := Read(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrDamaged) {
		t.Errorf("wrong checksum: %v", err)
	}
	b = mended(b)
	if _, err := Read(bytes.NewReader(b), int64(len(b))); err != nil {
		t.Errorf("mended: %v", err)
	}
}
