package flow

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// storeFile is a file of which parts are mapped.
type storeFile struct {
	f    *os.File
	size int64
	stop chan struct{}
	done chan struct{}
	// statm says what the program holds; nil: no way to know.
	statm *os.File

	mapped sync.Mutex // held for moments only, where claiming room may take long
	maps   [][]byte
}

// storeLook is how often the store looks whether the program has grown too large: within it some ten megabytes come in.
const storeLook = time.Millisecond

// NewStore makes a store in a folder. Before the program holds more than most bytes, what it has mapped of the store is given back.
func NewStore(dir string, most int64) (*Store, error) {
	f, err := os.CreateTemp(dir, "corr-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s := &Store{most: most, file: storeFile{f: f, stop: make(chan struct{}), done: make(chan struct{})}}
	s.file.statm, _ = os.Open("/proc/self/statm") // without it, all is given back each time
	s.allowed.Store(most / visitLeast)
	s.full.Store(most / 8 * giveBackAt)
	go s.watch()
	return s, nil
}

// Close gives everything back; no column of the store may be used any more.
func (s *Store) Close() error {
	close(s.file.stop)
	<-s.file.done
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, m := range s.file.maps {
		err = errors.Join(err, unix.Munmap(m))
	}
	s.file.maps = nil
	if s.file.statm != nil {
		err = errors.Join(err, s.file.statm.Close())
	}
	return errors.Join(err, s.file.f.Close())
}

func (f *storeFile) take(size int) ([]byte, error) {
	size = (size + storePage - 1) &^ (storePage - 1)
	// Room is claimed now: a page that finds none when it is written ends the program.
	if err := unix.Fallocate(int(f.f.Fd()), 0, f.size, int64(size)); err != nil {
		return nil, &os.PathError{Op: "write", Path: f.f.Name(), Err: err}
	}
	b, err := unix.Mmap(int(f.f.Fd()), f.size, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, &os.PathError{Op: "mmap", Path: f.f.Name(), Err: err}
	}
	_ = unix.Madvise(b, unix.MADV_NOHUGEPAGE) // a touch should not bring in 2 MiB
	f.size += int64(size)
	f.mapped.Lock()
	f.maps = append(f.maps, b)
	f.mapped.Unlock()
	return b, nil
}

const storePage = 64 << 10 // a multiple of any system's pages

// watch gives mapped pages back when there are too many.
func (s *Store) watch() {
	defer close(s.file.done)
	tick := time.NewTicker(storeLook)
	defer tick.Stop()
	for {
		select {
		case <-s.file.stop:
			return
		case <-tick.C:
		}
		if s.file.statm != nil && s.resident() >= s.full.Load() {
			s.giveBack()
		}
	}
}

// letGo lets go of all mapped pages; what was written to them stays in the file.
func (s *Store) letGo() {
	s.file.mapped.Lock()
	maps := s.file.maps
	s.file.mapped.Unlock()
	for _, m := range maps {
		_ = unix.Madvise(m, unix.MADV_DONTNEED) // advice
	}
}

// resident is the memory that the program holds, bytes; all that it may if unknown.
func (s *Store) resident() int64 {
	if s.file.statm == nil {
		return s.most
	}
	var b [128]byte
	n, _ := s.file.statm.ReadAt(b[:], 0)
	f := bytes.Fields(b[:n])
	if len(f) < 2 {
		return s.most
	}
	pages, err := strconv.ParseInt(string(f[1]), 10, 64)
	if err != nil {
		return s.most
	}
	return pages * int64(os.Getpagesize())
}
