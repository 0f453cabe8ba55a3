package pipeline

import (
	"os"
	"runtime/debug"

	"github.com/corr-dev/corr/backend/flow"
)

// garbage is the share of live memory, percent, that may be garbage before it is collected. Facts live for the whole job
// and are most of the memory, so the usual 100 would nearly double the peak. Memory that is used for the first time costs more
// than collecting garbage more often does.
const garbage = 20

// bound makes the job stay below memory bytes, 0 for no bound, and gives what holds the rest, and what undoes it all.
func bound(memory int64) (store *flow.Store, undo func(), err error) {
	if memory > 0 {
		if store, err = flow.NewStore(os.TempDir(), memory/2); err != nil {
			return nil, nil, failed(1, "%s: can't be written to, and holds what --memory leaves no room for (%s); name another folder with TMPDIR", os.TempDir(), reason(err))
		}
	}
	percent := debug.SetGCPercent(garbage)
	limit := debug.SetMemoryLimit(-1)
	if memory > 0 {
		debug.SetMemoryLimit(memory / 4 * 3)
	}
	return store, func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
		if store != nil {
			_ = store.Close() // nothing of it is wanted any more
		}
	}, nil
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
