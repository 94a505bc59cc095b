package schedule_test

import (
	"context"
	"fmt"
	"time"

	"aliyun_dbs_exporter/collector/schedule"
)

const (
	pollTimeout = 30 * time.Second
	backoff     = time.Second
	attempts    = 3
	action      = "DescribeBackupSetDownloadTaskList"
)

// plan is a fake of a poll: pages requests, one after the other.
type plan struct {
	key     string
	group   string // "target" if empty
	every   time.Duration
	idle    time.Duration // the interval while isIdle
	isIdle  bool          // its polls end idle
	pages   int
	latency time.Duration
	list    bool
	hangs   func(now time.Duration) bool // nil: never

	starts []time.Duration // of polls; a deferred first listing counts when it starts again
	ends   []time.Duration // of polls that listed everything
	failed []time.Duration // of polls that did not
	defers int

	slowSince time.Duration // of its request under way, -1 if it is not slow
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

func hanging(time.Duration) bool { return true }

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

	budget, tries := p.budget(), attempts
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
	outcome.Idle = p.isIdle
	w.mu.Unlock()
	if w.after != nil {
		w.after()
	}
	return outcome
}

// budget is what requests and backoff of a poll may take.
func (p *plan) budget() time.Duration {
	if p.list {
		return max(pollTimeout, p.every/2)
	}
	return pollTimeout
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
