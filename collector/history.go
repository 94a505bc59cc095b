package collector

import (
	"slices"
	"time"
)

// forgetAfter is for how long an end is remembered that the API no longer lists: a row that was missing from one
// listing must not count again when it is back.
const forgetAfter = 24 * time.Hour

// ending identifies how a task ended; when it did comes with it as [ends].
type ending struct {
	id     string
	status status
}

// ends are the times at which a task has ended in one way. A task that is started again ends again.
type ends struct {
	// times are the newest ones in milliseconds.
	times []int64
	// untimed: the task was seen to have ended, but not yet when.
	untimed bool
	// listed is when the API listed the task last.
	listed time.Time
}

// maxEnds bounds the times that are remembered of one task; they tell a restart from an answer out of an older replica.
const maxEnds = 8

// history remembers which ends a plan's listings have shown, to count each once. It belongs to the poll loop.
type history struct {
	seen map[ending]*ends
}

// ended is what a listing shows for the first time.
type ended struct {
	finished, failed int
	// durations are those of the finished tasks that have one, by backup type.
	durations map[string][]time.Duration
}

// update returns what ended since the last listing. The first listing is a baseline: what it shows ended before.
func (h *history) update(tasks []task, now time.Time) ended {
	baseline := h.seen == nil
	if baseline {
		h.seen = make(map[ending]*ends)
	}
	e := ended{durations: make(map[string][]time.Duration)}
	for i := range tasks {
		t := &tasks[i]
		if !t.status.terminal() || t.ID == "" {
			continue
		}
		if isNew := h.note(t, now); isNew && !baseline {
			e.add(t)
		}
	}
	for key, known := range h.seen {
		if now.Sub(known.listed) > forgetAfter {
			delete(h.seen, key)
		}
	}
	return e
}

// note remembers a task's end and tells whether it is new. An end whose time comes later is the same end.
func (h *history) note(t *task, now time.Time) (isNew bool) {
	key := ending{id: t.ID, status: t.status}
	known := h.seen[key]
	if known == nil {
		known, isNew = new(ends), true
		h.seen[key] = known
	}
	known.listed = now
	switch {
	case t.Finished.IsZero():
		known.untimed = known.untimed || isNew
		return isNew
	case slices.Contains(known.times, t.Finished.UnixMilli()):
		return false
	}
	known.times = append(known.times, t.Finished.UnixMilli())
	known.times = known.times[max(0, len(known.times)-maxEnds):]
	isNew = !known.untimed
	known.untimed = false
	return isNew
}

func (e *ended) add(t *task) {
	if t.status == statusStop {
		e.failed++
		return
	}
	e.finished++
	if d, ok := t.duration(); ok {
		e.durations[t.backupType()] = append(e.durations[t.backupType()], d)
	}
}
