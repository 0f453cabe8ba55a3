package flow

import (
	"sync"
	"sync/atomic"
)

// Store keeps columns in a file, for a job that must stay below a bound of memory: what is not at hand lies on disk, and
// comes back when it is visited. The file has no name, so that nothing is left whatever ends the program.
//
// Columns that a Store gives are good until it is closed.
type Store struct {
	mu      sync.Mutex
	file    storeFile
	err     error
	most    int64        // bytes that the program may hold
	full    atomic.Int64 // bytes from which on mapped pages are given back
	allowed atomic.Int64 // bytes of facts that may be visited before the store looks what the program holds

	clear    sync.Mutex // held while it looks
	clearing atomic.Bool
}

// The program may hold giveBackAt of Store.most, in eighths, before pages are given back; the rest is for what comes in meanwhile.
// It looks at the latest when a part visitLeast of it was visited. A part pagesLeast of it is left to pages whatever else it holds.
const (
	giveBackAt = 6
	visitLeast = 16
	pagesLeast = 32
)

// Visit counts facts that are about to be visited by other ways than by conversation: their pages come in faster than any
// watch could look. s may be nil.
func (s *Store) Visit(facts int) {
	if s != nil {
		s.visit(uint32(facts))
	}
}

// VisitParts is Visit of facts in several columns that lie apart, of each of which a system brings in what lies around.
func (s *Store) VisitParts(facts, columns int) {
	if s != nil {
		s.visit(uint32(max(facts, columns*leastVisit)))
	}
}

func (s *Store) visit(facts uint32) {
	if s.allowed.Add(-int64(max(facts, leastVisit))*factVisit) >= 0 && !s.clearing.Load() {
		return
	}
	// Whoever comes meanwhile waits: pages come in faster than they are given back.
	s.clear.Lock()
	defer s.clear.Unlock()
	if s.allowed.Load() < 0 {
		s.clearing.Store(true)
		s.look()
		s.clearing.Store(false)
	}
}

// look gives pages back if the program holds too much, and says when to look again: visits are counted for the most that they may
// bring in, which is much more than they mostly do.
func (s *Store) look() {
	holds := s.resident()
	if holds >= s.full.Load() {
		holds = s.giveBack()
	}
	s.allowed.Store(max(s.most/visitLeast, s.full.Load()-holds))
}

// giveBack lets go of all mapped pages, and gives what the program holds without them. Where that is much itself, some must come back in
// before it is done again: it would be all that is done.
func (s *Store) giveBack() int64 {
	s.letGo()
	holds := s.resident()
	s.full.Store(max(s.most/8*giveBackAt, holds+s.most/pagesLeast))
	return holds
}

// factVisit is what visiting a fact brings in, bytes: the fact and what is kept of it in other columns.
const factVisit = 80

// leastVisit is what the least visit brings in, as a number of facts: a system brings in what lies around, Linux 64 kB.
const leastVisit = 820

// storeLeast is the size, bytes, from which a column goes to the store.
const storeLeast = 128 << 10

// Err says why a column could not be kept in the store: the disk is full. It lies in memory then.
func (s *Store) Err() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// take gives bytes, all 0, or nil after an error.
func (s *Store) take(size int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil
	}
	b, err := s.file.take(size)
	if err != nil {
		s.err = err
		return nil
	}
	return b
}
