package credentials

import "time"

// Suspend lets time pass as on a machine that is suspended, or whose clock is
// corrected: by the wall clock alone. The clocks of synctest go together, so
// what the session measures by the monotonic clock is moved along.
func (s *Session) Suspend(d time.Duration) {
	time.Sleep(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range []*time.Time{&s.renewAt, &s.heldUntil, &s.forcedAt} {
		*at = at.Add(d)
	}
}
