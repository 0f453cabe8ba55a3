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
	visited atomic.Int64 // bytes of facts since pages were last given back
	most    int64        // of them

	clear    sync.Mutex // held while pages are given back because of visits
	clearing atomic.Bool
}

// Visit counts facts that are about to be visited by other ways than by conversation: their pages come in faster than any
// watch could look. s may be nil.
func (s *Store) Visit(facts int) {
	if s != nil {
		s.visit(uint32(facts))
	}
}

func (s *Store) visit(facts uint32) {
	if s.visited.Add(int64(max(facts, leastVisit))*factVisit) <= s.most && !s.clearing.Load() {
		return
	}
	// Whoever comes meanwhile waits: pages come in faster than they are given back.
	s.clear.Lock()
	defer s.clear.Unlock()
	if s.visited.Load() > s.most {
		s.clearing.Store(true)
		s.giveBack()
		s.visited.Store(0)
		s.clearing.Store(false)
	}
}

// factVisit is what visiting a fact brings in, bytes: the fact and what is kept of it in other columns.
const factVisit = 80

// leastVisit is what the least visit brings in, as a number of facts: a system brings in what lies around.
const leastVisit = 400

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
