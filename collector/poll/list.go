package poll

import (
	"maps"
	"slices"
	"time"
)

// list is what a target's lists of one kind have found. It is not changed once it
// is published: the end of a list makes the next one.
type list[T any] struct {
	// job is the key of the list's job. A reload that changes whom the target asks
	// begins a list with another key, which knows nothing and is due at once.
	job string
	// rows are what is known, by ID: those of the last successful list, and those
	// that a failed list after it has added.
	rows map[string]T
	// complete are the rows at the end of the last successful list, and lacked are
	// those of them that it did not have.
	complete, lacked map[string]T
	// failure is why the last list failed, nil if it succeeded.
	failure *Failure
	// tried reports whether a list has ended, well or badly.
	tried       bool
	succeededAt time.Time
}

// maxRows bounds the rows of a list: every row is kept, also those of plans that
// no filter wants. It is twice the number of plans that one process was measured
// with, and 100 requests.
const maxRows = 10_000

// next returns what is known at the end of a list.
func (l *list[T]) next(rows map[string]T, failure *Failure, now time.Time) *list[T] {
	if failure == nil {
		return l.succeeded(rows, now)
	}
	return l.failed(rows, failure)
}

// succeeded removes the rows that the list lacks if the last successful one lacked
// them, too. A row may be missing once although it is there: if another one is
// deleted and one is added while the list is read, a row moves to a page that has
// been read, and the total stays the same.
func (l *list[T]) succeeded(rows map[string]T, now time.Time) *list[T] {
	lacked := make(map[string]T)
	for id, row := range l.rows {
		_, listed := rows[id]
		if _, again := l.lacked[id]; !listed && !again {
			lacked[id] = row
		}
	}
	addRows(rows, lacked)
	return &list[T]{job: l.job, rows: rows, complete: rows, lacked: lacked, tried: true, succeededAt: now}
}

// failed removes no row of the last successful list, and adds those that were
// read, as far as there is room. They replace what an earlier failed list has
// added, so that lists that always fail do not add up.
func (l *list[T]) failed(rows map[string]T, failure *Failure) *list[T] {
	next := *l
	next.failure, next.tried = failure, true
	if len(rows) > 0 {
		next.rows = make(map[string]T, len(l.complete))
		maps.Copy(next.rows, l.complete)
		addRows(next.rows, rows)
		next.lacked = maps.Clone(l.lacked)
		maps.DeleteFunc(next.lacked, func(id string, _ T) bool { _, listed := rows[id]; return listed })
	}
	return &next
}

// unsettled reports whether the next list is to come soon: this one has failed, or
// lacks rows that the next one may have.
func (l *list[T]) unsettled() bool { return l.failure != nil || len(l.lacked) > 0 }

// addRows adds rows to those that are known, in the order of their IDs, so that
// the same ones find room every time.
func addRows[T any](known, rows map[string]T) {
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		if _, ok := known[id]; ok || len(known) < maxRows {
			known[id] = rows[id]
		}
	}
}

// staleIntervals is how many of its intervals a list may be old, as is the
// default of stale_after for listings.
const staleIntervals = 5

// fresh reports whether the last successful list may still be shown.
func (l *list[T]) fresh(now time.Time, interval time.Duration) bool {
	return !l.succeededAt.IsZero() && now.Sub(l.succeededAt) <= staleIntervals*interval
}
