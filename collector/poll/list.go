package poll

import (
	"maps"
	"time"
)

// list is what a target's lists of one kind have found. It is not changed once it
// is published: the end of a list makes the next one.
type list[T any] struct {
	// job is the key of the list's job. A reload that changes whom the target asks
	// begins a list with another key, which knows nothing and is due at once.
	job string
	// rows are those of the last successful list, by ID.
	rows map[string]T
	// failure is why the last list failed, nil if it succeeded.
	failure *Failure
	// tried reports whether a list has ended, well or badly.
	tried       bool
	succeededAt time.Time
}

// next returns what is known at the end of a list. A failed one adds the rows that
// it has read to those of the last successful list; it removes none.
func (l *list[T]) next(rows map[string]T, failure *Failure, now time.Time) *list[T] {
	next := &list[T]{job: l.job, rows: rows, failure: failure, tried: true, succeededAt: now}
	if failure != nil {
		next.succeededAt = l.succeededAt
		next.rows = make(map[string]T)
		maps.Copy(next.rows, l.rows)
		maps.Copy(next.rows, rows)
	}
	return next
}

// staleIntervals is how many of its intervals a list may be old, as is the
// default of stale_after for listings.
const staleIntervals = 5

// fresh reports whether the last successful list may still be shown.
func (l *list[T]) fresh(now time.Time, interval time.Duration) bool {
	return !l.succeededAt.IsZero() && now.Sub(l.succeededAt) <= staleIntervals*interval
}
