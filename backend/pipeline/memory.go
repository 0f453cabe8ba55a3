package pipeline

import (
	"runtime/debug"

	"github.com/corr-dev/corr/backend/flow"
)

// garbage is the share of live memory, percent, that may be garbage before it is collected. Facts live for the whole job
// and are most of the memory, so the usual 100 would nearly double the peak; half of it costs a few percent of time.
const garbage = 20

// bound makes the garbage collector keep memory down while a job runs, and gives what undoes it.
func bound(memory int64) (undo func()) {
	percent := debug.SetGCPercent(garbage)
	limit := debug.SetMemoryLimit(-1)
	if memory > 0 {
		debug.SetMemoryLimit(memory)
	}
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}

// payloadBudget is how many payload bytes one of n captures may keep: a quarter of the memory asked for goes to all.
func payloadBudget(memory int64, n int) int {
	if memory <= 0 {
		return flow.DefaultPayloadBudget
	}
	return int(min(flow.DefaultPayloadBudget, memory/4/int64(n)))
}
