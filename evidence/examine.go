package evidence

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// ExamineAll is [Intake.Examine] for many envelopes, on all processors. Records and
// errors stand at the places of their envelopes. progress, if it is not nil, is told how
// many are done, from one goroutine at a time and never less than before.
func (in Intake) ExamineAll(envelopes [][]byte, progress func(done int)) ([]Record, []error) {
	records, errs := make([]Record, len(envelopes)), make([]error, len(envelopes))
	var next atomic.Int64
	var mu sync.Mutex
	done := 0
	work := func() {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(envelopes) {
				return
			}
			records[i], errs[i] = in.Examine(envelopes[i])
			if progress != nil {
				mu.Lock()
				done++
				progress(done)
				mu.Unlock()
			}
		}
	}
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(envelopes)) {
		workers.Go(work)
	}
	workers.Wait()
	return records, errs
}
