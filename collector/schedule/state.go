package schedule

import "time"

// JobState is what is known of a job at one moment.
type JobState struct {
	// Due is the next due time, or the first one that no poll has served. It is
	// wall clock time for people; the schedule itself does not use it.
	Due time.Time
	// Late is how long the job has been due if that is more than one interval,
	// and zero otherwise. A job that was never run has been due since it appeared.
	Late time.Duration
	// Skipped counts due times without a poll of their own, from the end of the
	// first poll on: their successor came before a poll began, or they came less
	// than half an interval after a start that was late. It grows while a job
	// starves, and it never falls while the job stays.
	Skipped uint64
	// Polls counts the polls that have begun. A first listing that was deferred
	// and starts again is one.
	Polls   uint64
	Running bool
	// Tried reports whether the first poll has ended, well or badly.
	Tried bool
	// Slow reports whether the last polls had a request of over five seconds or
	// timed out.
	Slow bool
}

// State returns the states of these jobs, in this order, all of one moment. An
// unknown key has the zero state. It is cheap, and no job can block it.
//
// Gone is the number of due times that were skipped by jobs of the group which
// Set has removed, lists excepted: with those of the jobs it is a counter that
// never falls while the group stays.
func (s *Scheduler) State(group string, keys []string) (states []JobState, gone uint64) {
	states = make([]JobState, len(keys))
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wall := s.now(), time.Now().Round(0)
	if g := s.groups[group]; g != nil {
		gone = g.skipped
	}
	for i, key := range keys {
		if j := s.jobs[key]; j != nil {
			states[i] = j.state(now, wall)
		}
	}
	return states, gone
}

func (j *job) state(now time.Duration, wall time.Time) JobState {
	state := JobState{
		Due:     wall.Add(j.due - now),
		Skipped: j.skipped + j.missed(now),
		Polls:   j.polls,
		Running: j.run != nil,
		Tried:   j.tried,
		Slow:    j.slow,
	}
	if late := now - j.due; late > j.grid.every {
		state.Late = late
	}
	return state
}
