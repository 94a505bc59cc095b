package schedule_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/schedule"
)

const (
	pollTimeout = 30 * time.Second // what requests and backoff of a poll may take
	backoff     = time.Second
	attempts    = 3
	action      = "DescribeBackupSetDownloadTaskList"
	sample      = time.Second // how often lateness is measured
)

// plan is a fake of a poll: pages requests, one after the other.
type plan struct {
	key     string
	group   string // "target" if empty
	every   time.Duration
	pages   int
	latency time.Duration
	list    bool
	hangs   func(now time.Duration) bool // nil: never

	starts []time.Duration // of polls; a deferred first listing counts when it starts again
	ends   []time.Duration // of polls that listed everything
	failed []time.Duration // of polls that did not
	defers int
}

// world is a scheduler in simulated time, plans that it polls, and a check of
// what must hold at each moment.
type world struct {
	t     *testing.T
	s     *schedule.Scheduler
	start time.Time

	rate   float64
	groups []schedule.Group

	mu      sync.Mutex
	plans   []*plan
	slots   []time.Duration
	sending map[string]int
	polling map[string]bool
	lateFor func(*plan) bool // which plans lateness is measured of, nil: all
	late    map[time.Duration]time.Duration
	stop    context.CancelFunc
}

// simulate runs f in a bubble with a scheduler of 5 requests a second and 4 at
// a time that runs until f returns.
func simulate(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		w.stop = cancel
		var running sync.WaitGroup
		running.Go(func() { w.s.Run(ctx) })
		running.Go(func() { w.measure(ctx) })
		f(w)
		cancel()
		running.Wait()
		w.checkSlots()
	})
}

func newWorld(t *testing.T) *world {
	return &world{
		t: t, s: schedule.New(), start: time.Now(), rate: 5,
		groups:  []schedule.Group{{Key: "target", Quota: "quota", MaxConcurrent: 4}},
		sending: map[string]int{}, polling: map[string]bool{},
		late: map[time.Duration]time.Duration{},
	}
}

func (w *world) now() time.Duration { return time.Since(w.start) }

// until sleeps until that time since the start.
func (w *world) until(at time.Duration) { time.Sleep(at - w.now()) }

// set replaces the plans.
func (w *world) set(plans ...[]*plan) {
	w.mu.Lock()
	w.plans = slices.Concat(plans...)
	w.mu.Unlock()
	w.apply()
}

func (w *world) apply() {
	var jobs []schedule.Job
	for _, p := range w.plans {
		if p.group == "" {
			p.group = "target"
		}
		if p.every == 0 {
			p.every = time.Minute
		}
		jobs = append(jobs, schedule.Job{
			Key: p.key, Group: p.group, Action: action, List: p.list, Every: p.every, Limit: 2 * pollTimeout,
			Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome { return w.poll(ctx, turns, p) },
		})
	}
	w.s.Set([]schedule.Quota{{Key: "quota", RequestsPerSecond: w.rate}}, w.groups, jobs)
}

// poll does what the exporter does: pages in order, a time budget that runs
// outside the queue only, and a single attempt of half of it for slow plans.
func (w *world) poll(ctx context.Context, turns *schedule.Turns, p *plan) schedule.Outcome {
	w.mu.Lock()
	if w.polling[p.key] {
		w.t.Errorf("%s: two polls at once", p.key)
	}
	w.polling[p.key] = true
	p.starts = append(p.starts, w.now())
	w.mu.Unlock()
	defer func() { w.mu.Lock(); w.polling[p.key] = false; w.mu.Unlock() }()

	budget, tries := pollTimeout, attempts
	if p.list {
		budget = max(budget, p.every/2)
	}
	if turns.Slow() {
		budget, tries = max(budget/2, 12*time.Second), 1
	}
	var outcome schedule.Outcome
	for page := range p.pages {
		took, ok := w.request(ctx, turns, p, budget, tries)
		if !ok {
			w.mu.Lock()
			p.failed = append(p.failed, w.now())
			w.mu.Unlock()
			outcome.TimedOut = true
			return outcome
		}
		budget -= took
		outcome.Answered = true
		if page == 0 && turns.Defer(p.pages) {
			w.mu.Lock()
			p.starts = p.starts[:len(p.starts)-1]
			p.defers++
			w.mu.Unlock()
			outcome.Deferred = true
			return outcome
		}
	}
	w.mu.Lock()
	p.ends = append(p.ends, w.now())
	w.mu.Unlock()
	return outcome
}

