package service

import (
	"context"
	"sync"
	"time"
)

// A watch looks at the log for all who wait, as long as somebody does.
type watch struct {
	sync.Mutex
	waiting int
	looking bool
	changed chan struct{} // closed at each look
	size    int64
	err     error
}

// Wait returns how many records there are as soon as these are more than n. Other
// processes write to the store too, so that it is looked at from time to time, once
// for all who wait.
func (l *Local) Wait(ctx context.Context, n int64) (int64, error) {
	size, err := l.Len(ctx)
	if err != nil || size > n {
		return size, err
	}
	w := &l.waiters
	looked := w.join(l)
	defer w.leave()
	for {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-looked:
		}
		w.Lock()
		size, err, looked = w.size, w.err, w.changed
		w.Unlock()
		if err != nil || size > n {
			return size, err
		}
	}
}

func (w *watch) join(l *Local) <-chan struct{} {
	w.Lock()
	defer w.Unlock()
	w.waiting++
	if !w.looking {
		w.looking, w.changed = true, make(chan struct{})
		go w.look(l)
	}
	return w.changed
}

func (w *watch) leave() {
	w.Lock()
	w.waiting--
	w.Unlock()
}

// look ends when nobody waits any more.
func (w *watch) look(l *Local) {
	tick := time.NewTicker(l.options.Poll)
	defer tick.Stop()
	for range tick.C {
		size, err := l.Len(context.Background())
		w.Lock()
		w.size, w.err = size, err
		close(w.changed)
		w.changed, w.looking = make(chan struct{}), w.waiting > 0
		again := w.looking
		w.Unlock()
		if !again {
			return
		}
	}
}

// wake lets those who wait know at once that this process has recorded something.
func (l *Local) wake(size int64) {
	w := &l.waiters
	w.Lock()
	defer w.Unlock()
	if w.looking {
		w.size, w.err = size, nil
		close(w.changed)
		w.changed = make(chan struct{})
	}
}
