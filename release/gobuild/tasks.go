package gobuild

import (
	"context"
	"sync"
)

// tasks runs functions side by side. The first error cancels the context that
// the others run under, and is the one reported.
type tasks struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	once   sync.Once
	err    error
}

// slots bounds how many functions run at a time.
type slots chan struct{}

func newTasks(ctx context.Context) *tasks {
	ctx, cancel := context.WithCancelCause(ctx)
	return &tasks{ctx: ctx, cancel: cancel}
}

// start runs f as soon as there is a slot, and returns at once.
func (t *tasks) start(s slots, f func(ctx context.Context) error) {
	t.wg.Go(func() {
		select {
		case s <- struct{}{}:
		case <-t.ctx.Done():
			t.fail(context.Cause(t.ctx))
			return
		}
		defer func() { <-s }()
		if err := f(t.ctx); err != nil {
			t.fail(err)
		}
	})
}

func (t *tasks) fail(err error) {
	t.once.Do(func() { t.err = err })
	t.cancel(err)
}

// wait returns when every function has returned. A running function may start
// others; nobody may after wait has returned.
func (t *tasks) wait() error {
	t.wg.Wait()
	t.cancel(nil)
	return t.err
}
