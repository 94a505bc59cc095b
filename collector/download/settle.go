package download

import (
	"cmp"
	"slices"
	"time"
)

// settleAfter is how long a task must keep a status that it leaves only when a
// person acts before it counts as settled, in seconds.
const settleAfter = int64(24 * time.Hour / time.Second)

// seen notes that the task was read at a time in seconds, and what was known of
// it, nil if nothing. It decides whether the task is settled: at once if it has
// finished, at a known time; after a day in another status that does not change
// by itself.
func (r *record) seen(known *record, now int64) {
	since := now
	if known != nil && known.status == r.status {
		since = int64(known.since)
	}
	r.settle(since, now)
}

// seenFirst is seen for the first listing of a plan: the day begins with the
// finish time, else with the creation.
func (r *record) seenFirst(now int64) {
	since := now
	if at := cmp.Or(r.finished, r.created); at != 0 {
		since = min(now, at/1000)
	}
	r.settle(since, now)
}

func (r *record) settle(since, now int64) {
	r.since = uint32(since)
	switch r.status {
	case StatusFinish:
		r.set(settled, r.finished != 0 || now-since >= settleAfter)
	case StatusStop, StatusInit, StatusPause, StatusUnknown:
		r.set(settled, now-since >= settleAfter)
	default:
		r.set(settled, false)
	}
}

// allSettled reports whether no task need be read with each poll.
func (b *Builder) allSettled() bool {
	return !slices.ContainsFunc(b.records, isUnsettled)
}

func isUnsettled(r record) bool { return !r.is(settled) }
