package pipeline

import (
	"os"
	"runtime"
	"runtime/debug"

	"github.com/corr-dev/corr/backend/flow"
)

// garbage is the share of live memory, percent, that may be garbage before it is collected. Facts live for the whole job
// and are most of the memory, so the usual 100 would nearly double the peak. Memory that is used for the first time costs more
// than collecting garbage more often does.
const garbage = 20

// ballast counts as live memory and is never touched, so that a small job is not collected over and over for a megabyte of garbage.
const ballast = 64 << 20

// bound makes the job stay below memory bytes, 0 for no bound, and gives what holds the rest, and what undoes it all.
func bound(memory int64) (store *flow.Store, undo func(), err error) {
	if memory > 0 {
		if store, err = flow.NewStore(os.TempDir(), memory); err != nil {
			return nil, nil, failed(1, "%s: can't be written to, and holds what --memory leaves no room for (%s); name another folder with TMPDIR", os.TempDir(), reason(err))
		}
	}
	var unused []byte
	if memory == 0 {
		unused = make([]byte, ballast)
	}
	percent := debug.SetGCPercent(garbage)
	limit := debug.SetMemoryLimit(-1)
	if memory > 0 {
		debug.SetMemoryLimit(memory / 4 * 3)
	} else if free := available(); free > 0 {
		debug.SetMemoryLimit(free / 10 * 9) // rather slow than killed
	}
	return store, func() {
		runtime.KeepAlive(unused)
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
		if store != nil {
			_ = store.Close() // nothing of it is wanted any more
		}
	}, nil
}

// What the collector does depends on what points to something, and facts do not: once they are read, garbage may be half of all
// else, or leastGarbage: with 10 M packets a quarter of that was collected twice as often, which cost 5 % of the time, and more than
// it saved no time.
const leastGarbage = 64 << 20

// columnBytes is about what is kept of a packet without pointers.
const columnBytes = 55

// collectFor gives garbage back to the system, and sets how much may lie about while captures of that many packets are worked on.
func collectFor(packets int) {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	live := int64(m.HeapAlloc)
	room := max(leastGarbage, (live-ballast-int64(packets)*columnBytes)/2)
	debug.SetGCPercent(int(min(max(100*room/max(live, 1), 1), 100)))
}

// perConversation is what a conversation takes from the end of reading on, in bytes, beside its packets: measured on ten
// million that are one SYN each, the most that a packet can ask for.
const perConversation = 1000

// roomFor says so, before it happens, if that many conversations need more than the free memory, in bytes; 0: not known.
func roomFor(conversations int, free int64) error {
	need := int64(conversations) * perConversation
	if free == 0 || need < free {
		return nil
	}
	return failed(1, "the captures hold %d conversations, which take about %.1f GB, and %.1f GB of memory are free; correlate a part of them (tcpdump -r and a filter, editcap -A and -B), or free some memory", conversations, float64(need)/1e9, float64(free)/1e9)
}

// full turns an error of the store into one for the user, if there is no other.
func full(store *flow.Store, err error) error {
	if err == nil && store.Err() != nil {
		return failed(1, "%s: no room for what --memory keeps out of memory (%s); free some space, name another folder with TMPDIR, or allow more memory", os.TempDir(), reason(store.Err()))
	}
	return err
}

// payloadBudget is how many payload bytes one of n captures may keep: a quarter of the memory asked for goes to all.
func payloadBudget(memory int64, n int) int {
	if memory <= 0 {
		return flow.DefaultPayloadBudget
	}
	return int(min(flow.DefaultPayloadBudget, memory/4/int64(n)))
}
