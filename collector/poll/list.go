package poll

import (
	"maps"
	"slices"
	"time"

	"aliyun_dbs_exporter/collector/schedule"
)

// list is what a target's lists of one kind have found. It is not changed once it
// is published: the end of a list makes the next one.
type list[T any] struct {
	// job is the key of the list's job. A reload that changes whom the target asks
	// begins a list with another key, which knows nothing and is due at once.
	job string
	// rows are what is known, by ID: those of the last successful list, and those
	// that failed lists after it have added.
	rows map[string]T
	// complete are the rows at the end of the last successful list, and lacked are
	// those of them that it did not have.
	complete, lacked map[string]T
	// unusable counts the rows of the last list whose ID cannot be shown or asked
	// for.
	unusable int
	// failure is why the last list failed, nil if it succeeded. tooLong reports
	// whether that is that it has more than maxRows rows.
	failure *Failure
	tooLong bool
	// tried reports whether a list has ended, well or badly.
	tried       bool
	succeededAt time.Time
}

// maxRows bounds the rows of a list: every row is kept, also those of plans that
// no filter wants. It is twice the number of plans that one process was measured
// with, and 100 requests.
const maxRows = 10_000

// next returns what is known at the end of a list.
func (l *list[T]) next(r listed[T], now time.Time) *list[T] {
	next := l.failed(r)
	if r.failure == nil {
		next = l.succeeded(r.rows, now)
	}
	next.unusable = r.unusable
	return next
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
	addRows(rows, lacked, maxRows)
	return &list[T]{job: l.job, rows: rows, complete: rows, lacked: lacked, tried: true, succeededAt: now}
}

// failed removes no row of the last successful list, and adds those that were
// read. Rows that earlier failed lists have added stay as far as there is room:
// this list may have ended before them.
func (l *list[T]) failed(r listed[T]) *list[T] {
	next := *l
	next.failure, next.tooLong, next.tried = r.failure, r.tooLong, true
	if len(r.rows) > 0 {
		isListed := func(id string, _ T) bool { _, listed := r.rows[id]; return listed }
		earlier := maps.Clone(l.rows)
		maps.DeleteFunc(earlier, isListed)
		next.rows = maps.Clone(l.complete)
		if next.rows == nil {
			next.rows = make(map[string]T)
		}
		addRows(next.rows, r.rows, l.room(r))
		addRows(next.rows, earlier, l.room(r))
		next.lacked = maps.Clone(l.lacked)
		maps.DeleteFunc(next.lacked, isListed)
	}
	return &next
}

// room returns how many rows there may be after a failed list. Those that failed
// lists add are no more than the rows that the API says exist: lists that always
// fail would otherwise add up. A smaller total makes no room smaller, because a
// list that is cut short may have none.
func (l *list[T]) room(r listed[T]) int {
	added := max(len(r.rows), int(min(r.total, maxRows)))
	return min(max(len(l.rows), len(l.complete)+added), maxRows)
}

// unsettled reports whether the next list is to come soon: this one has failed, or
// lacks rows that the next one may have. One that is too long will be so again,
// after 100 requests.
func (l *list[T]) unsettled() bool {
	return l != nil && !l.tooLong && (l.failure != nil || len(l.lacked) > 0)
}

// addRows adds rows to those that are known as far as there is room, in the order
// of their IDs, so that the same ones find it every time. It replaces known ones.
func addRows[T any](known, rows map[string]T, room int) {
	for _, id := range slices.Sorted(maps.Keys(rows)) {
		if _, ok := known[id]; ok || len(known) < room {
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

// snapshot returns the outcome of the list. In [Poller.Once] nothing gets stale
// but what has failed.
func (l *list[T]) snapshot(now time.Time, interval time.Duration, once bool, job schedule.JobState) List {
	return List{
		Tried:       l.tried,
		SucceededAt: l.succeededAt,
		Failure:     l.failure,
		Fresh:       l.fresh(now, interval) || once && l.failure == nil,
		Due:         dueAt(job, now),
	}
}

// continues reports whether the list goes on with another, which may be nil, as may
// the list: both ask the same.
func (l *list[T]) continues(other *list[T]) bool {
	return l != nil && other != nil && l.job == other.job
}

// requests returns how many requests lists in this interval take per poll
// interval.
func (l *list[T]) requests(interval, pollInterval time.Duration) float64 {
	return float64(requestsFor(len(l.rows))) * float64(pollInterval) / float64(interval)
}
