package schedule

import "time"

// StandStill is what the process sees after it was stopped for d: the clock has
// gone on, and nothing else has.
func (s *Scheduler) StandStill(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch = s.epoch.Add(-d)
	s.wakeUp()
}

// Hang makes Healthy believe that the dispatcher has started, though nothing
// answers.
func (s *Scheduler) Hang() {
	s.started.Store(true)
}
