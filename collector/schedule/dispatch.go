package schedule

import (
	"context"
	"time"
)

// Run runs jobs when they are due, until the context ends. It returns when
// every run that has begun has ended. It must be called once, and not beside
// RunOnce.
func (s *Scheduler) Run(ctx context.Context) {
	s.dispatch(ctx)
}

// RunOnce runs each job once, in the order of the schedule, and returns when
// all have ended. Jobs that Set adds meanwhile are run too.
func (s *Scheduler) RunOnce(ctx context.Context) {
	s.mu.Lock()
	s.once = true
	s.mu.Unlock()
	s.dispatch(ctx)
}

func (s *Scheduler) dispatch(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer s.runs.Wait()
	defer cancel()
	s.start()
	defer close(s.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-s.ping:
		case <-timer.C:
		}
		wait, done := s.turn(ctx)
		if done {
			return
		}
		timer.Reset(wait)
	}
}

func (s *Scheduler) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beat = s.now()
	s.started.Store(true)
}

// turn hands out every slot that is free now. It returns how long nothing will
// happen by itself, and reports whether RunOnce has nothing left to do.
func (s *Scheduler) turn(ctx context.Context) (wait time.Duration, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.live(now)
	if ctx.Err() != nil {
		return heartbeat, false
	}
	s.admit(now)
	again := now + heartbeat
	for _, q := range s.quotas {
		again = min(again, s.serve(ctx, q, now))
	}
	if j := s.idle.head(); j != nil {
		again = min(again, j.due)
	}
	return again - now, s.once && s.finished()
}

// admit moves jobs that are due to where they wait for their first turn.
func (s *Scheduler) admit(now time.Duration) {
	for j := s.idle.head(); j != nil && j.due <= now; j = s.idle.head() {
		j.leave()
		j.waiting = true
		j.enter(j.group.lane(j.lane()))
	}
}

// serve hands out the free slots of a quota and returns when to look again.
func (s *Scheduler) serve(ctx context.Context, q *quota, now time.Duration) time.Duration {
	for {
		j, again := q.next(now)
		if j == nil {
			q.awaited = false
			return again
		}
		if open := q.open(); open > now {
			q.awaited = true
			return open
		}
		q.take(j, now)
		j.leave()
		j.waiting = false
		if j.run == nil {
			s.begin(ctx, j, now)
		} else {
			j.run.grant(now, s.lived)
		}
	}
}

// begin starts a run, with its first turn in hand.
func (s *Scheduler) begin(ctx context.Context, j *job, now time.Duration) {
	t := &Turns{
		scheduler: s, job: j, granted: make(chan struct{}, 1),
		slow: j.slow || !j.answered, limit: j.Limit, due: j.due, rank: j.rank,
	}
	ctx, t.cancel = context.WithCancel(ctx)
	t.canceled = ctx.Done()
	j.begin(now)
	j.run = t
	s.running[t] = struct{}{}
	t.hold(now, s.lived)
	run := j.Run
	s.runs.Go(func() {
		outcome := run(ctx, t)
		t.cancel()
		s.ended(t, outcome)
	})
}

// ended puts a job whose run has ended back in line.
func (s *Scheduler) ended(t *Turns, outcome Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := t.job
	if t.turn != nil {
		t.turn.end(s.now())
	}
	t.over = true
	delete(s.running, t)
	j.run = nil
	slow := j.slow
	j.end(t, outcome, s.now())
	if s.once || j.slow != slow {
		s.wakeUp()
	}
	if s.leaving[j.Key] == t {
		delete(s.leaving, j.Key)
		if j = s.jobs[j.Key]; j == nil {
			return
		}
	}
	s.rest(j)
	if s.idle.head() == j {
		s.wakeUp()
	}
}

// finished reports whether no job waits and none runs.
func (s *Scheduler) finished() bool {
	if len(s.running) > 0 || len(s.idle.jobs) > 0 {
		return false
	}
	for _, j := range s.jobs {
		if j.waiting {
			return false
		}
	}
	return true
}
