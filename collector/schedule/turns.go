package schedule

import (
	"context"
	"errors"
	"time"
)

// Errors of a caller that uses Wait wrongly.
var (
	errOver = errors.New("schedule: the run has ended")
	errBusy = errors.New("schedule: the turn before has not ended")
)

// Turns hands out the turns of one run, one at a time. Only the run may use it.
type Turns struct {
	scheduler *Scheduler
	job       *job
	canceled  <-chan struct{} // closed when the context of the run ends
	cancel    context.CancelFunc
	granted   chan struct{} // receives one value for each turn that Wait queued for
	slow      bool          // what Slow returns
	limit     time.Duration // how long it may take, as its job was when it began
	due       time.Duration // of the job when the run began
	rank      time.Duration // of its requests among those that wait

	// Guarded by the scheduler's mutex.
	begun    bool   // the first turn has been collected
	action   string // of the request that waits
	turn     *turn  // in hand
	sawSlow  bool   // a request took too long
	deferred bool   // Defer returned true
	over     bool
	busy     time.Duration // spent outside the queue before since
	since    time.Duration // when it left the queue, in lived time
}

// turn is the permission to send one request.
type turn struct {
	run   *Turns
	group *group
	slow  bool          // it counts in the share of slow jobs
	from  time.Duration // when it was granted, then when it was collected
	over  bool
}

// Wait returns when the run may send a request of this API operation. The first
// call returns at once, because a run begins with its first turn. The caller
// must call end once the answer is there, whatever it is, and before the next
// Wait. A request of over five seconds makes the job slow.
//
// Wait fails with the cause of ctx if that ends first, and with context.Canceled
// if the context of the run does. Nothing may be sent then.
func (t *Turns) Wait(ctx context.Context, action string) (end func(), err error) {
	got, err := t.ask(ctx, action)
	if err != nil {
		return nil, err
	}
	if got == nil {
		if got, err = t.await(ctx); err != nil {
			return nil, err
		}
	}
	return got.done, nil
}

// ask returns the first turn, or queues for another one.
func (t *Turns) ask(ctx context.Context, action string) (*turn, error) {
	s := t.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case t.over:
		return nil, errOver
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case isClosed(t.canceled):
		return nil, context.Canceled
	case !t.begun:
		t.begun = true
		t.turn.from = s.now()
		return t.turn, nil
	case t.turn != nil || t.job.waiting:
		return nil, errBusy
	}
	t.busy = t.took(s.lived)
	t.action = action
	j := t.job
	j.waiting = true
	j.enter(j.group.lane(j.lane()))
	s.wakeUp()
	return nil, nil
}

// await waits for the turn that ask queued for.
func (t *Turns) await(ctx context.Context) (*turn, error) {
	var err error
	select {
	case <-t.granted:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-t.canceled:
		err = context.Canceled
	}
	s := t.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if err == nil {
		t.turn.from = now
		return t.turn, nil
	}
	if t.job.waiting {
		t.job.leave()
		t.job.waiting = false
		t.since = s.lived
	} else { // granted at the same moment
		<-t.granted
		t.turn.end(now)
	}
	return nil, err
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// hold puts a turn into the run's hand.
func (t *Turns) hold(now, lived time.Duration) {
	g := t.job.group
	t.since = lived
	t.turn = &turn{run: t, group: g, slow: t.job.slow, from: now}
	g.sending++
	if t.turn.slow {
		g.slowSending++
	}
}

// grant gives the turn that a run has queued for.
func (t *Turns) grant(now, lived time.Duration) {
	t.hold(now, lived)
	t.granted <- struct{}{}
}

// done is the end that Wait returns.
func (t *turn) done() {
	s := t.run.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	t.end(s.now())
}

// end takes a turn back. Only the first call counts.
func (t *turn) end(now time.Duration) {
	if t.over {
		return
	}
	t.over = true
	t.run.turn = nil
	took := now - t.from
	if took > slowRequest {
		t.run.sawSlow = true
	}
	if t.slow || t.group.sending >= t.group.max {
		t.run.scheduler.wakeUp() // others may have waited for it
	}
	t.group.sending--
	if t.slow {
		t.group.slowSending--
		t.group.slowFrom = now + took
	}
}

// took returns how long the run has spent outside the queue, in lived time.
func (t *Turns) took(lived time.Duration) time.Duration {
	if t.job.waiting {
		return t.busy
	}
	return t.busy + lived - t.since
}

// Slow reports whether this run gets a single attempt of half its time: the job
// is slow, or it has never answered.
func (t *Turns) Slow() bool {
	return t.slow
}

// Defer is called by a first listing after its first page, with the number of
// pages it will need. If it returns true, the run must stop and return an
// Outcome with Deferred set: it starts again after the other first listings, the
// shortest first. A listing of up to ten pages goes on, as do one that was
// deferred before, one of a later poll, and a list.
func (t *Turns) Defer(pages int) bool {
	s := t.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	j := t.job
	if j.List || j.tried || j.pages > 0 || t.over || pages <= manyPages {
		return false
	}
	j.pages = pages
	t.deferred = true
	return true
}

// Pause stops requests of an action for d, because the server asked for it, or
// of all actions if action is empty. Requests under way go on. A pause is never
// shortened. Pause of an unknown quota does nothing.
func (s *Scheduler) Pause(quota, action string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.quotas[quota]
	if q == nil {
		q = s.retired[quota] // a request from before a reload was answered
	}
	if q == nil {
		return
	}
	now := s.now()
	for a, until := range q.paused {
		if until <= now {
			delete(q.paused, a)
		}
	}
	q.paused[action] = max(q.paused[action], now+d)
	s.wakeUp()
}
