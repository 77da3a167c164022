package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rollproof/rollproof/evidence"
)

// A transaction is whole or nothing, and sees what it added.
func testTransaction(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	stop := errors.New("stop")
	err := s.Append(ctx, func(tx evidence.Tx) error {
		if _, _, err := tx.Add(ctx, Examine(t, Rollout(1))); err != nil {
			return err
		}
		if size, err := tx.Len(ctx); size != 1 || err != nil {
			t.Errorf("inside: %d records, %v", size, err)
		}
		if outside, err := s.Len(ctx); outside != 0 || err != nil {
			t.Errorf("outside: %d records, %v", outside, err)
		}
		if !tx.Now().Equal(Start) {
			t.Errorf("now is %s", tx.Now())
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	bad := Examine(t, Rollout(2))
	err = s.Append(ctx, func(tx evidence.Tx) error {
		if _, _, err := tx.Add(ctx, Examine(t, Rollout(1))); err != nil {
			return err
		}
		bad.Envelope = nil // which no store takes
		_, _, _ = tx.Add(ctx, bad)
		return nil
	})
	if err == nil {
		t.Error("a transaction with a failed part was committed")
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := evidence.Add(cancelled, s, []evidence.Record{Examine(t, Rollout(1))}); err == nil {
		t.Error("a cancelled transaction was committed")
	}
	if size, err := s.Len(ctx); size != 0 || err != nil {
		t.Errorf("%d records, %v", size, err)
	}
	Add(t, s, Rollout(1))
	Sound(t, s)
}

// Words that a transaction added are found in it.
func testWordsInTransaction(t *testing.T, open Open) {
	s, ctx := open(t, frozen), t.Context()
	err := s.Append(ctx, func(tx evidence.Tx) error {
		for n := range 3 {
			record, _, err := tx.Add(ctx, Examine(t, Rollout(n)))
			if err != nil {
				return err
			}
			compared := func() {
				if list, err := tx.Compare(ctx, record); err != nil || len(list) > 0 {
					t.Errorf("%v, %v", list, err)
				}
			}
			searched := func() { hits(t, tx, evidence.Query{Text: record.ChangeRecord}, record.Index) }
			for _, f := range [][]func(){{compared, searched}, {searched, compared}}[n%2] { // either may come first
				f()
			}
		}
		Sound(t, tx)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	hits(t, s, evidence.Query{Text: "rollout"}, 0, 1, 2)
}

// A clock that is far behind the newest record is not believed.
func testClock(t *testing.T, open Open) {
	now := Start
	s := open(t, func() time.Time { return now })
	Add(t, s, Rollout(0))
	now = Start.Add(-30 * time.Second)
	Add(t, s, Rollout(1))
	now = Start.Add(-2 * time.Minute)
	if _, err := evidence.Add(t.Context(), s, []evidence.Record{Examine(t, Rollout(2))}); !errors.Is(err, evidence.ErrClock) {
		t.Errorf("got %v", err)
	}
	Sound(t, s)
}

// While the clock is a little behind, the date is that of the newest record: dates
// never go back.
func testClockBehind(t *testing.T, open Open) {
	now := Start
	s := open(t, func() time.Time { return now })
	Add(t, s, Rollout(0))
	for n, behind := range []time.Duration{50 * time.Second, time.Minute, time.Millisecond} {
		now = Start.Add(-behind)
		if added := Add(t, s, Rollout(n+1))[0]; !added.Record.Recorded.Equal(Start) {
			t.Errorf("%s behind: recorded %s, expected %s", behind, added.Record.Recorded, Start)
		}
	}
	hits(t, s, evidence.Query{Since: Start}, 0, 1, 2, 3)
	hits(t, s, evidence.Query{Until: Start})
}

func testConcurrentWriters(t *testing.T, open Open) {
	s := open(t, frozen)
	const writers, each = 8, 12
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := range each {
				record := Examine(t, Rollout(n*writers+w))
				if _, err := evidence.Add(t.Context(), s, []evidence.Record{record, Examine(t, Rollout(0))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if size, err := s.Len(t.Context()); err != nil || size != writers*each {
		t.Errorf("%d records, %v, expected %d", size, err, writers*each)
	}
	Sound(t, s)
}
