package poll

import (
	"context"
	"fmt"
	"maps"
	"regexp"
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

// reportAfter is how long the first failure waits for others of its kind.
const reportAfter = 5 * time.Second

// run reports failed polls soon after the first, then once per poll interval
// while there are any, and once when there are no more.
func (r *reporter) run(ctx context.Context, snapshot func() *Snapshot) {
	failing := make(map[TargetID]bool)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.failure:
		}
		if !pause(ctx, reportAfter) {
			return
		}
		for {
			s := snapshot()
			r.logFailures(s, failing)
			r.logBudgets(s)
			if len(failing) == 0 {
				break
			}
			if !pause(ctx, time.Duration(s.Config.PollInterval)) {
				return
			}
		}
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

// logFailures writes a line for each target whose last polls failed, and one for
// each whose polls succeed again.
func (r *reporter) logFailures(s *Snapshot, failing map[TargetID]bool) {
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
			if failing[t.ID] {
				level.Info(logger).Log("msg", "Polls succeed again", "plans", len(t.Plans))
			}
			delete(failing, t.ID)
			continue
		}
		failing[t.ID] = true
		level.Warn(logger).Log(
			"msg", "Polls failed, the last successful listing of these plans ages",
			"plans", len(t.Plans), "failed", len(failed), "reasons", countList(reasons), "plan_ids", shortList(failed),
			"err", first.Text, "advice", first.Advice,
		)
	}
	maps.DeleteFunc(failing, func(id TargetID, _ bool) bool {
		return !slices.ContainsFunc(s.Targets, func(t Target) bool { return t.ID == id })
	})
}

// logBudgets writes the arithmetic of every quota whose number of plans has
// changed, or that no longer fits, or fits again.
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
		if old, known := r.budgets[quota]; known && old.Plans == b.Plans && old.Allowed == b.Allowed && old.Fits() == b.Fits() {
			continue
		}
		logger, msg := level.Info(r.logger), "API request budget"
		if !b.Fits() {
			logger, msg = level.Warn(r.logger), "API request budget is too small, polls will be skipped: raise poll_interval or requests_per_second, or use shards"
		}
		logger.Log("msg", msg, "account", quota.Account, "endpoint", quota.Endpoint, "plans", b.Plans, "plans_not_listed_yet", b.Unlisted,
			"requests_needed", b.Needed, "requests_allowed", b.Allowed, "poll_interval", time.Duration(s.Config.PollInterval))
	}
	r.budgets = now
}

// logPlans writes which plans came and went with a list of plans.
func logPlans(now, before *target) {
	added, removed := missing(before.plans, now.plans), missing(now.plans, before.plans)
	if len(added)+len(removed) > 0 {
		level.Info(now.logger).Log("msg", "Plans changed", "plans", len(now.plans), "added", len(added), "added_ids", shortList(added),
			"removed", len(removed), "removed_ids", shortList(removed))
	}
}

// missing returns the IDs of the plans in b that a lacks.
func missing(a, b []plan) []string {
	has := make(map[string]bool)
	for _, plan := range a {
		has[plan.id] = true
	}
	var ids []string
	for _, plan := range b {
		if !has[plan.id] {
			ids = append(ids, plan.id)
		}
	}
	return ids
}

func countList(reasons map[dbsapi.Reason]int) string {
	var parts []string
	for reason, n := range reasons {
		parts = append(parts, fmt.Sprintf("%s=%d", reason, n))
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

// unknownStatuses logs each undocumented status once.
type unknownStatuses struct {
	mu     sync.Mutex
	logged map[string]bool
}

// maxLoggedStatuses bounds how many are remembered, and so logged, in the life of
// the process.
const maxLoggedStatuses = 64

// plainStatus is what a status looks like. Anything else is not repeated: it
// might be a text with a URL in it.
var plainStatus = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)

func (u *unknownStatuses) log(logger log.Logger, planID string, raw []string) {
	for _, status := range raw {
		if !plainStatus.MatchString(status) {
			status = "<redacted>"
		}
		if u.isNew(status) {
			level.Warn(logger).Log("msg", "Undocumented task status, such tasks count as unknown", "plan_id", planID, "status", status)
		}
	}
}

func (u *unknownStatuses) isNew(status string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.logged[status] || len(u.logged) >= maxLoggedStatuses {
		return false
	}
	if u.logged == nil {
		u.logged = make(map[string]bool)
	}
	u.logged[status] = true
	return true
}
