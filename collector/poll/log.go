package poll

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"aliyun_dbs_exporter/collector/config"
	"aliyun_dbs_exporter/dbsapi"
)

// reporter writes one line about the failed polls of a target at a time, so that
// an outage of the API is not a line for each of thousands of plans.
type reporter struct {
	logger log.Logger
	// failure tells run that a poll failed.
	failure chan struct{}

	mu sync.Mutex
	// budgets are those that were logged last.
	budgets map[config.Quota]Budget
}

func newReporter(logger log.Logger) *reporter {
	return &reporter{logger: logger, failure: make(chan struct{}, 1)}
}

// failed tells that a poll failed.
func (r *reporter) failed() {
	select {
	case r.failure <- struct{}{}:
	default: // run has yet to see the last one
	}
}

const (
	// reportAfter is how long the first failure waits for others of its kind.
	reportAfter = 5 * time.Second
	// reportEvery bounds how long a recovery or a budget that no longer fits can go
	// unnoticed if the poll interval is long.
	reportEvery = time.Minute
)

// run reports failed polls soon after the first and then once per poll interval
// while there are any, recoveries, and changes of the budgets.
func (r *reporter) run(ctx context.Context, snapshot func() *Snapshot) {
	reported := make(map[TargetID]report)
	wait := reportAfter
	for {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-r.failure:
			timer.Stop()
			// A snapshot for each of thousands of failures would cost more than they do.
			if !pause(ctx, reportAfter) {
				return
			}
		case <-timer.C:
		}
		s := snapshot()
		r.logFailures(s, reported)
		r.logBudgets(s)
		wait = min(time.Duration(s.Config.PollInterval), reportEvery)
	}
}

// pause reports whether the time has passed; false means that the context ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// maxNamedPlans bounds the plans that a log line names; the metrics name all.
const maxNamedPlans = 5

// report is what was last logged of a target.
type report struct {
	at     time.Time
	failed int
}

// logFailures writes a line for each target whose last polls failed, once per poll
// interval and when many more fail, and one for each whose polls succeed again.
func (r *reporter) logFailures(s *Snapshot, reported map[TargetID]report) {
	for _, t := range s.Targets {
		var (
			failed  []string
			first   *Failure
			reasons = make(map[dbsapi.Reason]int)
			logger  = log.With(r.logger, "account", t.ID.Account, "region_id", t.ID.RegionID)
		)
		for _, plan := range t.Plans {
			if f := plan.Poll.Failure; f != nil {
				failed = append(failed, plan.ID)
				reasons[f.Reason]++
				if first == nil {
					first = f
				}
			}
		}
		if first == nil {
			if _, failing := reported[t.ID]; failing {
				level.Info(logger).Log("msg", "Polls succeed again", "plans", len(t.Plans))
			}
			delete(reported, t.ID)
			continue
		}
		last, known := reported[t.ID]
		age, grown := s.At.Sub(last.at), len(failed) > 2*last.failed
		if known && age < time.Duration(s.Config.PollInterval) && (!grown || age < reportEvery) {
			continue
		}
		reported[t.ID] = report{at: s.At, failed: len(failed)}
		level.Warn(logger).Log(
			"msg", "Polls failed, the last successful listing of these plans ages",
			"plans", len(t.Plans), "failed", len(failed), "reasons", countList(reasons), "plan_ids", shortList(failed),
			"err", first.Text, "advice", first.Advice,
		)
	}
	maps.DeleteFunc(reported, func(id TargetID, _ report) bool {
		return !slices.ContainsFunc(s.Targets, func(t Target) bool { return t.ID == id })
	})
}

// logBudgets writes the arithmetic of every quota whose number of plans has
// changed, or that no longer fits, or fits again, or whose polls cannot save
// requests for another reason than before.
func (r *reporter) logBudgets(s *Snapshot) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := make(map[config.Quota]Budget)
	for _, t := range s.Targets {
		quota, b := t.Config.Quota(), t.Budget
		if _, done := now[quota]; done {
			continue
		}
		now[quota] = b
		if old, known := r.budgets[quota]; known && old.Plans == b.Plans && old.Allowed == b.Allowed &&
			old.Fits() == b.Fits() && maps.Equal(old.Obstacles, b.Obstacles) {
			continue
		}
		logger, msg := level.Info(r.logger), "API request budget"
		if !b.Fits() {
			logger, msg = level.Warn(r.logger), "API request budget is too small, polls will be skipped: raise poll_interval or requests_per_second, or use shards"
		}
		if len(b.Obstacles) > 0 {
			logger = log.With(logger, "obstacles", countList(b.Obstacles))
		}
		logger.Log("msg", msg, "account", quota.Account, "endpoint", quota.Endpoint, "plans", b.Plans, "plans_not_listed_yet", b.Unlisted,
			"requests_needed", b.Needed, "requests_allowed", b.Allowed, "poll_interval", time.Duration(s.Config.PollInterval))
	}
	r.budgets = now
}

func countList[K ~string](counts map[K]int) string {
	var parts []string
	for key, n := range counts {
		parts = append(parts, fmt.Sprintf("%s=%d", key, n))
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

func shortList(ids []string) string {
	if len(ids) <= maxNamedPlans {
		return strings.Join(ids, ",")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(ids[:maxNamedPlans], ","), len(ids)-maxNamedPlans)
}
