package schedule

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Scheduler hands out turns to jobs. It is safe for concurrent use.
type Scheduler struct {
	epoch time.Time     // the zero of every instant in this package
	wake  chan struct{} // tells the dispatcher that something changed
	runs  sync.WaitGroup

	// For Healthy, which must not need mu to see that the dispatcher hangs.
	started atomic.Bool
	ping    chan struct{} // the dispatcher receives
	stopped chan struct{} // closed when the dispatcher has ended

	mu      sync.Mutex
	quotas  map[string]*quota
	retired map[string]*quota // no longer named, and not free yet
	groups  map[string]*group
	jobs    map[string]*job
	leaving map[string]*Turns   // runs of jobs that Set removed, until they end
	running map[*Turns]struct{} // every run that has begun and not ended
	idle    queue               // jobs that are not due yet
	once    bool                // RunOnce: a job that was tried is not due again
	lived   time.Duration       // time in which this process could run
	beat    time.Duration       // when the dispatcher turned last
}

// Quota is the pace that one account and endpoint allow.
type Quota struct {
	Key               string
	RequestsPerSecond float64 // must be positive
}

// Group is the jobs of one target.
type Group struct {
	Key           string
	Quota         string // the key of its quota
	MaxConcurrent int    // requests under way at once, at least 1
}

// Job is work that is due at an interval and needs turns to send requests.
type Job struct {
	Key    string        // unique among all jobs; its hash is the phase on the grid
	Group  string        // the key of its group
	Action string        // the API operation of the first request
	List   bool          // a list (plans, gateways, backup sets), which never counts as a first listing
	Every  time.Duration // the interval between due times, positive

	// IdleEvery is the interval after a run that ended idle; zero means Every.
	IdleEvery time.Duration

	// Limit is how long a run may take outside the queue: its requests and
	// the waits between them. Healthy reports runs that take longer. Zero
	// means no limit.
	Limit time.Duration

	// Run is called on a goroutine of its own once its first turn has been
	// granted. The context ends when the job is removed or the scheduler
	// stops.
	Run func(ctx context.Context, turns *Turns) Outcome
}

// Outcome is how a run ended.
type Outcome struct {
	Answered bool // at least one request had a successful answer
	TimedOut bool // the run failed because its time was up
	Deferred bool // the run stopped because Defer said so
	Idle     bool // IdleEvery is the job's interval until a run ends without it
}

// New returns a Scheduler without jobs.
func New() *Scheduler {
	return &Scheduler{
		epoch:   time.Now(),
		wake:    make(chan struct{}, 1),
		ping:    make(chan struct{}),
		stopped: make(chan struct{}),
		quotas:  map[string]*quota{},
		retired: map[string]*quota{},
		groups:  map[string]*group{},
		jobs:    map[string]*job{},
		leaving: map[string]*Turns{},
		running: map[*Turns]struct{}{},
		idle:    queue{before: dueBefore},
	}
}

// Set replaces all quotas, groups and jobs. Those that stay, by key, keep
// their state: the next due time, what was skipped, the requests under way, pauses.
// The first run of a new job is due at once. A removed job that waits is
// forgotten; one that runs has its context canceled, and Set does not wait for
// it. So does the run of a job that moves to another quota, and the job is due again.
// Set may be called before and during Run, and by a job.
//
// Of jobs with the same key the first counts. Set panics if a job names an
// unknown group, a group an unknown quota, or a number is not positive.
func (s *Scheduler) Set(quotas []Quota, groups []Group, jobs []Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.setQuotas(quotas, now)
	s.setGroups(groups)
	s.setJobs(jobs, now)
	s.requeue()
	s.wakeUp()
}

