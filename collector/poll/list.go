package poll

import (
	"maps"
	"sync/atomic"
	"time"
)

// list keeps the rows of the last successful list of something, by ID. One job
// at a time writes to it. A reload that changes whom the target asks makes a new
// list, which knows nothing and is due at once.
type list[T any] struct {
	// job is the key of the list's job, which no other list has.
	job   string
	state atomic.Pointer[listState[T]]
}

// listState is what the lists have found. It is not changed once it is
// published.
type listState[T any] struct {
	rows map[string]T
	// failure is the outcome of the last list.
	failure     *Failure
	tried       bool
	succeededAt time.Time
}

func newList[T any](job string) *list[T] {
	l := &list[T]{job: job}
	l.state.Store(&listState[T]{rows: make(map[string]T)})
	return l
}

// publish ends a list. A failed one adds the rows that it has read to those of
// the last successful list; it removes none.
func (l *list[T]) publish(rows map[string]T, failure *Failure, now time.Time) {
	next := &listState[T]{rows: rows, failure: failure, tried: true, succeededAt: now}
	if failure != nil {
		old := l.state.Load()
		next.succeededAt = old.succeededAt
		next.rows = maps.Clone(old.rows)
		maps.Copy(next.rows, rows)
	}
	l.state.Store(next)
}

// staleIntervals is how many of its intervals a list may be old, as is the
// default of stale_after for listings.
const staleIntervals = 5

// fresh reports whether the last successful list may still be shown.
func (s *listState[T]) fresh(now time.Time, interval time.Duration) bool {
	return !s.succeededAt.IsZero() && now.Sub(s.succeededAt) <= staleIntervals*interval
}
