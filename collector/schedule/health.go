package schedule

import (
	"fmt"
	"time"
)

// heartbeat is how often the dispatcher turns when there is nothing to do.
const heartbeat = time.Second

// answerWithin is how long the dispatcher may take to answer Healthy. It takes
// microseconds; a machine that has no time for it is given this.
const answerWithin = 10 * time.Second

// Healthy returns an error if the dispatcher does not turn, or if a run takes
// longer than its job's Limit. It asks the dispatcher instead of comparing
// times, and time in which the whole process stood still is not counted, so
// neither a step of the clock nor a standstill looks like a hang. Before Run has
// started and after its context has ended, Healthy returns nil.
func (s *Scheduler) Healthy() error {
	if !s.started.Load() {
		return nil
	}
	timeout := time.NewTimer(answerWithin)
	defer timeout.Stop()
	select {
	case s.ping <- struct{}{}: // the dispatcher has taken it
		return s.overrun()
	case <-s.stopped:
		return nil
	case <-timeout.C:
		return fmt.Errorf("schedule: the dispatcher has not answered for %s", answerWithin)
	}
}

// overrun returns an error that names the run which is furthest beyond its limit.
func (s *Scheduler) overrun() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var worst *Turns
	var by time.Duration
	for t := range s.running {
		if over := t.took(s.lived) - t.limit; t.limit > 0 && over > by {
			worst, by = t, over
		}
	}
	if worst == nil {
		return nil
	}
	return fmt.Errorf("schedule: job %q has been running for more than %s", worst.job.Key, worst.limit)
}

// live advances the time in which this process could run. The dispatcher turns
// at least once a heartbeat, so a longer gap was a standstill.
func (s *Scheduler) live(now time.Duration) {
	s.lived += min(now-s.beat, 2*heartbeat)
	s.beat = now
}