// setQuotas keeps quotas that are not named any more until their pace and their
// pauses mean nothing: a reload that names them again must not start afresh.
func (s *Scheduler) setQuotas(quotas []Quota, now time.Duration) {
	before := s.quotas
	maps.Copy(before, s.retired)
	s.quotas = make(map[string]*quota, len(quotas))
	for _, want := range quotas {
		if !(want.RequestsPerSecond > 0) {
			panic(fmt.Sprintf("schedule: quota %q: requests per second must be positive", want.Key))
		}
		q := before[want.Key]
		if q == nil {
			q = &quota{paused: map[string]time.Duration{}}
		}
		q.gap = time.Duration(min(float64(time.Second)/want.RequestsPerSecond, float64(longestGap)))
		q.groups = nil
		s.quotas[want.Key] = q
		delete(before, want.Key)
	}
	maps.DeleteFunc(before, func(_ string, q *quota) bool { return q.free() <= now })
	s.retired = before
}

func (s *Scheduler) setGroups(groups []Group) {
	before := s.groups
	s.groups = make(map[string]*group, len(groups))
	for _, want := range groups {
		q := s.quotas[want.Quota]
		if q == nil || want.MaxConcurrent < 1 {
			panic(fmt.Sprintf("schedule: group %q needs a quota and at least one request at a time", want.Key))
		}
		g := before[want.Key]
		if g == nil {
			g = &group{}
		}
		g.quota, g.max, g.jobs, g.slowJobs, g.lanes = want.Quota, want.MaxConcurrent, 0, 0, nil
		q.groups = append(q.groups, g)
		s.groups[want.Key] = g
	}
}

func (s *Scheduler) setJobs(jobs []Job, now time.Duration) {
	before := s.jobs
	s.jobs = make(map[string]*job, len(jobs))
	for _, want := range jobs {
		g := s.groups[want.Group]
		if g == nil || want.Every <= 0 {
			panic(fmt.Sprintf("schedule: job %q needs a group and an interval", want.Key))
		}
		if s.jobs[want.Key] != nil {
			continue
		}
		j := before[want.Key]
		if j != nil && j.run != nil && j.quota != g.quota {
			j = s.supersede(j, now)
		}
		if j == nil {
			j = &job{due: now, rank: now, grid: newGrid(want.Key, want.Every)}
		}
		j.Job, j.group, j.quota = want, g, g.quota
		j.regrid(now)
		g.jobs++
		if j.slow {
			g.slowJobs++
		}
		s.jobs[want.Key] = j
	}
	for key, j := range before {
		j.queue = nil // requeue fills the queues again
		if s.jobs[key] != nil {
			continue
		}
		j.gone = true
		if !j.List {
			j.group.skipped += j.skipped + j.missed(now)
		}
		if j.run != nil {
			s.leaving[key] = j.run
			j.run.cancel()
		}
	}
}

// supersede ends the run of a job that moves to another quota. The run would ask the
// old server for its next page at the pace, and in spite of the pauses, of the new
// one. The job is due again as soon as the run has ended.
func (s *Scheduler) supersede(j *job, now time.Duration) *job {
	next := *j
	next.run, next.queue, next.waiting = nil, nil, false
	next.due, next.rank = now, now
	j.gone, j.queue = true, nil
	s.leaving[j.Key] = j.run
	j.run.cancel()
	return &next
}

// requeue puts every job that waits where its new group and interval want it.
func (s *Scheduler) requeue() {
	s.idle.jobs = nil
	for _, j := range s.jobs {
		switch {
		case j.waiting:
			j.enter(j.group.lane(j.lane()))
		case j.run == nil:
			s.rest(j)
		}
	}
}

// rest lets a job wait for its due time. A job whose removed predecessor still
// runs waits for that run's end first, and one that ran once is done in
// RunOnce.
func (s *Scheduler) rest(j *job) {
	if s.leaving[j.Key] != nil || s.once && j.tried {
		return
	}
	j.enter(&s.idle)
}

func (s *Scheduler) now() time.Duration {
	return time.Since(s.epoch)
}

// wakeUp makes the dispatcher look again before the time that its last turn
// returned. Nobody calls it for nothing: that would cost a twentieth of a poll.
func (s *Scheduler) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default: // it has been told already
	}
}
