package collector

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"

	"aliyun_dbs_exporter/dbsapi"
	"aliyun_dbs_exporter/dbsapi/credentials"
)

// target is one account in one region. A loop of its own polls its plans; nothing else writes to them.
type target struct {
	account, region string
	logger          log.Logger
	instruments     *targetInstruments
	onPoll          func(PollResult)
	unknown         *unknownStatuses

	shard Shard

	settings atomic.Pointer[settings]
	// discovered is what discovery has found, nil before its first attempt has ended and where it is off.
	discovered atomic.Pointer[discovered]
	// plans are those to poll, out of settings and discovered.
	plans atomic.Pointer[[]*plan]
	// mu serializes those who make plans: a reload and discovery.
	mu sync.Mutex
	// changed tells the loop that plans are new, and reconfigured discovery that settings are.
	changed, reconfigured chan struct{}
	// logBudget is called when the polls may need another number of requests.
	logBudget func()

	// rounds counts the rounds that were started; it belongs to the loop.
	rounds uint64
	// ready: every plan of the beginning has been polled.
	ready atomic.Bool
	// beat is when the loop last showed that it turns, in nanoseconds since 1970.
	beat atomic.Int64
	// nextRound is when the next round is to start, likewise.
	nextRound atomic.Int64
	// progress is that of the round, nil between rounds.
	progress atomic.Pointer[RoundStatus]
}

// settings are what a configuration says about a target. They are replaced as a whole.
type settings struct {
	config      *TargetConfig
	client      *dbsapi.Client
	credentials credentials.Provider
	interval    time.Duration
	timeout     time.Duration
	series      TaskSeriesConfig
}

// PollResult is the outcome of one plan's poll.
type PollResult struct {
	Account, RegionID, PlanID string
	// Tasks is how many distinct tasks were listed.
	Tasks int
	// Err is nil for a good poll, and Advice says what a person can do about it.
	Err    error
	Advice string
}

// update takes over new settings, with the plans that they bring.
func (t *target) update(s *settings) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settings.Store(s)
	if !s.config.Discovery.Enabled {
		t.discovered.Store(nil)
	}
	t.mergePlans()
	signal(t.reconfigured)
}

// signal wakes whoever waits on a channel that holds one value. If it is full, the last signal was not seen yet and
// will do for both.
func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// run polls all plans at once, then every interval. Plans that come later are polled as soon as they come.
func (t *target) run(ctx context.Context) {
	var discovery sync.WaitGroup
	discovery.Go(func() { t.runDiscovery(ctx) })
	defer discovery.Wait()
	next := time.Now()
	for {
		t.alive()
		t.nextRound.Store(next.UnixNano())
		timer := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-t.changed:
			timer.Stop()
			if t.rounds > 0 {
				t.poll(ctx, isNew)
				next = earlier(next, time.Now().Add(t.settings.Load().interval))
			}
		case <-timer.C:
			t.round(ctx)
			next = t.after(next)
		}
	}
}

// after returns the start of the round after the one that started at a time and just ended, on the same grid.
// Starts that have passed by now are skipped: the round was still running.
func (t *target) after(start time.Time) time.Time {
	interval := t.settings.Load().interval
	next := start.Add(interval)
	for now := time.Now(); next.Before(now); next = next.Add(interval) {
		t.instruments.skipped.Inc()
	}
	return next
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func (t *target) alive() { t.beat.Store(time.Now().UnixNano()) }

// round polls every plan once and logs what failed.
func (t *target) round(ctx context.Context) {
	t.rounds++
	t.poll(ctx, func(p *plan) bool { return p.round != t.rounds })
	if ctx.Err() == nil {
		t.logRound()
		t.logBudget()
	}
}

// isNew tells whether a plan has never been part of a round.
func isNew(p *plan) bool { return p.round == 0 }

// poll polls the plans that are due, a few at a time, until none is left. Plans that join meanwhile are seen. It
// returns when every poll has ended.
func (t *target) poll(ctx context.Context, due func(*plan) bool) {
	ended := make(chan struct{})
	defer t.progress.Store(nil)
	for running, done := 0, 0; ; {
		t.progress.Store(&RoundStatus{Done: done, Total: len(*t.plans.Load())})
		for running < t.settings.Load().config.MaxConcurrentRequests && ctx.Err() == nil {
			p := t.first(due)
			if p == nil {
				break
			}
			p.round = t.rounds
			running++
			go func() {
				t.pollPlan(ctx, p)
				ended <- struct{}{}
			}()
		}
		if running == 0 {
			t.settle(ctx)
			return
		}
		select {
		case <-ended:
			running--
			done++
			t.alive()
		case <-t.changed:
		}
	}
}

// settle makes the target ready once discovery, where it is on, has ended its first attempt and every plan its first poll.
func (t *target) settle(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	discovering := t.settings.Load().config.Discovery.Enabled && t.discovered.Load() == nil
	if ctx.Err() == nil && !discovering && t.first(isNew) == nil {
		t.ready.Store(true)
	}
}

func (t *target) first(due func(*plan) bool) *plan {
	for _, p := range *t.plans.Load() {
		if due(p) {
			return p
		}
	}
	return nil
}

// pollPlan lists a plan's tasks and publishes the outcome.
func (t *target) pollPlan(ctx context.Context, p *plan) {
	s := t.settings.Load()
	start := time.Now()
	rows, total, err := listTasks(ctx, s, p.id)
	if ctx.Err() != nil {
		return // the process or the target ends; that says nothing about the plan
	}
	now := time.Now()
	result := PollResult{Account: t.account, RegionID: t.region, PlanID: p.id, Err: err}
	cut := errors.Is(err, dbsapi.ErrIncomplete)
	if err != nil && !cut {
		p.publishFailure(err, now.Sub(start), now)
		result.Advice = advice(err)
	} else {
		l, tasks := newListing(rows, total, cut, s.series, now)
		t.instruments.observeDownloads(p.publish(l, tasks, now.Sub(start), now))
		t.unknown.log(t.logger, p.id, l.unknown)
		result.Tasks, result.Err = len(tasks), nil
	}
	if t.onPoll != nil {
		t.onPoll(result)
	}
}

// listTasks reads all pages within the poll's budget. The total is that of the last page.
func listTasks(ctx context.Context, s *settings, planID string) (rows []dbsapi.DownloadTask, total int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	for page, err := range s.client.DownloadTasks(ctx, dbsapi.TaskQuery{PlanID: planID}) {
		if err != nil {
			return rows, total, err
		}
		rows, total = append(rows, page.Items...), page.TotalElements
	}
	return rows, total, nil
}
