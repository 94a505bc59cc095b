package download

import (
	"hash/maphash"
	"time"
)

const (
	// forgetAfter is how long an end is remembered after the API stops listing
	// it: a row that is missing from one listing must not count again when it
	// is back.
	forgetAfter = 24 * time.Hour
	// maxFacts bounds what is remembered of a plan whose IDs or times change
	// with each poll. The longest list, 100,000 rows, leaves 200,000 facts if
	// all of it is replaced, so a list that is cut once makes nothing count again.
	maxFacts = 200_000
)

// Ends remembers the ends that a plan's listings have shown, to count each
// once. The zero value is ready for the plan's first listing. It is not safe
// for concurrent use.
//
// An end is a task, a status and a finish time. It counts if none of these
// holds:
//   - It is in the plan's first successful listing.
//   - Its finish time is before that listing, however incomplete that was.
//   - It has no finish time, and the task has never been seen unfinished, or
//     has ended in this status before.
//   - It has counted already. An end without a finish time is the same end
//     when its time is known; one that did not count is then judged by it.
//
// The records of the last listing tell most facts; only those that they no longer
// tell take memory here.
type Ends struct {
	// since is when the API answered the first listing, in milliseconds.
	since int64
	// known are the tasks of the last listing, which was at listed, in seconds.
	known  *Builder
	listed int64
	// seen has the hash of each fact that was last listed before that, and when,
	// in seconds. Hashes instead of IDs: they take a fraction of the memory, and
	// two of a million facts share a hash in one of 40 million processes.
	seen map[uint64]int64
}

// fact is something that a listing has said about a task.
type fact struct {
	task string
	// status is stop or finish, or StatusUnknown for all that are not
	// terminal.
	status Status
	// finished is a finish time in milliseconds, or one of the constants.
	finished int64
}

const (
	// anyTime: the task ended in this status, whether or not it is known when.
	anyTime = 0
	// timeAwaited: the end is done with, and its finish time is not known.
	timeAwaited = -1
)

// NewEnds are the ends that a listing shows for the first time.
type NewEnds struct {
	Finished, Failed int
	// Durations are those of finished tasks for which it is known.
	Durations [NumBackupTypes][]time.Duration
}

// Update takes the tasks of a full listing and returns the ends that are new.
// A poll whose Listing is an error is not a successful one. answered is when
// the API answered the first page by its own clock, the Date header; if it is
// zero, the Builder's time counts.
func (e *Ends) Update(b *Builder, answered time.Time) NewEnds {
	first := e.known == nil
	if first {
		if answered.IsZero() {
			answered = b.now
		}
		e.since, e.seen, e.known = answered.UnixMilli(), make(map[uint64]int64), new(Builder)
	}
	var ends NewEnds
	if b != e.known {
		for i := range b.records {
			r := &b.records[i]
			if r.idLen == 0 {
				continue
			}
			if id := b.id(r); e.note(id, e.known.get(string(id)), r, first) && !first {
				ends.add(r)
			}
		}
		for i := range e.known.records {
			r := &e.known.records[i]
			if id := e.known.id(r); r.idLen > 0 && b.find(string(id)) < 0 {
				e.keep(string(id), r)
			}
		}
	}
	e.end(b)
	return ends
}

// end ends an update: these tasks are now those of the last listing.
func (e *Ends) end(b *Builder) {
	last := e.listed
	e.known, e.listed = b, b.now.Unix()
	e.forget(last, e.listed)
}

// note compares what is listed of a task with its record in the last listing,
// nil if it has none, and reports whether it is an end that counts. The ends of
// the first listing are done with, whatever their times will be.
func (e *Ends) note(idBytes []byte, old, r *record, first bool) bool {
	if old != nil && sameEnd(old, r) {
		r.set(awaited, old.is(awaited))
		return false
	}
	id := string(idBytes)
	if old != nil {
		e.keep(id, old)
	}
	if !r.status.Terminal() {
		return false
	}
	waiting := e.hash(fact{id, r.status, timeAwaited})
	_, done := e.seen[waiting]
	if r.finished == 0 {
		isNew := !e.has(fact{id, r.status, anyTime}) && e.has(fact{id, StatusUnknown, anyTime})
		r.set(awaited, first || isNew || done)
		return isNew
	}
	delete(e.seen, waiting)
	return !e.has(fact{id, r.status, r.finished}) && !done && r.finished >= e.since
}

// sameEnd reports whether two records of a task tell the same facts.
func sameEnd(r, s *record) bool {
	if !r.status.Terminal() || !s.status.Terminal() {
		return r.status.Terminal() == s.status.Terminal()
	}
	return r.status == s.status && r.finished == s.finished
}

// keep remembers what a record tells, before it is replaced or gone.
func (e *Ends) keep(id string, r *record) {
	if !r.status.Terminal() {
		e.see(fact{id, StatusUnknown, anyTime})
		return
	}
	e.see(fact{id, r.status, anyTime})
	if r.finished != 0 {
		e.see(fact{id, r.status, r.finished})
	}
	if r.is(awaited) {
		e.see(fact{id, r.status, timeAwaited})
	}
}

func (e *Ends) see(f fact) { e.seen[e.hash(f)] = e.listed }

func (e *Ends) has(f fact) bool {
	_, known := e.seen[e.hash(f)]
	return known
}

func (*Ends) hash(f fact) uint64 { return maphash.Comparable(seed, f) }

// forget drops what has not been listed for too long. If there is too much of it,
// only what was in the last listing before this one stays, which was at the time
// last.
func (e *Ends) forget(last, now int64) {
	if len(e.seen) > maxFacts {
		e.keepSince(last)
		return
	}
	for hash, listed := range e.seen {
		if now-listed > int64(forgetAfter/time.Second) {
			delete(e.seen, hash)
		}
	}
}

// keepSince keeps what was listed then or later, in a new map: a map keeps its
// size when its entries are deleted.
func (e *Ends) keepSince(since int64) {
	seen := make(map[uint64]int64)
	for hash, listed := range e.seen {
		if listed >= since && len(seen) < maxFacts {
			seen[hash] = listed
		}
	}
	e.seen = seen
}

func (n *NewEnds) add(r *record) {
	if r.status == StatusStop {
		n.Failed++
		return
	}
	n.Finished++
	task := r.task("")
	if d, ok := task.Duration(); ok {
		n.Durations[r.backupType] = append(n.Durations[r.backupType], d)
	}
}

// join adds the ends of another listing.
func (n *NewEnds) join(more NewEnds) {
	n.Finished += more.Finished
	n.Failed += more.Failed
	for i, durations := range more.Durations {
		n.Durations[i] = append(n.Durations[i], durations...)
	}
}
