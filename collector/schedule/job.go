package schedule

import "time"

const (
	slowRequest = 5 * time.Second // a request of more makes its job slow
	calmPolls   = 3               // polls in a row without one that end it
	manyPages   = 10              // a first listing of more is deferred once
)

// job is a Job with what is known of it. The scheduler's mutex guards it.
type job struct {
	Job
	group *group
	quota string // the key of the group's quota
	gone  bool   // Set removed it

	grid     grid
	gridFrom time.Duration // points before belong to an earlier grid
	due      time.Duration // the first due time that no run has served
	rank     time.Duration // its place among jobs that wait, see begin
	skipped  uint64        // due times that were passed over up to the last start
	polls    uint64        // polls begun

	run      *Turns // nil while it does not run
	tried    bool   // its first poll has ended
	answered bool   // a request had a successful answer
	idle     bool   // as its last run ended
	slow     bool
	calm     int // polls in a row that were not slow, while slow
	pages    int // of a first listing that was deferred, until it has ended

	queue   *queue // that it is in, nil while it needs no turn
	at      int    // its place there
	waiting bool   // the queue is a lane
}

// regrid makes the grid that of the job's interval. If that has changed, the
// earlier of the old due time and the next point of the new grid is due next;
// points of the new grid that lie in the past were never due.
func (j *job) regrid(now time.Duration) {
	every := j.Every
	if j.idle && j.IdleEvery > 0 {
		every = j.IdleEvery
	}
	if every == j.grid.every {
		return
	}
	g := newGrid(j.Key, every)
	j.skipped += j.missed(now)
	j.grid, j.gridFrom = g, now
	if j.polls > 0 {
		j.due = min(j.due, g.next(now))
	}
	j.rank = min(j.rank, j.due)
}

// missed counts the due times whose successor has come while no poll began.
// Nothing is missed before the end of the first poll.
func (j *job) missed(now time.Duration) uint64 {
	if !j.tried || j.due > now {
		return 0
	}
	return j.grid.between(max(j.due, j.gridFrom), now)
}

// begin accounts for a start. It serves the last due time that has passed; the
// next one is at least half an interval away, and a point of the grid before
// that is skipped.
//
// The place of the next poll in the queue is that of the due time an interval
// later. A start that was late moves it back by as much, except for a tenth of
// the interval: under overload the jobs then take turns whatever their phases
// are, and without it a short delay leaves no trace. A first start is on no
// grid, as is the first one after a change of interval.
func (j *job) begin(now time.Duration) {
	every := j.grid.every
	next := j.grid.next(now + every/2)
	rank := min(next, now+every)
	if last := j.grid.next(now+1) - every; j.tried && last >= max(j.due, j.gridFrom) {
		j.skipped += j.missed(now) + j.grid.between(now, next-1)
		rank = now + every - min(now-last, every/10)
	}
	if j.pages == 0 {
		j.polls++
	}
	j.due, j.rank = next, rank
}

// end accounts for how a run ended.
func (j *job) end(t *Turns, o Outcome, now time.Duration) {
	j.answered = j.answered || o.Answered
	j.setSlow(t.sawSlow || o.TimedOut)
	if o.Deferred && t.deferred {
		j.due, j.rank = t.due, t.rank
		return
	}
	j.tried = true
	j.pages = 0
	j.idle = o.Idle
	j.regrid(now)
}

// setSlow notes whether a poll was slow. One slow poll makes a job slow, and
// several in a row that were not end it, so that a job which hangs now and then
// stays slow.
func (j *job) setSlow(slow bool) {
	before := j.slow
	switch {
	case slow:
		j.slow, j.calm = true, 0
	case j.slow:
		j.calm++
		j.slow = j.calm < calmPolls
	}
	if j.gone || before == j.slow {
		return
	}
	if j.slow {
		j.group.slowJobs++
	} else {
		j.group.slowJobs--
	}
}

// kind is what the alternation of slots distinguishes.
type kind int

const (
	first kind = iota // first polls of plans, and those that were deferred
	other
	slow
	kinds
)

func (j *job) kind() kind {
	switch {
	case j.slow:
		return slow
	case !j.List && (!j.tried || j.pages > 0):
		return first
	}
	return other
}

// lane returns the queue that the job's next request waits in.
func (j *job) lane() (action string, k kind) {
	if j.run != nil {
		return j.run.action, j.kind()
	}
	return j.Action, j.kind()
}
