package schedule

import (
	"container/heap"
	"time"
)

// queue is a heap of jobs. A job is in one queue at a time and knows its place,
// so that it can leave from the middle.
type queue struct {
	jobs   []*job
	before func(a, b *job) bool
}

func (q *queue) Len() int           { return len(q.jobs) }
func (q *queue) Less(i, k int) bool { return q.before(q.jobs[i], q.jobs[k]) }

func (q *queue) Swap(i, k int) {
	q.jobs[i], q.jobs[k] = q.jobs[k], q.jobs[i]
	q.jobs[i].at, q.jobs[k].at = i, k
}

// Push and Pop are heap's; use enter and leave.
func (q *queue) Push(j any) {
	entered := j.(*job)
	entered.at = len(q.jobs)
	q.jobs = append(q.jobs, entered)
}

func (q *queue) Pop() any {
	last := len(q.jobs) - 1
	j := q.jobs[last]
	q.jobs[last] = nil
	q.jobs = q.jobs[:last]
	return j
}

// head returns the first job, nil if there is none.
func (q *queue) head() *job {
	if len(q.jobs) == 0 {
		return nil
	}
	return q.jobs[0]
}

func (j *job) enter(q *queue) {
	j.queue = q
	heap.Push(q, j)
}

func (j *job) leave() {
	if j.queue != nil {
		heap.Remove(j.queue, j.at)
		j.queue = nil
	}
}

// dueBefore orders jobs that are not due yet.
func dueBefore(a, b *job) bool {
	if a.due != b.due {
		return a.due < b.due
	}
	return a.Key < b.Key
}

// urgentBefore orders jobs that wait for a turn: the most overdue first, at a
// tie polls that have begun. Deferred first listings come last, the shortest
// first.
func urgentBefore(a, b *job) bool {
	if x, y := a.place(), b.place(); x != y {
		return x < y
	}
	if x, y := a.line(), b.line(); x != y {
		return x < y
	}
	if (a.run != nil) != (b.run != nil) {
		return a.run != nil
	}
	return a.Key < b.Key
}

// place is the number of pages of a deferred first listing. A slow job is not
// put back for it: others that are slow come again and again.
func (j *job) place() int {
	if j.slow {
		return 0
	}
	return j.pages
}

// line is where the job stands in line: the later pages of a poll keep the
// place of their poll.
func (j *job) line() time.Duration {
	if j.run != nil {
		return j.run.rank
	}
	return j.rank
}
