package schedule_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"aliyun_dbs_exporter/collector/schedule"
)

const sample = time.Second // how often lateness is measured

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
	after   func() // called when a poll has ended
	sending map[string]int
	polling map[string]bool

	shares   bool           // check the share of slow plans
	slow     map[string]int // requests of slow plans under way
	slowFrom map[string]time.Duration
}

// simulate runs f in a bubble with a scheduler of 5 requests a second and 4 at
// a time that runs until f returns.
func simulate(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.s.Run(ctx) })
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
		slow: map[string]int{}, slowFrom: map[string]time.Duration{},
	}
}

func (w *world) now() time.Duration { return time.Since(w.start) }

// until sleeps until that time since the start, and until all that happens then
// has happened. Between two calls nothing runs, so the test may read what polls
// write; the mutex tells the race detector.
func (w *world) until(at time.Duration) {
	w.mu.Lock()
	w.mu.Unlock() //nolint:staticcheck // an order of events, not a section
	time.Sleep(at - w.now())
	synctest.Wait()
}

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
			Key: p.key, Group: p.group, Action: action, List: p.list, Every: p.every, IdleEvery: p.idle, Limit: p.budget() + time.Second,
			Run: func(ctx context.Context, turns *schedule.Turns) schedule.Outcome { return w.poll(ctx, turns, p) },
		})
	}
	w.s.Set([]schedule.Quota{{Key: "quota", RequestsPerSecond: w.rate}}, w.groups, jobs)
}

// sent notes that a request was sent, or that it has ended.
func (w *world) sent(p *plan, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sentSlow(p, n)
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

// sentSlow checks the share of slow plans, in tests where at least one plan of
// each group is never slow.
func (w *world) sentSlow(p *plan, n int) {
	if !w.shares {
		return
	}
	if n < 0 {
		if p.slowSince >= 0 {
			w.slow[p.group]--
			w.slowFrom[p.group] = w.now() + w.now() - p.slowSince
		}
		return
	}
	p.slowSince = -1
	if !w.states([]string{p.key})[0].Slow {
		return
	}
	p.slowSince = w.now()
	w.slow[p.group]++
	for _, g := range w.groups {
		if g.Key != p.group {
			continue
		}
		if w.slow[p.group] > max(g.MaxConcurrent/2, 1) {
			w.t.Errorf("%d slow requests of %d at once", w.slow[p.group], g.MaxConcurrent)
		}
		if g.MaxConcurrent == 1 && w.now() < w.slowFrom[p.group] {
			w.t.Errorf("a slow request at %s, want none before %s", w.now(), w.slowFrom[p.group])
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

// latest watches plans until a time, and returns the longest that one of them
// had been due without running.
func (w *world) latest(plans []*plan, until time.Duration) (latest time.Duration) {
	for w.now() < until {
		for _, state := range w.states(keys(plans)) {
			if !state.Running {
				latest = max(latest, time.Since(state.Due))
			}
		}
		w.until(w.now() + sample)
	}
	return latest
}

// skipped returns the sum of what was skipped of these plans.
func (w *world) skipped(plans []*plan) (sum uint64) {
	for _, state := range w.states(keys(plans)) {
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

// states returns the states of jobs, whatever their group.
func states(s *schedule.Scheduler, keys ...string) []schedule.JobState {
	states, _ := s.State("", keys)
	return states
}

func (w *world) states(keys []string) []schedule.JobState { return states(w.s, keys...) }
