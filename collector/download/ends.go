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
	// with each poll. The longest list, 100,000 rows, has 200,000 facts.
	maxFacts = 500_000
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
type Ends struct {
	// since is when the API answered the first listing, in milliseconds.
	since int64
	seed  maphash.Seed
	// seen has the hash of each fact and when it was listed last, in seconds.
	// Hashes instead of IDs: they take a fraction of the memory, and two of
	// a million facts share a hash in one of 40 million processes.
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

// Update takes the rows of a successful poll and returns the ends that are new.
// A poll whose Listing is an error is not a successful one. answered is when
// the API answered the first page by its own clock, the Date header; if it is
// zero, the Builder's time counts.
func (e *Ends) Update(b *Builder, answered time.Time) NewEnds {
	first := e.seen == nil
	if first {
		if answered.IsZero() {
			answered = b.now
		}
		e.since, e.seed = answered.UnixMilli(), maphash.MakeSeed()
		e.seen = make(map[uint64]int64, len(b.states))
	}
	var ends NewEnds
	now := b.now.Unix()
	for i := range b.states {
		s := &b.states[i]
		if s.id != "" && e.note(s, now, first) && !first {
			ends.add(s)
		}
	}
	e.forget(now)
	return ends
}

// note remembers what a row says and reports whether it is an end that counts.
// The ends of the first listing are done with, whatever their times will be.
func (e *Ends) note(s *state, now int64, first bool) bool {
	if !s.status.Terminal() {
		e.see(fact{s.id, StatusUnknown, anyTime}, now)
		return false
	}
	endedBefore := e.see(fact{s.id, s.status, anyTime}, now)
	awaited := e.hash(fact{s.id, s.status, timeAwaited})
	_, done := e.seen[awaited]
	if s.finished == 0 {
		isNew := !endedBefore && e.has(fact{s.id, StatusUnknown, anyTime})
		if first || isNew || done {
			e.seen[awaited] = now
		}
		return isNew
	}
	delete(e.seen, awaited)
	known := e.see(fact{s.id, s.status, s.finished}, now)
	return !known && !done && s.finished >= e.since
}

// see remembers a fact and reports whether it was known.
func (e *Ends) see(f fact, now int64) (known bool) {
	hash := e.hash(f)
	_, known = e.seen[hash]
	e.seen[hash] = now
	return known
}

func (e *Ends) has(f fact) bool {
	_, known := e.seen[e.hash(f)]
	return known
}

func (e *Ends) hash(f fact) uint64 { return maphash.Comparable(e.seed, f) }

// forget drops what has not been listed for too long, or at all now if there
// is too much of it.
func (e *Ends) forget(now int64) {
	after := int64(forgetAfter / time.Second)
	if len(e.seen) > maxFacts {
		after = 0
	}
	for hash, listed := range e.seen {
		if now-listed > after {
			delete(e.seen, hash)
		}
	}
}

func (n *NewEnds) add(s *state) {
	if s.status == StatusStop {
		n.Failed++
		return
	}
	n.Finished++
	task := s.task()
	if d, ok := task.Duration(); ok {
		n.Durations[s.backupType] = append(n.Durations[s.backupType], d)
	}
}