// request sends one request, again after a while if it fails. It reports how
// much of the budget it took and whether there was an answer.
func (w *world) request(ctx context.Context, turns *schedule.Turns, p *plan, budget time.Duration, tries int) (took time.Duration, ok bool) {
	for range tries {
		end, err := turns.Wait(ctx, action)
		if err != nil {
			return took, false
		}
		w.sent(p, 1)
		lasts, answers := p.latency, true
		if p.hangs != nil && p.hangs(w.now()) {
			lasts, answers = budget, false
		}
		if left := budget - took; lasts > left {
			lasts, answers = left, false
		}
		sleep(ctx, lasts)
		took += lasts
		w.sent(p, -1)
		end()
		if answers || took >= budget {
			return took, answers
		}
		sleep(ctx, backoff)
		took += backoff
	}
	return took, false
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// sent notes that a request was sent, or that it has ended.
func (w *world) sent(p *plan, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sending[p.group] += n
	if n < 0 {
		return
	}
	w.slots = append(w.slots, w.now())
	for _, g := range w.groups {
		if g.Key == p.group && w.sending[p.group] > g.MaxConcurrent {
			w.t.Errorf("%s: %d requests at once, allowed %d", p.group, w.sending[p.group], g.MaxConcurrent)
		}
	}
}

// checkSlots reports slots that are closer to each other than the pace allows.
func (w *world) checkSlots() {
	gap := time.Duration(float64(time.Second) / w.rate)
	for i := 1; i < len(w.slots); i++ {
		if d := w.slots[i] - w.slots[i-1]; d < gap {
			w.t.Errorf("slots at %s and %s: %s apart, want at least %s", w.slots[i-1], w.slots[i], d, gap)
			return
		}
	}
}

// measure notes every moment how long the plan that waits longest has been due.
func (w *world) measure(ctx context.Context) {
	for ctx.Err() == nil {
		now := w.now()
		w.mu.Lock()
		plans := w.plans
		w.mu.Unlock()
		for i, state := range w.s.State(keys(plans)) {
			if !state.Running && state.Polls > 0 && (w.lateFor == nil || w.lateFor(plans[i])) {
				w.mu.Lock()
				w.late[now] = max(w.late[now], time.Since(state.Due))
				w.mu.Unlock()
			}
		}
		sleep(ctx, sample)
	}
}

// latest returns the longest that a plan was due from then on.
func (w *world) latest(from time.Duration) time.Duration {
	var latest time.Duration
	w.mu.Lock()
	defer w.mu.Unlock()
	for at, late := range w.late {
		if at >= from {
			latest = max(latest, late)
		}
	}
	return latest
}

// skipped returns the sum of what was skipped of these plans.
func (w *world) skipped(plans []*plan) (sum uint64) {
	for _, state := range w.s.State(keys(plans)) {
		sum += state.Skipped
	}
	return sum
}

func keys(plans []*plan) []string {
	names := make([]string, len(plans))
	for i, p := range plans {
		names[i] = p.key
	}
	return names
}

// plans makes n plans of a name, alike.
func plans(n int, name string, like plan) []*plan {
	made := make([]*plan, n)
	for i := range made {
		p := like
		p.key = fmt.Sprintf("%s-%04d", name, i)
		made[i] = &p
	}
	return made
}

// listed returns when the last of the plans was listed for the first time, and
// fails the test if one was not.
func (w *world) listed(plans []*plan) (last time.Duration) {
	w.t.Helper()
	for _, p := range plans {
		if len(p.ends) == 0 {
			w.t.Errorf("%s was never listed", p.key)
			continue
		}
		last = max(last, p.ends[0])
	}
	return last
}

// failures returns how many polls of the plans failed.
func failures(plans []*plan) (n int) {
	for _, p := range plans {
		n += len(p.failed)
	}
	return n
}

// polls returns the fewest and the most polls of a plan from then on, and the
// longest gap between two.
func polls(plans []*plan, from time.Duration) (fewest, most int, gap time.Duration) {
	fewest = 1 << 30
	for _, p := range plans {
		i, _ := slices.BinarySearch(p.starts, from)
		starts := p.starts[i:]
		fewest, most = min(fewest, len(starts)), max(most, len(starts))
		for k := 1; k < len(starts); k++ {
			gap = max(gap, starts[k]-starts[k-1])
		}
	}
	return fewest, most, gap
}

func hanging(time.Duration) bool { return true }
